/**
 * Linux's timerfd: a timer that is a descriptor.
 *
 * A wait with a short timeout sets the machine's clock at every call, which costs up
 * to 7 µs on a virtual machine. A timer that many waits share is set once.
 *
 * Sources: timerfd_create(2), `sys/timerfd.h`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { close, retrying } from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import { Timespec } from "./structs/time.ts";

/** `time.h`: the clock that cannot be set. */
const CLOCK_MONOTONIC = 1;

/** A timer whose descriptor is ready to read once its time is over. */
export class TimerFd {
  /** The descriptor. */
  readonly fd: number;
  /** `struct itimerspec`: `struct timespec it_interval, it_value`. */
  readonly #specification = new BigInt64Array(new ArrayBuffer(32));
  readonly #value = new Timespec();

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Creates a timer; null on a system without timerfd. */
  static create(): TimerFd | null {
    const { timerfd_create } = libc();
    if (timerfd_create === null || system().os !== "linux") return null;
    const { O_NONBLOCK, O_CLOEXEC } = system().constants;
    const fd = retrying(
      "timerfd_create",
      () => timerfd_create(CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC),
    );
    return new TimerFd(fd);
  }

  /**
   * Sets the timer anew: until then it is not ready.
   *
   * @param milliseconds 0 disarms it
   */
  set(milliseconds: number): void {
    this.#value.set(milliseconds);
    this.#specification.set(this.#value.bytes, 2);
    const result = libc().timerfd_settime!(
      this.fd,
      0,
      this.#specification,
      null,
    );
    if (result < 0) throw systemError("timerfd_settime", -result);
  }

  /** Closes the descriptor. */
  close(): void {
    close(this.fd);
  }
}
