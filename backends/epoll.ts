/**
 * Linux's epoll: a set of descriptors that the kernel keeps, so that a wait
 * costs as much as is ready and not as much as is watched.
 *
 * Some facts about epoll, which explain the code above it:
 *
 * - A registration belongs to the pair of a number and the open file behind it.
 *   It ends when the *file* is closed, so a copy made by `dup` keeps it alive
 *   after the number is gone, and then it cannot even be deleted: the number
 *   leads to another file, or nowhere.
 * - EPOLLERR and EPOLLHUP are reported whether asked for or not. A file with no
 *   interest left has to be deleted, or its hang-up wakes every wait.
 * - Regular files and directories are refused with EPERM.
 * - EPOLLET reports arrivals, not states: whoever uses it reads until EAGAIN.
 * - With EPOLLEXCLUSIVE a registration cannot be modified, only deleted and made anew.
 * - `struct epoll_event` is packed on x86-64, and only there.
 *
 * Sources: epoll(7), epoll_ctl(2), epoll_wait(2), `linux/eventpoll.h`.
 *
 * @module
 */

import { askedAgain, checkTimeout, isPassing, waitFully } from "./deadline.ts";
import { system } from "./ffi/current_system.ts";
import {
  close,
  fileDescriptor,
  type FileObject,
  retrying,
} from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { holding } from "./ffi/parked_call.ts";
import { libc } from "./ffi/libc.ts";
import { epollEventLayout, EpollEvents } from "./ffi/structs/epoll_event.ts";
import { Timespec, toMilliseconds } from "./ffi/structs/time.ts";

/** There is something to read. */
export const EPOLLIN = 0x001;
/** There is something urgent to read. */
export const EPOLLPRI = 0x002;
/** There is room to write. */
export const EPOLLOUT = 0x004;
/** An error waits; reported unasked. */
export const EPOLLERR = 0x008;
/** The peer is gone; reported unasked. */
export const EPOLLHUP = 0x010;
/** The peer will send no more. */
export const EPOLLRDHUP = 0x2000;
/** Of several epoll instances that watch a file, wake at least one and not all. */
export const EPOLLEXCLUSIVE = 0x1000_0000;
/** Report once, then be silent until modified. */
export const EPOLLONESHOT = 0x4000_0000;
/** Report arrivals instead of states. Bit 31, kept positive. */
export const EPOLLET = 0x8000_0000;

/** `epoll_ctl`: add a descriptor. */
export const EPOLL_CTL_ADD = 1;
/** `epoll_ctl`: remove a descriptor. */
export const EPOLL_CTL_DEL = 2;
/** `epoll_ctl`: change what a descriptor is watched for. */
export const EPOLL_CTL_MOD = 3;

/** The same bit as O_CLOEXEC, as `sys/epoll.h` has it. */
const EPOLL_CLOEXEC = 0x80000;

/** Every bit that `epoll_ctl` takes. */
const KNOWN_EVENTS = 0xf000_3fff;

const FIRST_CAPACITY = 64;

/** Whether `epoll_pwait2` is missing from the kernel although the library has it. */
let pwait2Missing = false;

