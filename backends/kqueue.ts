/**
 * The kqueue of macOS and the BSDs: a list of filters that the kernel keeps,
 * changed and waited for by one call.
 *
 * Some facts about kqueue:
 *
 * - Reading and writing are two filters of one descriptor, reported apart.
 * - A filter ends when its descriptor is closed, and says nothing.
 * - `EV_EOF` comes with the data that is left, and with the socket's error in `fflags`.
 * - `data` is how much waits: bytes to read, room to write, connections to accept.
 * - A change that fails on its own is the call's error when no room is left to
 *   report it as an event, which is how changes are made here.
 * - A kqueue is not inherited by a forked child.
 *
 * It has run on Linux, on libkqueue, and not yet on a kernel that has it.
 *
 * Sources: kqueue(2) of FreeBSD 14 and macOS 14, `<sys/event.h>`.
 *
 * @module
 */

import { askedAgain, checkTimeout, isPassing, waitFully } from "./deadline.ts";
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

export type { Kevent, KqueueConstants };

const FIRST_CAPACITY = 64;

/** How a `Kqueue` is made. */
export interface KqueueOptions {
  /** The path of a libkqueue, for a system without a kqueue of its own. */
  readonly library?: string;
}

/** A change that is asked for: a `Kevent` of which what is left out is 0. */
export type KeventChange =
  & Pick<Kevent, "ident" | "filter" | "flags">
  & Partial<Kevent>;

/**
 * A kernel event queue with nothing hidden, as in Python's `select.kqueue`.
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
  /** EVFILT_*, EV_* and NOTE_* of this system. */
  readonly constants: KqueueConstants;
  readonly #library: KqueueLibrary;
  readonly #change: Kevents;
  readonly #timespec = new Timespec();
  #fd: number;
  /** Where the next wait puts what it finds. */
  #events: Kevents;
  /** Where the last one has put it: `reserve` may have made more room since. */
  #found: Kevents;

  /**
   * Makes a queue with kqueue(2), close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without kqueue
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  constructor(options: KqueueOptions = {}) {
    this.#library = openKqueueLibrary(options.library);
    this.constants = this.#library.constants;
    this.#events = new Kevents(this.#library.layout, FIRST_CAPACITY);
    this.#found = this.#events;
    this.#change = new Kevents(this.#library.layout, 1);
    this.#fd = this.#library.functions.kqueue();
    if (this.#fd < 0) throw systemError("kqueue", -this.#fd);
    setCloseOnExec(this.#fd);
  }

  /** The queue's own descriptor, which can be watched itself; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** What the last wait has found. */
  get events(): Kevents {
    return this.#found;
  }

  /**
   * Makes changes, waits, and returns events, as kevent(2) does.
   *
   * @param changes What to add, delete, enable or disable
   * @param maximum How many events to return at the most; with 0 it does not wait
   * @param timeout Milliseconds; 0 or less looks and returns; for ever if left out
   * @throws {TypeError} if the timeout is not a number
   * @throws {RangeError} if the maximum is not a whole number from 0
   * @throws {SystemError} if a change is refused; those before it have been made
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
    for (const { ident, filter, flags, ...rest } of changes) {
      const { fflags = 0, data = 0, udata = 0 } = rest;
      this.change(ident, filter, flags, udata, fflags, data);
    }
    if (maximum === 0) return [];
    this.reserve(maximum);
    const count = waitFully(milliseconds, (left) => this.wait(left, maximum));
    return Array.from({ length: count }, (_, i) => this.#found.get(i));
  }

  /** Closes the queue. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    close(fd);
  }

  /** Closes the queue at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
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

  /** As `change`, but returns the error number, 0 for none. */
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
    // A signal ends the wait of a call, not the change: that has been made.
    return -result === system().errno.EINTR ? 0 : -result;
  }

  /**
   * Waits once, and leaves what it found in `events`.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @param most How many at the most, as far as there is room: the others stay for
   *   the next wait
   * @returns how many; -1 if a signal came first, or there was no memory to wait
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
    if (isPassing(-count, timeout)) return -1;
    throw systemError("kevent", -count);
  }

  /** As `wait`, on another thread; if it fails, the same is asked again here. */
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
    return this.#fd === -1 ? 0 : askedAgain(this.wait(0));
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
