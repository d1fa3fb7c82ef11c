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

/** After how many periods without a check the thread was blocked. */
const LATE = 2;

/**
 * Calls back after a time in which `active` was not set.
 *
 * While the thread is blocked, bytes wait to be received. Under `serve()` a turn
 * dispatches few events, and so not all of them before the next check. Such a check
 * does not end the time: there is another period for the bytes.
 */
export class IdleWatch {
  /** Set on each activity: one store, where reading the clock costs 90 ns. */
  active = false;
  readonly #timer: Timer;
  /** Upper bound of the last activity time, which is not recorded itself. */
  #idleSince = now();
  #checkedAt = this.#idleSince;
  /** Whether a late check has prolonged the time: a busy loop would do so forever. */
  #prolonged = false;

  constructor(loop: Loop, milliseconds: number, onIdle: () => void) {
    const period = milliseconds / CHECKS;
    this.#timer = loop.callEvery(period, () => {
      if (this.#isOver(milliseconds, period)) onIdle();
    });
  }

  #isOver(milliseconds: number, period: number): boolean {
    // Checks are not counted, because after a busy time two follow closely.
    const time = now();
    const isLate = time - this.#checkedAt > LATE * period;
    this.#checkedAt = time;
    const wasActive = this.active;
    this.active = false;
    if (wasActive) {
      this.#idleSince = time;
      this.#prolonged = false;
      return false;
    }
    if (time - this.#idleSince < milliseconds) return false;
    if (!isLate || this.#prolonged) return true;
    this.#idleSince = time - milliseconds + period;
    this.#prolonged = true;
    return false;
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
