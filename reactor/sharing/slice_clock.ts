/**
 * Times the slices in which a busy reactor has the thread.
 *
 * @module
 */

import { isSystemError } from "../../backends/ffi/errors.ts";
import { createTimerFd, type TimerFd } from "../../backends/ffi/timer_fd.ts";
import { now } from "../clock.ts";
import type { InternalWatches } from "./shared_loop.ts";

/** Events between two readings of the clock, which costs 90 ns. */
const MANY = 16;

/** Limits of the timer, in milliseconds: 0 would disarm it. */
const SHORTEST = 0.01;
const LONGEST = 0x7fff_ffff;

/** Times a slice: when it ends, and how long the waits in it may be. */
export interface SliceClock {
  /**
   * Begins a slice.
   *
   * @param time Its start, by `now()`
   * @param busy Its length in milliseconds while each wait finds events
   * @param calm Its length after the first wait that finds none
   * @param lead How much earlier an event may end it then: a sleep less
   */
  start(time: number, busy: number, calm: number, lead: number): void;
  /** Returns the longest next wait, in milliseconds. */
  timeout(): number;
  /** Whether the next wait may sleep. */
  readonly sleeps: boolean;
  /** Returns whether the slice is over, by a reading of the clock. */
  passed(): boolean;
  /**
   * Returns whether the slice is over.
   *
   * @param ready How many file objects the last wait found ready
   */
  over(ready: number): boolean;
  /**
   * Ends the slice, and has the loop's selector ready after a while.
   *
   * @param milliseconds `Infinity`: never
   * @returns false if the clock cannot: it has no descriptor
   */
  wakeAfter(milliseconds: number): boolean;
  /** Frees the clock. */
  close(): void;
}

/**
 * Creates the clock of this system: a timerfd on Linux, else timeouts. Timeouts also
 * replace a timerfd that the system refuses to create or to watch.
 */
export function createSliceClock(watches: InternalWatches): SliceClock {
  try {
    const timer = createTimerFd();
    if (timer !== null) return new TimerFdClock(watches, timer);
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
  return new TimeoutClock();
}

/**
 * Reads the clock at every sixteenth event while each wait finds events. The first wait
 * that finds none arms a watched timerfd, so that later waits may sleep. Arming costs
 * two exits of a virtual machine, 2 % of a slice. The timerfd is never read: setting it
 * again clears its readiness.
 */
class TimerFdClock implements SliceClock {
  readonly fd: number;
  readonly #watches: InternalWatches;
  readonly #timer: TimerFd;
  #end = 0;
  #calmEnd = 0;
  #lead = 0;
  #over = false;
  /** Whether the timer is set, so that waits may sleep. */
  #armed = false;
  /** Whether the last slice ended in a wait that slept. */
  #calm = false;
  /** Events since the last reading of the clock. */
  #eventsSinceReading = 0;

  constructor(watches: InternalWatches, timer: TimerFd) {
    this.#watches = watches;
    this.#timer = timer;
    this.fd = timer.fd;
    try {
      watches.watch(this, () => this.#over = true);
    } catch (error) {
      timer.close();
      throw error;
    }
  }

  start(time: number, busy: number, calm: number, lead: number): void {
    this.#over = false;
    this.#eventsSinceReading = 0;
    this.#end = time + busy;
    this.#calmEnd = time + calm;
    this.#lead = lead;
    // A pause is likely to follow a pause: this saves a wait, and a setting.
    if (this.#calm) this.#set(time);
    else this.#disarm();
    this.#calm = false;
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
      // A wait that the system refused does not report the timer.
      if (!this.#armed) this.#set(now());
      else if (now() >= this.#end) this.#over = true;
    } else if (this.#armed && this.#lead > 0) {
      if (now() >= this.#end - this.#lead) this.#over = true;
    } else if ((this.#eventsSinceReading += ready) >= MANY) {
      // The timer may be behind many ready descriptors.
      this.#eventsSinceReading = 0;
      if (now() >= this.#end) this.#over = true;
    }
    // Alone, the timer or an event has ended a sleep.
    this.#calm = this.#over && ready === 1;
    return this.#over;
  }

  /** Arms the timer for the end of a slice with a pause. */
  #set(time: number): void {
    this.#end = this.#calmEnd;
    this.#arm(this.#end - time);
  }

  #arm(milliseconds: number): void {
    this.#armed = true;
    this.#timer.set(Math.min(Math.max(milliseconds, SHORTEST), LONGEST));
  }

  wakeAfter(milliseconds: number): boolean {
    this.#calm = false;
    const end = now() + milliseconds;
    // A timer that is set expires early, once, which costs less than to set it again.
    const waits = this.#armed && !this.#over && this.#end <= end;
    if (milliseconds === Infinity) this.#disarm();
    else if (!waits) {
      this.#end = end;
      this.#over = false;
      this.#arm(milliseconds);
    }
    return true;
  }

  #disarm(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.#timer.set(0);
  }

  close(): void {
    this.#watches.unwatch(this);
    this.#timer.close();
  }
}

/** Limits each wait to the rest of the slice. */
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

  wakeAfter(): boolean {
    return false;
  }

  close(): void {}
}
