/**
 * The callbacks of a loop that wait for a time, or for the next turn only.
 *
 * @module
 */

import { checkCallback } from "./callback.ts";
import { now } from "./clock.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { type QueuedTimer, type Timer, TimerQueue } from "./timers.ts";

/** Timers that are called in one turn, at most: I/O comes before the rest. */
const TIMERS_PER_TURN = 1024;

/** The callbacks of `callSoon()`, `callLater()` and `callEvery()`. */
export class Schedule {
  readonly #dispatcher: Dispatcher;
  readonly #timers: TimerQueue;
  #soon: (() => void)[] = [];

  /** @param onChange Called when the first referenced timer is added, or the last has gone */
  constructor(dispatcher: Dispatcher, onChange: () => void) {
    this.#dispatcher = dispatcher;
    this.#timers = new TimerQueue(onChange);
  }

  /** How many timers are active. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Returns the timers in no order, some of them cancelled. */
  listTimers(): QueuedTimer[] {
    return this.#timers.list();
  }

  /** Whether `run()` waits for a callback. */
  get hasWork(): boolean {
    return this.#timers.referenced > 0 || this.#soon.length > 0;
  }

  /**
   * Adds a callback of the next turn.
   *
   * @throws {TypeError} if it is not a function
   */
  addSoon(callback: () => void): void {
    checkCallback(callback);
    this.#soon.push(callback);
  }

  /**
   * Adds a timer.
   *
   * @param interval Milliseconds between calls; 0 for one call
   * @throws {TypeError} if the time is not a number, or the callback not a function
   */
  addTimer(
    milliseconds: number,
    callback: () => void,
    interval: number,
  ): Timer {
    if (typeof milliseconds !== "number" || Number.isNaN(milliseconds)) {
      throw new TypeError(`Cannot call in ${milliseconds} milliseconds`);
    }
    checkCallback(callback);
    const deadline = now() + Math.max(milliseconds, 0);
    // A deadline of Infinity marks a timer that is over.
    return this.#timers.add(
      callback,
      Math.min(deadline, Number.MAX_VALUE),
      interval,
    );
  }

  /** Returns the milliseconds until the next callback is due: 0 or more. */
  timeout(): number {
    if (this.#soon.length > 0) return 0;
    const deadline = this.#timers.nextDeadline();
    return deadline === Infinity ? Infinity : Math.max(deadline - now(), 0);
  }

  /** Calls the callbacks that are due. */
  callDue(): void {
    if (this.#timers.size > 0) this.#callTimers();
    if (this.#soon.length > 0) this.callSoon();
  }

  #callTimers(): void {
    const time = now();
    for (const timer of this.#timers.takeDue(time, TIMERS_PER_TURN)) {
      // An earlier timer of this turn cancelled it.
      if (!timer.active) continue;
      this.#timers.settle(timer, time);
      this.#dispatcher.call(timer.callback);
    }
  }

  /** Calls the callbacks of `callSoon()`; those that they add wait for the next turn. */
  callSoon(): void {
    const callbacks = this.#soon;
    this.#soon = [];
    for (const callback of callbacks) this.#dispatcher.call(callback);
  }

  /** Drops all callbacks. */
  clear(): void {
    this.#soon = [];
    this.#timers.clear();
  }
}
