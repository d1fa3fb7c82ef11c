/**
 * The kqueue of macOS and the BSDs: a list of filters that the kernel keeps,
 * changed and waited for by one call.
 *
 * Some facts about kqueue, which explain the code above it:
 *
 * - Reading and writing are two filters of one descriptor, reported separately.
 * - A filter ends without an event when its descriptor is closed.
 * - `EV_EOF` comes with the data that is left, and the socket's error in `fflags`.
 * - `data` is a count: bytes to read, room to write, connections to accept.
 * - A failed change is an error of the call if there is no room to report it as an
 *   event. Changes are made that way here.
 * - A forked child does not inherit a kqueue.
 *
 * It has run on Linux, on libkqueue, but not yet on a kernel that has it.
 *
 * `KqueueInstance` is the system's interface for `KqueueSelector`, `Kqueue` is
 * Python's for programs.
 *
 * Sources: kqueue(2) of FreeBSD 14 and macOS 14, `<sys/event.h>`.
 *
 * @module
 */

import {
  checkTimeout,
  isTransient,
  restIfFailed,
  waitFully,
} from "./deadline.ts";
import { system } from "./ffi/current_system.ts";
import { close, setCloseOnExec } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import {
  type KqueueConstants,
  type KqueueLibrary,
  openKqueueLibrary,
} from "./ffi/kqueue_library.ts";
import { holding } from "./ffi/parked_call.ts";
import { type Kevent, Kevents } from "./ffi/structs/kevent.ts";
import { Timespec } from "./ffi/structs/time.ts";
import { checkOptions } from "./ffi/options.ts";

export type { Kevent, KqueueConstants };

const FIRST_CAPACITY = 64;

/** The options of a `Kqueue`. */
export interface KqueueOptions {
  /** The path of a libkqueue, on a system without a kqueue of its own. Default: none */
  readonly library?: string;
}

/** A change to make: a `Kevent`. Omitted fields are 0. */
export type KeventChange =
  & Pick<Kevent, "ident" | "filter" | "flags">
  & Partial<Kevent>;

/** A kernel event queue, with the calls and buffers of a selector. */
export class KqueueInstance {
  /** EVFILT_*, EV_* and NOTE_* of this system. */
  readonly constants: KqueueConstants;
  readonly #library: KqueueLibrary;
  readonly #change: Kevents;
  readonly #timespec = new Timespec();
  #fd: number;
  /** The buffer of the next wait. */
  #events: Kevents;
  /** The buffer of the last wait: `reserve` may have replaced it since. */
  #found: Kevents;

  /**
   * Creates a queue with kqueue(2), close-on-exec.
   *
   * @throws {TypeError} if an option is unknown
   * @throws {Deno.errors.NotSupported} on a system without kqueue
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor(options: KqueueOptions = {}) {
    checkOptions(options, { library: true });
    this.#library = openKqueueLibrary(options.library);
    this.constants = this.#library.constants;
    this.#events = new Kevents(this.#library.layout, FIRST_CAPACITY);
    this.#found = this.#events;
    this.#change = new Kevents(this.#library.layout, 1);
    this.#fd = this.#library.functions.kqueue();
    if (this.#fd < 0) throw systemError("kqueue", -this.#fd);
    setCloseOnExec(this.#fd);
  }

  /** The queue's own descriptor, which can itself be watched; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** The events of the last wait. */
  get events(): Kevents {
    return this.#found;
  }

