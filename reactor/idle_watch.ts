/**
 * Notices that nothing happens, without a look at the clock when something does.
 *
 * @module
 */

import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** A timer looks in so many times within the timeout. */
const LOOKS = 4;

/** Calls back after a time in which nobody set `active`. */
export class IdleWatch {
  /** Set by whoever does something; one store, where reading the clock costs 90 ns. */
  active = false;
  readonly #timer: Timer;
  #idleLooks = 0;

  constructor(loop: Loop, milliseconds: number, onIdle: () => void) {
    this.#timer = loop.callEvery(milliseconds / LOOKS, () => {
      this.#idleLooks = this.active ? 0 : this.#idleLooks + 1;
      this.active = false;
      if (this.#idleLooks === LOOKS) onIdle();
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
