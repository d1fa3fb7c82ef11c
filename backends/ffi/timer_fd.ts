/**
 * Linux's timerfd: a timer that is a descriptor.
 *
 * A wait with a short timeout sets the machine's clock at every call, which costs up
 * to 7 µs on a virtual machine. A timer that many waits share is set once.
 *
 * Sources: timerfd_create(2), `sys/timerfd.h`, `time.h`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { close, retrying } from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import { LONGEST_WAIT, Timespec } from "./structs/time.ts";

/**
 * The clock of a `TimerFd`. "monotonic" cannot be set and stops while the machine
 * sleeps, "boottime" goes on then, "realtime" is the time of day.
 */
export type TimerFdClock = "monotonic" | "boottime" | "realtime";

const CLOCKS: ReadonlyMap<TimerFdClock, number> = new Map([
  ["realtime", 0],
  ["monotonic", 1],
  ["boottime", 7],
]);

const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;

/** The options of `TimerFd.setAt()`. */
export interface TimerFdOptions {
  /** Milliseconds between further expirations. Default: 0, which is no further one */
  readonly interval?: number;
  /** Report when the clock is set: only for "realtime". Default: false */
  readonly cancelOnSet?: boolean;
}

const OPTIONS: OptionNames<TimerFdOptions> = {
  interval: true,
  cancelOnSet: true,
};

/** The result of `TimerFd.read()`. */
export interface TimerFdEvent {
  /** The number of expirations since the last read. */
  readonly expirations: number;
  /** Whether the clock was set, which cancels a timer with `cancelOnSet`. */
  readonly clockWasSet: boolean;
}

/**
 * A timer whose descriptor is ready to read once it expires. Linux alone has it.
 *
 * @example
 * ```ts
 * import { TimerFd } from "@pollux/reactor/ffi";
 * import { DefaultSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   using timer = new TimerFd();
 *   using selector = new DefaultSelector<string>();
 *   selector.register(timer, EVENT_READ, "timer");
 *   timer.set(5);
 *   selector.select();
 *   assertEquals(timer.read()?.expirations, 1);
 * }
 * ```
 */
export class TimerFd implements Disposable {
  #fd: number;
  readonly #clock: TimerFdClock;
  /** `struct itimerspec`: `struct timespec it_interval, it_value`. */
  readonly #specification = new BigInt64Array(new ArrayBuffer(32));
  readonly #time = new Timespec();

  /**
   * Creates a timer with timerfd_create(2): non-blocking, close-on-exec, not set.
   *
   * @param clock "monotonic", "boottime" or "realtime"
   * @throws {TypeError} if there is no such clock
   * @throws {Deno.errors.NotSupported} on a system without timerfd
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  constructor(clock: TimerFdClock = "monotonic") {
    const number = CLOCKS.get(clock);
    if (number === undefined) {
      throw new TypeError(`Cannot use "${clock}" as the clock of a timer`);
    }
    this.#clock = clock;
    const { timerfd_create } = libc();
    if (system().os !== "linux" || timerfd_create === null) {
      throw new Deno.errors.NotSupported(`${system().name} has no timerfd`);
    }
    const { O_NONBLOCK, O_CLOEXEC } = system().constants;
    const flags = O_NONBLOCK | O_CLOEXEC;
    this.#fd = retrying("timerfd_create", () => timerfd_create(number, flags));
  }

  /** The descriptor; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Sets the timer to a time from now. Until then it is not ready.
   *
   * @param milliseconds 0 disarms it
   * @param interval Milliseconds between further expirations. Default: 0, which is no
   *   further one
   * @throws {RangeError} if one of them is no number within 0 and 24.8 days
   * @throws {Deno.errors.BadResource} if the timer is closed
   */
  set(milliseconds: number, interval: number = 0): void {
    checkTime(milliseconds, LONGEST_WAIT);
    this.#setTime(2, milliseconds);
    this.#start(0, interval);
  }

  /**
   * Sets the timer to a time of its clock. For "realtime" it is the time of day, as
   * of `Date.now()`. A time in the past expires at once.
   *
   * @param time Milliseconds, or a `Date`
   * @throws {RangeError} if it is not positive
   * @throws {TypeError} if there is an unknown option, or `cancelOnSet` for another
   *   clock than "realtime"
   * @throws {Deno.errors.BadResource} if the timer is closed
   */
  setAt(time: number | Date, options: TimerFdOptions = {}): void {
    checkOptions(options, OPTIONS);
    const { interval = 0, cancelOnSet = false } = options;
    if (cancelOnSet && this.#clock !== "realtime") {
      throw new TypeError(`Cannot cancel when ${this.#clock} time is set`);
    }
    const milliseconds = time instanceof Date ? time.getTime() : time;
    checkTime(milliseconds, Number.MAX_SAFE_INTEGER);
    const seconds = Math.floor(milliseconds / 1000);
    const nanoseconds = Math.floor((milliseconds - seconds * 1000) * 1e6);
    this.#specification[2] = BigInt(seconds);
    // 0 would disarm it.
    this.#specification[3] = BigInt(Math.max(nanoseconds, seconds > 0 ? 0 : 1));
    const flags = cancelOnSet ? TFD_TIMER_CANCEL_ON_SET : 0;
    this.#start(TFD_TIMER_ABSTIME | flags, interval);
  }

  #setTime(index: number, milliseconds: number): void {
    this.#time.set(milliseconds);
    this.#specification.set(this.#time.bytes, index);
  }

  #start(flags: number, interval: number): void {
    checkTime(interval, LONGEST_WAIT);
    this.#setTime(0, interval);
    const { timerfd_settime } = libc();
    const result = timerfd_settime!(this.#fd, flags, this.#specification, null);
    if (result < 0) throw systemError("timerfd_settime", -result);
  }

  /**
   * Reads the expirations since the last read, after which the timer is not ready.
   *
   * @returns null if there are none
   * @throws {Deno.errors.BadResource} if the timer is closed
   */
  read(): TimerFdEvent | null {
    const count = new BigUint64Array(1);
    const { EAGAIN, ECANCELED } = system().errno;
    const result = libc().read(this.#fd, count, 8);
    if (result >= 0) {
      return { expirations: Number(count[0]), clockWasSet: false };
    }
    if (-result === EAGAIN) return null;
    if (-result === ECANCELED) return { expirations: 0, clockWasSet: true };
    throw systemError("read", -result);
  }

  /** Closes the descriptor. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    close(fd);
  }

  /** Closes the descriptor at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Creates a timer; null on a system without timerfd. */
export function createTimerFd(): TimerFd | null {
  return system().os === "linux" ? new TimerFd() : null;
}

function checkTime(milliseconds: number, longest: number): void {
  // Of other types null is 0, which would disarm the timer.
  const isNumber = typeof milliseconds === "number";
  if (isNumber && milliseconds >= 0 && milliseconds <= longest) return;
  throw new RangeError(`Cannot set a timer to ${milliseconds} milliseconds`);
}
