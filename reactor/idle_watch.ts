/**
 * Detects that a stream is idle, without reading the clock when it is not.
 *
 * @module
 */

import { now } from "./clock.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** Checks within one timeout. The detection is two checks late at most. */
const CHECKS = 8;

/** Calls back after a time in which `active` was not set. */
export class IdleWatch {
  /** Set on each activity: one store, where reading the clock costs 90 ns. */
  active = false;
  readonly #timer: Timer;
  /** Upper bound of the last activity time, which is not recorded itself. */
  #idleSince = now();

  constructor(loop: Loop, milliseconds: number, onIdle: () => void) {
    this.#timer = loop.callEvery(milliseconds / CHECKS, () => {
      // Checks are not counted, because after a busy time two follow closely.
      const time = now();
      if (this.active) this.#idleSince = time;
      else if (time - this.#idleSince >= milliseconds) onIdle();
      this.active = false;
    });
  }

  /** Keeps `run()` and the process alive. This is the default. */
  ref(): void {
    this.#timer.ref();
  }

  /** Lets `run()` return and the process end. */
  unref(): void {
    this.#timer.unref();
  }

  /** Cancels the watch. */
  stop(): void {
    this.#timer.cancel();
  }
}

/**
 * Checks the time of a timeout.
 *
 * @param name The timeout, as in "an idle timeout"
 * @throws {RangeError} if it is negative or not a number
 */
export function checkTime(milliseconds: number, name: string): void {
  if (milliseconds >= 0) return;
  throw new RangeError(`Cannot use ${name} of ${milliseconds} milliseconds`);
}
