/**
 * The room of several processes. Each applies the entries of one log in the same order,
 * so all have the same guests and lines. A process sends messages to its own guests.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  FULL,
  type Guest,
  type Line,
  MAXIMUM_GUESTS,
  plain,
  refusalOf,
  type Room,
  takenName,
} from "../web_chat/room.ts";
import type { Census } from "./census.ts";
import type { Joined } from "./entry.ts";
import { KeptLines, type NumberedLine } from "./kept_lines.ts";
import type { Log, Numbered } from "./log.ts";

/** A guest of any process: its last entry, and the number of that. */
type Present = Joined & { readonly number: number };

/** A guest of this process, and its connection as entries name it. */
interface Seat {
  readonly guest: Guest;
  readonly id: string;
}

/** A guest whose entry is on its way. */
interface Arrival extends Seat {
  readonly resolve: () => void;
}

/** The room as one process has it. */
export class ClusterRoom implements Room {
  readonly #process: string;
  readonly #log: Log;
  readonly #census: Census;
  readonly #present = new Map<string, Present>();
  readonly #seats = new Map<string, Seat>();
  readonly #arrivals = new Map<string, Arrival>();
  readonly #lines = new KeptLines();
  #isOpen = false;
  #said = 0;

  constructor(process: string, log: Log, census: Census) {
    this.#process = process;
    this.#log = log;
    this.#census = census;
  }

  /** Applies all entries of the log. After this the room is open. */
  async open(): Promise<void> {
    const oldest = await this.#log.follow((numbered) => this.#apply(numbered));
    this.#lines.startAt(oldest);
    this.#isOpen = true;
  }

  /** Lets a guest in when the log has its entry. */
  async enter(guest: Guest): Promise<boolean> {
    const isFull = this.#seats.size + this.#arrivals.size >= MAXIMUM_GUESTS;
    const reason = refusalOf(guest.name) ?? (isFull ? FULL : null) ??
      await this.#join(guest);
    if (reason !== null) guest.send({ kind: "refused", reason });
    return reason === null;
  }

  /** Stores a line. The next one of the guest has to wait for it. */
  async say(guest: Guest, line: Line): Promise<void> {
    const { name, key } = guest;
    const text = plain(line.text);
    if (text === "" || this.#seats.get(name)?.guest !== guest) return;
    const { id } = line;
    const isKnown = key !== null && id !== undefined;
    const entry = { kind: "said", name, text } as const;
    const outcome = await this.#log.append(
      isKnown ? { ...entry, id } : entry,
      isKnown ? `${hash(key)}.${id}` : `${this.#process}.${this.#said++}`,
    );
    // The page may have missed it, and would wait for it.
    if (isKnown && outcome === "repeated") guest.send({ kind: "stored", id });
  }

  /** Stores that a guest has left, unless another has taken its place. */
  leave(guest: Guest): void {
    const seat = this.#seats.get(guest.name);
    if (seat?.guest !== guest) return;
    this.#seats.delete(guest.name);
    const present = this.#present.get(guest.name);
    if (present?.id === seat.id) this.#remove(present);
  }

