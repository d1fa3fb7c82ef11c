/**
 * Says when a busy reactor has had the thread for long enough.
 *
 * @module
 */

import { isSystemError } from "../../backends/ffi/errors.ts";
import { TimerFd } from "../../backends/ffi/timer_fd.ts";
import { EVENT_READ, type FileObject } from "../../backends/selector.ts";
import type { Loop } from "../loop.ts";
import { now } from "../clock.ts";

/** How many events are worth a look at the clock: a look for each would be dear. */
const MANY = 16;

/** The least that the timer is set to, in milliseconds. */
const SHORTEST = 0.01;

/** The end of a slice of time, as the loop sees it. */
export interface SliceClock {
  /**
   * Begins a slice.
   *
   * @param time When, by `now()`
   * @param busy How many milliseconds it lasts while events come without a pause
   * @param calm How many if there is a pause, so that it sleeps
   */
  start(time: number, busy: number, calm: number): void;
  /** How long the next wait may be, in milliseconds. */
  timeout(): number;
  /** Whether the next wait may sleep. */
  readonly sleeps: boolean;
  /** Whether the slice is over, by the clock. */
  passed(): boolean;
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

/**
 * The clock of this system: a descriptor where there is one, else timeouts. They
 * have to do, too, where the system refuses the descriptor, or to watch it.
 */
export function createSliceClock(
  loop: Loop,
): SliceClock {
  try {
    const timer = TimerFd.create();
    if (timer !== null) return new TimerFdClock(loop, timer);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  return new TimeoutClock();
}

/**
 * While events come without a pause the clock says when the slice is over, at
 * every so many. The first time that nothing is there, a timerfd among the other
 * descriptors is set, and waits may sleep: it costs two exits of a virtual machine,
 * 2 % of a slice. It is never read: to set it anew makes it quiet.
 */
class TimerFdClock implements SliceClock {
  readonly fd: number;
  readonly #loop: Loop;
  readonly #timer: TimerFd;
  #end = 0;
  #calmEnd = 0;
  #over = false;
  /** Whether the timer is set, so that waits may sleep. */
  #armed = true;
  /** Events since the last look at the clock. */
  #unseen = 0;

  constructor(loop: Loop, timer: TimerFd) {
    this.#loop = loop;
    this.#timer = timer;
    this.fd = timer.fd;
    try {
      loop.selector.register(this, EVENT_READ, TimerFdClock.#onReady);
    } catch (error) {
      timer.close();
      throw error;
    }
    loop.countInternal(1);
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const clock = fileobj as TimerFdClock;
    clock.#over = true;
    clock.#loop.countOwnEvent();
  };

  start(time: number, busy: number, calm: number): void {
    this.#over = false;
    this.#unseen = 0;
    this.#end = time + busy;
    this.#calmEnd = time + calm;
    this.stop();
  }

  timeout(): number {
    return this.#armed ? Infinity : 0;
  }

  get sleeps(): boolean {
    return this.#armed;
  }

  passed(): boolean {
    return this.#over || now() >= this.#end;
  }

  over(ready: number): boolean {
    if (ready === 0) {
      // A wait that was refused does not hear the timer.
      if (this.#armed && now() >= this.#end) this.#over = true;
      this.#arm();
    } else if ((this.#unseen += ready) >= MANY) {
      // Behind many that are ready the timer has to wait its turn.
      this.#unseen = 0;
      if (now() >= this.#end) this.#over = true;
    }
    return this.#over;
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#end = this.#calmEnd;
    // Zero would be never.
    this.#timer.set(Math.max(this.#end - now(), SHORTEST));
  }

  stop(): void {
    if (!this.#armed) return;
    this.#armed = false;
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
  #end = 0;

  start(time: number, busy: number): void {
    this.#end = time + busy;
  }

  timeout(): number {
    return Math.max(this.#end - now(), 0);
  }

  get sleeps(): boolean {
    return true;
  }

  passed(): boolean {
    return this.over();
  }

  over(): boolean {
    return now() >= this.#end;
  }

  stop(): void {}

  close(): void {}
}
