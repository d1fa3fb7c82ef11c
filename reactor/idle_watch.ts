/**
 * Notices that nothing happens, without a look at the clock when something does.
 *
 * @module
 */

import { now } from "./clock.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** A timer looks in so many times within the timeout: it is two looks late at most. */
const LOOKS = 8;

/** Calls back after a time in which nobody set `active`. */
export class IdleWatch {
  /** Set by whoever does something; one store, where reading the clock costs 90 ns. */
  active = false;
  readonly #timer: Timer;
  /** No earlier than the last activity, whose own time nobody took. */
  #idleSince = now();

  constructor(loop: Loop, milliseconds: number, onIdle: () => void) {
    this.#timer = loop.callEvery(milliseconds / LOOKS, () => {
      // Looks are not to be counted: after a busy time one follows close on another.
      const time = now();
      if (this.active) this.#idleSince = time;
      else if (time - this.#idleSince >= milliseconds) onIdle();
      this.active = false;
    });
  }

  /** Makes `run()` wait for it, as at the beginning. */
  ref(): void {
    this.#timer.ref();
  }

  /** Lets `run()` return although it watches. */
  unref(): void {
    this.#timer.unref();
  }

  /** Ends the watch. */
  stop(): void {
    this.#timer.cancel();
  }
}
