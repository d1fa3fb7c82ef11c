/**
 * The room of one process: its guests, and the messages that each is sent.
 *
 * @module
 */

import {
  FULL,
  type Guest,
  type Line,
  MAXIMUM_GUESTS,
  type Message,
  plain,
  refusalOf,
  type Room,
  takenName,
} from "./room.ts";

/** The guests by their names. It keeps no lines. */
export class LocalRoom implements Room {
  readonly #guests = new Map<string, Guest>();

  /** Lets a guest in at once. */
  enter(guest: Guest): Promise<boolean> {
    const { name, key } = guest;
    const present = this.#guests.get(name);
    const isBack = present !== undefined && key !== null && present.key === key;
    const reason = isBack ? null : this.#refusal(name);
    if (reason !== null) {
      guest.send({ kind: "refused", reason });
      return Promise.resolve(false);
    }
    this.#guests.set(name, guest);
    present?.close();
    const others = [...this.#guests.keys()].filter((other) => other !== name);
    guest.send({ kind: "welcome", name, others });
    if (!isBack) this.#announce("joined", name, guest);
    return Promise.resolve(true);
  }

  /** Sends a line at once. */
  say({ name }: Guest, { id, ...line }: Line): Promise<void> {
    const text = plain(line.text);
    const said = { kind: "said", name, text } as const;
    if (text !== "") this.#send(id === undefined ? said : { ...said, id });
    return Promise.resolve();
  }

  /** Announces the end of a guest's connection, unless another has taken its place. */
  leave(guest: Guest): void {
    if (this.#guests.get(guest.name) !== guest) return;
    this.#guests.delete(guest.name);
    this.#announce("left", guest.name);
  }

  /** Ends all connections. */
  close(): void {
    const guests = [...this.#guests.values()];
    this.#guests.clear();
    for (const guest of guests) guest.close();
  }

  #refusal(name: string): string | null {
    const reason = refusalOf(name);
    if (reason !== null) return reason;
    if (this.#guests.has(name)) return takenName(name);
    return this.#guests.size < MAXIMUM_GUESTS ? null : FULL;
  }

  #announce(kind: "joined" | "left", name: string, except?: Guest): void {
    console.log(`${name} has ${kind}`);
    this.#send({ kind, name }, except);
  }

  #send(message: Message, except?: Guest): void {
    for (const guest of this.#guests.values()) {
      if (guest !== except) guest.send(message);
    }
  }
}
