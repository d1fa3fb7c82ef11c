/**
 * Says when a busy reactor has had the thread for long enough.
 *
 * @module
 */

import { TimerFd } from "../backends/ffi/timer_fd.ts";
import { EVENT_READ, type FileObject } from "../backends/selector.ts";
import type { Loop } from "./loop.ts";
import { now } from "./timers.ts";

/**
 * How many ready descriptors are worth a look at the clock: the timer waits its
 * turn behind them, and a look for each would cost more than the turn.
 */
const MANY = 16;

/** The end of a slice of time, as the loop sees it. */
export interface SliceClock {
  /** Begins a slice. */
  start(): void;
  /** How long the next wait may be, in milliseconds. */
  timeout(): number;
  /**
   * Whether the slice is over.
   *
   * @param ready How many were ready at the last wait
   */
  over(ready: number): boolean;
  /** No slice is to come for a while. */
  stop(): void;
  /** No slice is to come. */
  close(): void;
}

/** The clock of this system: a descriptor where there is one, else timeouts. */
export function createSliceClock(
  loop: Loop,
  milliseconds: number,
): SliceClock {
  const timer = TimerFd.create();
  return timer === null
    ? new TimeoutClock(milliseconds)
    : new TimerFdClock(loop, timer, milliseconds);
}

/**
 * A timerfd among the other descriptors. No wait needs a timeout, and few turns
 * a look at the clock. It is never read: to set it anew makes it quiet.
 */
class TimerFdClock implements SliceClock {
  readonly fd: number;
  readonly #loop: Loop;
  readonly #timer: TimerFd;
  readonly #milliseconds: number;
  #end = 0;
  #over = false;

  constructor(loop: Loop, timer: TimerFd, milliseconds: number) {
    this.#loop = loop;
    this.#timer = timer;
    this.#milliseconds = milliseconds;
    this.fd = timer.fd;
    loop.selector.register(this, EVENT_READ, TimerFdClock.#onReady);
    loop.countInternal(1);
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const clock = fileobj as TimerFdClock;
    clock.#over = true;
    clock.#loop.countOwnEvent();
  };

  start(): void {
    this.#over = false;
    this.#end = now() + this.#milliseconds;
    this.#timer.set(this.#milliseconds);
  }

  timeout(): number {
    return Infinity;
  }

  over(ready: number): boolean {
    if (ready >= MANY && now() >= this.#end) this.#over = true;
    return this.#over;
  }

  stop(): void {
    this.#timer.set(0);
  }

  close(): void {
    if (!this.#loop.closed) {
      this.#loop.selector.unregister(this);
      this.#loop.countInternal(-1);
    }
    this.#timer.close();
  }
}

/** The time that is left is the timeout of each wait. */
class TimeoutClock implements SliceClock {
  readonly #milliseconds: number;
  #end = 0;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  start(): void {
    this.#end = now() + this.#milliseconds;
  }

  timeout(): number {
    return Math.max(this.#end - now(), 0);
  }

  over(): boolean {
    return now() >= this.#end;
  }

  stop(): void {}

  close(): void {}
}