/**
 * An epoll instance with nothing hidden, as in Python's `select.epoll`.
 *
 * @example
 * ```ts
 * import { Epoll, EPOLLIN } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   using epoll = new Epoll();
 *   const [left, right] = socketPair();
 *   epoll.register(right, EPOLLIN);
 *   left.send(new Uint8Array(1));
 *   assertEquals(epoll.poll(1000), [[right.fd, EPOLLIN]]);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class Epoll implements Disposable {
  #fd: number;
  /** Where the next wait puts what it finds. */
  #events: EpollEvents;
  /** Where the last one has put it: `reserve` may have made more room since. */
  #found: EpollEvents;
  readonly #change: EpollEvents;
  readonly #timespec = new Timespec();

  /**
   * Makes an instance with epoll_create1(2), close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without epoll
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  constructor() {
    const layout = epollEventLayout(system());
    const { epoll_create1 } = libc();
    if (layout === null || epoll_create1 === null) {
      throw new Deno.errors.NotSupported(`${system().name} has no epoll`);
    }
    this.#events = new EpollEvents(layout, FIRST_CAPACITY);
    this.#found = this.#events;
    this.#change = new EpollEvents(layout, 1);
    this.#fd = retrying("epoll_create1", () => epoll_create1(EPOLL_CLOEXEC));
  }

  /** The instance's own descriptor, which can be watched itself; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** What the last wait has found. */
  get events(): EpollEvents {
    return this.#found;
  }

  /**
   * Adds a descriptor.
   *
   * @param events EPOLL* bits
   * @throws {RangeError} if a bit is unknown
   * @throws {SystemError} `Deno.errors.AlreadyExists`, `Deno.errors.BadResource`,
   *   `Deno.errors.PermissionDenied` for a regular file, `ENOSPC` at the system's limit
   */
  register(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.control(EPOLL_CTL_ADD, fileDescriptor(fileobj), events, 0);
  }

  /**
   * Changes what a descriptor is watched for.
   *
   * @throws {RangeError} if a bit is unknown
   * @throws {SystemError} `Deno.errors.NotFound`, `Deno.errors.BadResource`
   */
  modify(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.control(EPOLL_CTL_MOD, fileDescriptor(fileobj), events, 0);
  }

  /**
   * Removes a descriptor.
   *
   * @throws {SystemError} `Deno.errors.NotFound`, `Deno.errors.BadResource`
   */
  unregister(fileobj: FileObject): void {
    this.control(EPOLL_CTL_DEL, fileDescriptor(fileobj), 0, 0);
  }

  /**
   * Waits, and returns descriptors with their EPOLL* bits.
   *
   * @param timeout Milliseconds; 0 or less looks and returns; for ever if left out
   * @param maximum How many to return at the most
   * @throws {TypeError} if the timeout is not a number
   * @throws {RangeError} if the maximum is not a whole number above 0
   * @throws {Deno.errors.BadResource} if the instance is closed
   */
  poll(
    timeout?: number,
    maximum: number = FIRST_CAPACITY,
  ): [fd: number, events: number][] {
    if (!Number.isInteger(maximum) || maximum <= 0) {
      throw new RangeError(`Cannot return ${maximum} events`);
    }
    this.reserve(maximum);
    const count = waitFully(
      checkTimeout(timeout),
      (left) => this.wait(left, maximum),
    );
    return Array.from(
      { length: count },
      (_, i) => [this.#found.fd(i), this.#found.events(i)],
    );
  }

  /** Closes the instance. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    close(fd);
  }

  /** Closes the instance at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Makes room for as many events in one wait. */
  reserve(capacity: number): void {
    if (capacity <= this.#events.capacity) return;
    this.#events = new EpollEvents(
      epollEventLayout(system())!,
      Math.max(capacity, this.#events.capacity * 2),
    );
  }

  /**
   * `epoll_ctl`, with 32 bits beside the descriptor that come back with each event.
   *
   * @throws {SystemError} as the call fails
   */
  control(
    operation: number,
    fd: number,
    events: number,
    generation: number,
  ): void {
    const number = this.tryControl(operation, fd, events, generation);
    if (number !== 0) throw systemError("epoll_ctl", number, `fd ${fd}`);
  }

  /** As `control`, but returns the error number, 0 for none. */
  tryControl(
    operation: number,
    fd: number,
    events: number,
    generation: number,
  ): number {
    this.#change.set(0, events, fd, generation);
    const epoll = this.#checkOpen();
    const { bytes } = this.#change;
    const result = libc().epoll_ctl!(epoll, operation, fd, bytes);
    return result < 0 ? -result : 0;
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
    const events = this.#events;
    this.#found = events;
    const maximum = Math.min(most, events.capacity);
    const count = timeout > 0 && timeout < 1
      ? this.#waitBriefly(timeout, maximum)
      : libc().epoll_wait!(
        this.#fd,
        events.bytes,
        maximum,
        toMilliseconds(timeout),
      );
    return count >= 0 ? count : this.#interrupted(-count, timeout);
  }

  /**
   * As `wait`, on another thread. It cannot be cancelled, and its error number
   * is that thread's: if it fails, the same is asked again here.
   */
  async waitParked(
    timeout: number,
    referenced: boolean,
  ): Promise<number> {
    const events = this.#events;
    const call = libc().epoll_waitParked!(
      this.#checkOpen(),
      events.bytes,
      events.capacity,
      toMilliseconds(timeout),
    );
    const count = await holding(referenced, call, events.bytes);
    this.#found = events;
    if (count >= 0) return count;
    return this.#fd === -1 ? 0 : askedAgain(this.wait(0));
  }

  /**
   * Puts a new instance in the place of this one, under the same number. The
   * registrations are gone with the old one, also those that nobody could delete;
   * gone, too, is that of the number with another epoll instance.
   *
   * @param refill Registers with the new one what is to stay, if anything; false calls it
   *   off
   * @returns false if nothing has changed: by `refill`, or for want of a descriptor
   */
  renew(refill: () => boolean = () => true): boolean {
    const { epoll_create1, dup3 } = libc();
    const old = this.#checkOpen();
    const fresh = epoll_create1!(EPOLL_CLOEXEC);
    if (fresh < 0) return false;
    this.#fd = fresh;
    try {
      return refill() && dup3!(fresh, old, EPOLL_CLOEXEC) >= 0;
    } finally {
      this.#fd = old;
      close(fresh);
    }
  }

  /** A wait of less than a millisecond, where the kernel (5.11) has one; -errno if it fails. */
  #waitBriefly(timeout: number, maximum: number): number {
    const { epoll_pwait2, epoll_wait } = libc();
    const { bytes } = this.#events;
    if (epoll_pwait2 !== null && !pwait2Missing) {
      this.#timespec.set(timeout);
      const count = epoll_pwait2(
        this.#fd,
        bytes,
        maximum,
        this.#timespec.bytes,
        null,
      );
      if (count >= 0 || -count !== system().errno.ENOSYS) return count;
      pwait2Missing = true;
    }
    return epoll_wait!(this.#fd, bytes, maximum, 1);
  }

  #interrupted(number: number, timeout: number): number {
    this.#checkOpen();
    if (isPassing(number, timeout)) return -1;
    throw systemError("epoll_wait", number);
  }

  #checkOpen(): number {
    if (this.#fd === -1) throw new Deno.errors.BadResource("Epoll is closed");
    return this.#fd;
  }
}

function checkEvents(events: number): void {
  // `EPOLLIN | EPOLLET` is negative: an "or" has a sign, and EPOLLET is its bit.
  const is32Bits = events === events >> 0 || events === events >>> 0;
  if (!is32Bits || (events & ~KNOWN_EVENTS) !== 0) {
    throw new RangeError(`Cannot wait for the epoll events ${events}`);
  }
}
