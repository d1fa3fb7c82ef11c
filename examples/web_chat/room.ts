/**
 * The room as its entrances see it, which are browsers.ts and terminals.ts, and the
 * rules that all rooms have.
 *
 * @module
 */

/** How many guests a process lets in. */
export const MAXIMUM_GUESTS = 100;

/** How many lines a room keeps for guests that come back, if it keeps any. */
export const KEPT_LINES = 500;

/** A guest with more unsent bytes is disconnected. All kept lines are fewer. */
export const MAXIMUM_QUEUED = 1024 * 1024;

const LONGEST_LINE = 500;
const NAME = /^[\p{Letter}\p{Number}_-]{1,20}$/u;

/** A line that a guest has said. */
export interface Said {
  readonly kind: "said";
  readonly name: string;
  readonly text: string;
  /** Its place among all lines, in a room that keeps them. */
  readonly number?: number;
  /** The number that its page gave to it. */
  readonly id?: number;
}

/** The message to a guest that is in. Lines that the guest has missed come first. */
export interface Welcome {
  readonly kind: "welcome";
  readonly name: string;
  readonly others: readonly string[];
  /** The number from which on the guest sees all lines, in a room that keeps them. */
  readonly number?: number;
  /** Whether a guest that came back may have missed lines that the room has not kept. */
  readonly isComplete?: boolean;
}

/** A message to a guest. */
export type Message =
  | Said
  | Welcome
  | { readonly kind: "refused"; readonly reason: string }
  /** The room had a line of a page already, by its number of the page. */
  | { readonly kind: "stored"; readonly id: number }
  | { readonly kind: "joined" | "left"; readonly name: string };

/** A guest, and its connection. */
export interface Guest {
  readonly name: string;
  /** A secret of the page, by which it enters again under its name; null for none. */
  readonly key: string | null;
  /** The number of the last line that it has seen; null for a new guest. */
  readonly after: number | null;
  /** Sends a message. A guest that does not read is disconnected. */
  send(message: Message): void;
  /** Ends the connection. */
  close(): void;
}

/** A line as a guest wrote it. */
export interface Line {
  readonly text: string;
  /** The number that its page gave to it: the same line again has the same number. */
  readonly id?: number;
}

/** A room. */
export interface Room {
  /**
   * Lets a guest in, and announces it. A page may take the place of its own earlier
   * connection, whose end the server has not noticed yet.
   *
   * @returns whether the guest is in; otherwise the message "refused" was sent
   */
  enter(guest: Guest): Promise<boolean>;
  /** Sends a line to all guests, also to the one that wrote it. */
  say(guest: Guest, line: Line): Promise<void>;
  /** Announces the end of a guest's connection, unless another has taken its place. */
  leave(guest: Guest): void;
}

/** Why no guest may have this name; null if one may. */
export function refusalOf(name: string): string | null {
  return NAME.test(name) ? null : "A name is 1 to 20 letters and digits.";
}

/** Why this guest cannot have the name of another. */
export function takenName(name: string): string {
  return `There is a ${name} here already.`;
}

/** Why a guest cannot come in when there are too many. */
export const FULL = "The room is full.";

/** One line without the control characters that terminals obey. */
export function plain(line: string): string {
  return line.slice(0, LONGEST_LINE).toWellFormed()
    .replace(/\p{Control}/gu, "").trim();
}
