/**
 * The room: its guests, and the messages that each is sent. It knows neither browsers
 * nor terminals.
 *
 * @module
 */

/** How many guests the room has room for. */
const MAXIMUM_GUESTS = 100;

const LONGEST_LINE = 500;
const NAME = /^[\p{Letter}\p{Number}_-]{1,20}$/u;

/** A message to a guest. */
export type Message =
  | {
    readonly kind: "welcome";
    readonly name: string;
    readonly others: readonly string[];
  }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "joined" | "left"; readonly name: string }
  | { readonly kind: "said"; readonly name: string; readonly text: string };

/** The connection of a guest. */
export interface Guest {
  /** A secret of the page, by which it enters again under its name; null for none. */
  readonly key: string | null;
  /** Sends a message. A guest that does not read is disconnected. */
  send(message: Message): void;
  /** Ends the connection. */
  close(): void;
}

/** The guests by their names. */
export class Room {
  readonly #guests = new Map<string, Guest>();

  /**
   * Lets a guest in, and announces it. A page may take the place of its own earlier
   * connection, whose end the server has not noticed yet.
   *
   * @returns whether the guest is in; otherwise the message "refused" was sent
   */
  enter(guest: Guest, name: string): boolean {
    const present = this.#guests.get(name);
    const isBack = present !== undefined && guest.key !== null &&
      present.key === guest.key;
    const reason = isBack ? null : this.#refusal(name);
    if (reason !== null) {
      guest.send({ kind: "refused", reason });
      return false;
    }
    this.#guests.set(name, guest);
    present?.close();
    const others = [...this.#guests.keys()].filter((other) => other !== name);
    guest.send({ kind: "welcome", name, others });
    if (!isBack) this.#announce({ kind: "joined", name }, guest);
    return true;
  }

  /** Sends a line to all guests, also to the one that wrote it. */
  say(name: string, line: string): void {
    const text = plain(line);
    if (text !== "") this.#send({ kind: "said", name, text });
  }

  /** Announces the end of a guest's connection, unless another has taken its place. */
  leave(guest: Guest, name: string): void {
    if (this.#guests.get(name) !== guest) return;
    this.#guests.delete(name);
    this.#announce({ kind: "left", name });
  }

  /** Ends all connections. */
  close(): void {
    const guests = [...this.#guests.values()];
    this.#guests.clear();
    for (const guest of guests) guest.close();
  }

  #refusal(name: string): string | null {
    if (!NAME.test(name)) return "A name is 1 to 20 letters and digits.";
    if (this.#guests.has(name)) return `There is a ${name} here already.`;
    return this.#guests.size < MAXIMUM_GUESTS ? null : "The room is full.";
  }

  #announce(
    message: { readonly kind: "joined" | "left"; readonly name: string },
    except?: Guest,
  ): void {
    console.log(`${message.name} has ${message.kind}`);
    this.#send(message, except);
  }

  #send(message: Message, except?: Guest): void {
    for (const guest of this.#guests.values()) {
      if (guest !== except) guest.send(message);
    }
  }
}

/** One line without the control characters that terminals obey. */
function plain(line: string): string {
  return line.slice(0, LONGEST_LINE).toWellFormed()
    .replace(/\p{Control}/gu, "").trim();
}