  /** Makes room for as many events in one wait. */
  reserve(capacity: number): void {
    if (capacity <= this.#events.capacity) return;
    const size = Math.max(capacity, this.#events.capacity * 2);
    this.#events = new Kevents(this.#library.layout, size);
  }

  /**
   * Makes one change.
   *
   * @throws {SystemError} if it is refused
   */
  change(
    ident: number,
    filter: number,
    flags: number,
    udata: number,
    fflags: number = 0,
    data: number = 0,
  ): void {
    const number = this.tryChange(ident, filter, flags, udata, fflags, data);
    if (number !== 0) throw systemError("kevent", number, `fd ${ident}`);
  }

  /** Makes one change, and returns the error number, 0 for none. */
  tryChange(
    ident: number,
    filter: number,
    flags: number,
    udata: number,
    fflags: number = 0,
    data: number = 0,
  ): number {
    const change = this.#change;
    change.set(0, ident, filter, flags, fflags, data, udata);
    this.#timespec.set(0);
    const result = this.#library.functions.kevent(
      this.#checkOpen(),
      change.bytes,
      1,
      null,
      0,
      this.#timespec.bytes,
    );
    if (result >= 0) return 0;
    // A signal interrupts the wait of a call, after the change was made.
    return -result === system().errno.EINTR ? 0 : -result;
  }

  /**
   * Waits once, and leaves the result in `events`.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @param most Stop at this many, as far as there is room; the next wait finds the
   *   others
   * @returns the number of events; -1 after a signal, or without memory for the wait
   */
  wait(timeout: number, most: number = Infinity): number {
    this.#found = this.#events;
    const maximum = Math.min(most, this.#found.capacity);
    const count = this.#library.functions.kevent(
      this.#checkOpen(),
      null,
      0,
      this.#found.bytes,
      maximum,
      this.#timespecOf(timeout),
    );
    if (count >= 0) return count;
    if (isTransient(-count, timeout)) return -1;
    throw systemError("kevent", -count);
  }

  /** As `wait`, on another thread. A failed call is repeated here, for its error number. */
  async waitParked(
    timeout: number,
    referenced: boolean,
  ): Promise<number> {
    const events = this.#events;
    const timespec = this.#timespecOf(timeout)?.slice() ?? null;
    const call = this.#library.functions.keventParked(
      this.#checkOpen(),
      null,
      0,
      events.bytes,
      events.capacity,
      timespec,
    );
    const count = await holding(referenced, call, events.bytes, timespec);
    this.#found = events;
    if (count >= 0) return count;
    return this.#fd === -1 ? 0 : restIfFailed(this.wait(0));
  }

  /** Closes the queue. A second call does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    close(fd);
  }

  #timespecOf(timeout: number): Timespec["bytes"] | null {
    if (timeout === Infinity) return null;
    this.#timespec.set(timeout);
    return this.#timespec.bytes;
  }

  #checkOpen(): number {
    if (this.#fd === -1) throw new Deno.errors.BadResource("Kqueue is closed");
    return this.#fd;
  }
}

/**
 * Python's `select.kqueue`: a kernel event queue with the system's own filters and
 * flags.
 *
 * @example
 * ```ts
 * import { Kqueue } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "darwin") {
 *   using kqueue = new Kqueue();
 *   const { EVFILT_READ, EV_ADD } = kqueue.constants;
 *   const [left, right] = socketPair();
 *   left.send(new Uint8Array(3));
 *   const change = { ident: right.fd, filter: EVFILT_READ, flags: EV_ADD };
 *   const [event] = kqueue.control([change], 8, 1000);
 *   assertEquals(event?.data, 3);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class Kqueue implements Disposable {
  readonly #instance: KqueueInstance;

  /**
   * Creates a queue with kqueue(2), close-on-exec.
   *
   * @throws {TypeError} if an option is unknown
   * @throws {Deno.errors.NotSupported} on a system without kqueue
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor(options: KqueueOptions = {}) {
    this.#instance = new KqueueInstance(options);
  }

  /** EVFILT_*, EV_* and NOTE_* of this system. */
  get constants(): KqueueConstants {
    return this.#instance.constants;
  }

  /** The queue's own descriptor, which can itself be watched; -1 after `close()`. */
  get fd(): number {
    return this.#instance.fd;
  }

  /**
   * Makes changes, waits, and returns events, as kevent(2) does.
   *
   * @param changes The filters to add, delete, enable or disable
   * @param maximum The most events to return; with 0 it does not wait. Default: 0
   * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
   * @throws {TypeError} if the timeout is not a number
   * @throws {RangeError} if the maximum is not a whole number from 0
   * @throws {SystemError} if a change is refused, after those before it were made
   * @throws {Deno.errors.BadResource} if the queue is closed
   */
  control(
    changes: Iterable<KeventChange>,
    maximum: number = 0,
    timeout?: number,
  ): Kevent[] {
    if (!Number.isInteger(maximum) || maximum < 0) {
      throw new RangeError(`Cannot return ${maximum} events`);
    }
    const milliseconds = checkTimeout(timeout);
    const instance = this.#instance;
    for (const { ident, filter, flags, ...rest } of changes) {
      const { fflags = 0, data = 0, udata = 0 } = rest;
      instance.change(ident, filter, flags, udata, fflags, data);
    }
    if (maximum === 0) return [];
    instance.reserve(maximum);
    const count = waitFully(
      milliseconds,
      (left) => instance.wait(left, maximum),
    );
    const { events } = instance;
    return Array.from({ length: count }, (_, index) => events.get(index));
  }

  /** Closes the queue. A second call does nothing. */
  close(): void {
    this.#instance.close();
  }

  /** Closes the queue at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }
}
