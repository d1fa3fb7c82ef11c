/**
 * The last lines, for guests that come back.
 *
 * @module
 */

import { KEPT_LINES, type Said } from "../web_chat/room.ts";

/** A line with its place in the log. */
export type NumberedLine = Said & { readonly number: number };

/** As many lines as the log keeps. */
export class KeptLines {
  readonly #lines: NumberedLine[] = [];
  /** Lines up to this number may have been removed. */
  #removed = 0;

  /** Adds a line, and removes the oldest. */
  add(line: NumberedLine): void {
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) {
      this.#removed = this.#lines.shift()!.number;
    }
  }

  /**
   * Takes into account that the log itself may have removed lines, earlier than all that
   * were added.
   *
   * @param oldest The number of its oldest entry, which may not be a line
   */
  startAt(oldest: number): void {
    const isFull = this.#lines.length === KEPT_LINES;
    const first = isFull ? this.#lines[0]!.number : oldest;
    this.#removed = Math.max(this.#removed, first - 1);
  }

  /** All lines after a number, and whether there was no other. */
  after(number: number): { lines: NumberedLine[]; isComplete: boolean } {
    const lines = this.#lines.filter((line) => line.number > number);
    return { lines, isComplete: number >= this.#removed };
  }
}