  /**
   * Ends all connections. Guests stay in the room for a while: pages come back by another
   * process.
   */
  close(): void {
    const seats = [...this.#seats.values()];
    this.#seats.clear();
    for (const { guest } of seats) guest.close();
  }

  /** Removes the guests of processes that have ended. */
  async removeAbsent(): Promise<void> {
    const guests = [...this.#present.values()];
    const others = new Set(guests.map(({ process }) => process));
    others.delete(this.#process);
    const gone = await this.#census.findGone(others);
    for (const guest of guests) {
      if (gone.includes(guest.process)) this.#remove(guest);
    }
  }

  /** Stores the entries of own guests again, because the log removes old ones. */
  renew(): void {
    for (const [name, { id }] of this.#seats) {
      const present = this.#present.get(name);
      if (present?.id === id) this.#store(present, present.number);
    }
  }

  /** Stores the entry of a guest, and waits for it; returns the reason if it cannot. */
  async #join(guest: Guest): Promise<string | null> {
    const { name } = guest;
    const key = guest.key === null ? null : hash(guest.key);
    while (!this.#log.isClosed) {
      const last = await this.#log.last(name);
      if (!await this.#isFree(last, key)) return takenName(name);
      const id = crypto.randomUUID();
      const arrived = Promise.withResolvers<void>();
      this.#arrivals.set(id, { guest, id, resolve: arrived.resolve });
      const entry = { name, key, process: this.#process, id };
      const outcome = await this.#store(entry, last?.number ?? 0);
      if (outcome === "stored" || outcome === "repeated") {
        await arrived.promise;
        return null;
      }
      this.#arrivals.delete(id);
    }
    return "The server ends.";
  }

  /** Whether a guest may have a name after its last entry. */
  async #isFree(last: Numbered | null, key: string | null): Promise<boolean> {
    if (last?.entry.kind !== "joined") return true;
    const { entry } = last;
    if (key !== null && entry.key === key) return true;
    return entry.process !== this.#process &&
      await this.#census.isAbsent(entry.process);
  }

  #store(
    { name, key, process, id }: Omit<Joined, "kind">,
    before: number,
  ): Promise<string> {
    const entry = { kind: "joined", name, key, process, id } as const;
    return this.#log.append(entry, `${id}.${before}`, before);
  }

  /** Stores that a guest has left. Several processes may do so, and one entry results. */
  #remove({ name, number }: Present): void {
    this.#log.append({ kind: "left", name }, `left.${number}`, number);
  }

  #apply({ entry, number }: Numbered): void {
    switch (entry.kind) {
      case "joined":
        return this.#applyJoined({ ...entry, number });
      case "left":
        return this.#applyLeft(entry.name, number);
      case "said": {
        const line = { ...entry, number };
        this.#lines.add(line);
        return this.#send(line);
      }
    }
  }

  #applyJoined(entry: Present): void {
    const { name, id, process } = entry;
    const isNew = !this.#present.has(name);
    this.#present.set(name, entry);
    const arrival = this.#arrivals.get(id);
    const seat = this.#seats.get(name);
    if (seat !== undefined && seat.id !== id) {
      this.#seats.delete(name);
      seat.guest.close();
    }
    if (arrival !== undefined) this.#seat(arrival, entry);
    if (isNew) this.#announce("joined", name);
    // A guest has left while an entry of it was on its way.
    if (process === this.#process && !this.#seats.has(name)) {
      this.#remove(entry);
    }
  }

  #applyLeft(name: string, number: number): void {
    const present = this.#present.get(name);
    if (!this.#present.delete(name)) return;
    this.#announce("left", name);
    // Another process has removed it, because this one did not answer for a while.
    if (this.#seats.has(name)) this.#store(present!, number);
  }

  /** Welcomes a guest, after the lines that it has missed. */
  #seat({ guest, id, resolve }: Arrival, { name, number }: Present): void {
    this.#arrivals.delete(id);
    this.#seats.set(name, { guest, id });
    const { after } = guest;
    const { lines, isComplete } = this.#lines.after(after ?? number);
    for (const line of lines) guest.send(line);
    const others = [...this.#present.keys()].filter((other) => other !== name);
    guest.send({ kind: "welcome", name, others, number, isComplete });
    resolve();
  }

  #announce(kind: "joined" | "left", name: string): void {
    if (this.#isOpen) console.log(`${name} has ${kind}`);
    for (const [other, { guest }] of this.#seats) {
      if (other !== name) guest.send({ kind, name });
    }
  }

  #send(message: NumberedLine): void {
    for (const { guest } of this.#seats.values()) guest.send(message);
  }
}

/** Other clients of the broker cannot use the secret of a page. */
function hash(key: string): string {
  return createHash("sha256").update(key).digest("base64url");
}
