/**
 * The rests of a sender: pauses after which a socket is asked again, because no selector
 * reports when there is room.
 *
 * @module
 */

import { isSystemError } from "../backends/ffi/errors.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** How long a rest takes, in milliseconds. */
const REST = 10;

/**
 * How many rests in a row a message gets. Some never fit: on Linux those whose fragments
 * take more than twice the send buffer.
 */
const MAXIMUM_RESTS = 100;

/** The rests of one sender. */
export class SenderRest {
  readonly #loop: Loop;
  readonly #ended: () => void;
  #timer: Timer | null = null;
  /** How many rests there were since a message was sent. */
  #count = 0;
  #referenced = true;

  /** @param ended Called at the end of each rest */
  constructor(loop: Loop, ended: () => void) {
    this.#loop = loop;
    this.#ended = ended;
  }

  /**
   * Starts a rest if the network has no room, except after too many rests.
   *
   * @returns false if the error is to be reported
   */
  startAfter(error: unknown): boolean {
    const full = isSystemError(error) && error.code === "ENOBUFS";
    if (!full || this.#count === MAXIMUM_RESTS) return false;
    this.#count++;
    this.start();
    return true;
  }

  /** Starts a rest, even after many. */
  start(): void {
    this.#timer = this.#loop.callLater(REST, () => {
      this.#timer = null;
      this.#ended();
    });
    if (!this.#referenced) this.#timer.unref();
  }

  /** Begins to count anew, because a message was sent or dropped. */
  forget(): void {
    this.#count = 0;
  }

  /** Whether a rest keeps the loop alive. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    if (referenced) this.#timer?.ref();
    else this.#timer?.unref();
  }

  /** Ends a rest early: nothing is called. */
  cancel(): void {
    this.#timer?.cancel();
  }
}
