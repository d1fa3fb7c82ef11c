/**
 * Waits until a device has sent all bytes. No descriptor becomes ready at that point,
 * and tcdrain(3) would block the thread. So the number of unsent bytes is polled, at
 * growing intervals.
 *
 * @module
 */

import type { Loop } from "../../reactor/loop.ts";
import type { Timer } from "../../reactor/timers.ts";

/** The shortest and the longest interval, in milliseconds. */
const SHORTEST = 1;
const LONGEST = 100;

/** The waits for the end of a port's output. */
export class Drain {
  readonly #loop: Loop;
  readonly #unsent: () => number;
  readonly #isReferenced: () => boolean;
  readonly #byteTime: number;
  #callbacks: (() => void)[] = [];
  #timer: Timer | null = null;

  /**
   * @param unsent Returns how many bytes are still to be sent
   * @param isReferenced Returns whether a wait keeps `run()` going
   * @param byteTime How long one byte takes, in milliseconds
   */
  constructor(
    loop: Loop,
    unsent: () => number,
    isReferenced: () => boolean,
    byteTime: number,
  ) {
    this.#loop = loop;
    this.#unsent = unsent;
    this.#isReferenced = isReferenced;
    this.#byteTime = byteTime;
  }

  /** Calls a function from the loop when everything is sent. */
  wait(callback: () => void): void {
    this.#callbacks.push(callback);
    if (this.#timer === null) this.#pollAfter(0);
  }

  /** Forgets all waits. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#callbacks = [];
  }

  #pollAfter(delay: number): void {
    this.#timer = this.#loop.callLater(delay, () => this.#poll(delay));
    if (!this.#isReferenced()) this.#timer.unref();
  }

  #poll(delay: number): void {
    const unsent = this.#unsent();
    if (unsent > 0) {
      const estimate = Math.max(unsent * this.#byteTime, delay * 2, SHORTEST);
      return this.#pollAfter(Math.min(estimate, LONGEST));
    }
    const callbacks = this.#callbacks;
    this.cancel();
    for (const callback of callbacks) callback();
  }
}
