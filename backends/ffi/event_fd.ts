/**
 * Linux's eventfd: a counter that is a descriptor.
 *
 * Source: eventfd(2), `sys/eventfd.h`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { close, read, retrying, WOULD_BLOCK, write } from "./descriptor.ts";
import { libc } from "./libc.ts";
import { checkOptions, type OptionNames } from "./options.ts";

const EFD_SEMAPHORE = 1;

/** The largest count: 2^64 - 2. */
const LARGEST = 0xffff_ffff_ffff_fffen;

/** The options of an `EventFd`. */
export interface EventFdOptions {
  /** The count at the start. Default: 0 */
  readonly initial?: number;
  /** Whether a read takes 1 off the count instead of all of it. Default: false */
  readonly semaphore?: boolean;
}

const OPTIONS: OptionNames<EventFdOptions> = { initial: true, semaphore: true };

/**
 * A counter whose descriptor is ready to read while it is not 0. Other threads, other
 * processes and the kernel (KVM, vhost, AIO) can add to it. Linux alone has it.
 *
 * @example
 * ```ts
 * import { EventFd } from "@pollux/reactor/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   using counter = new EventFd();
 *   counter.write(3);
 *   counter.write(4);
 *   assertEquals(counter.read(), 7n);
 *   assertEquals(counter.read(), null); // register it with a reactor
 * }
 * ```
 */
export class EventFd implements Disposable {
  #fd: number;
  readonly #value = new BigUint64Array(1);

  /**
   * Creates a counter with eventfd(2): non-blocking, close-on-exec.
   *
   * @throws {TypeError} if there is an unknown option
   * @throws {RangeError} if the count is no whole number of 32 bits
   * @throws {Deno.errors.NotSupported} on a system without eventfd
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  constructor(options: EventFdOptions = {}) {
    checkOptions(options, OPTIONS);
    const { initial = 0, semaphore = false } = options;
    if (!Number.isInteger(initial) || initial < 0 || initial > 0xffff_ffff) {
      throw new RangeError(`Cannot start an eventfd with ${initial}`);
    }
    const { eventfd } = libc();
    if (system().os !== "linux" || eventfd === null) {
      throw new Deno.errors.NotSupported(`${system().name} has no eventfd`);
    }
    const { O_NONBLOCK, O_CLOEXEC } = system().constants;
    const flags = O_NONBLOCK | O_CLOEXEC | (semaphore ? EFD_SEMAPHORE : 0);
    this.#fd = retrying("eventfd", () => eventfd(initial, flags));
  }

  /** The descriptor; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Adds to the count.
   *
   * @param value Default: 1
   * @returns false if the sum would be larger than 2^64 - 2: wait until it is writable
   * @throws {RangeError} if the value is no whole number within 0 and 2^64 - 2
   * @throws {Deno.errors.BadResource} if the counter is closed
   */
  write(value: number | bigint = 1): boolean {
    const isNumber = typeof value === "bigint" || Number.isInteger(value);
    if (!isNumber || value < 0 || value > LARGEST) {
      throw new RangeError(`Cannot add ${value} to an eventfd`);
    }
    this.#value[0] = BigInt(value);
    return write(this.#open(), this.#value) !== WOULD_BLOCK;
  }

  /**
   * Takes the count, which is 0 after it; of a semaphore it takes 1.
   *
   * @returns null if the count is 0
   * @throws {Deno.errors.BadResource} if the counter is closed
   */
  read(): bigint | null {
    const count = read(this.#open(), this.#value);
    return count === WOULD_BLOCK ? null : this.#value[0]!;
  }

  #open(): number {
    if (this.#fd !== -1) return this.#fd;
    throw new Deno.errors.BadResource("EventFd is closed");
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
