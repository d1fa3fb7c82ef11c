/**
 * Linux's epoll: a set of descriptors that the kernel keeps. A wait costs as much
 * as is ready, not as much as is watched.
 *
 * Some facts about epoll, which explain the code above it:
 *
 * - A registration belongs to a descriptor and the open file behind it. It ends
 *   when the *file* is closed. A duplicate keeps it alive after its descriptor is
 *   closed, and then it cannot even be deleted: the number leads to another file,
 *   or nowhere.
 * - EPOLLERR and EPOLLHUP are always reported. Delete a file without interest, or
 *   its hang-up ends every wait.
 * - Regular files and directories are refused with EPERM.
 * - EPOLLET reports changes, not states: read until EAGAIN.
 * - With EPOLLEXCLUSIVE a registration cannot be modified, only deleted and added
 *   again.
 * - `struct epoll_event` is packed on x86-64, and only there.
 *
 * `EpollInstance` is the system's interface for `EpollSelector`, `Epoll` is
 * Python's for programs.
 *
 * Sources: epoll(7), epoll_ctl(2), epoll_wait(2), `linux/eventpoll.h`.
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

/** Readable. */
export const EPOLLIN = 0x001;
/** Urgent data. */
export const EPOLLPRI = 0x002;
/** Writable. */
export const EPOLLOUT = 0x004;
/** An error is pending; always reported. */
export const EPOLLERR = 0x008;
/** Hang-up; always reported. */
export const EPOLLHUP = 0x010;
/** The peer has half-closed the connection. */
export const EPOLLRDHUP = 0x2000;
/** Wakes at least one of the epoll instances that watch a file, rather than all. */
export const EPOLLEXCLUSIVE = 0x1000_0000;
/** Reports one event, then none until `modify()`. */
export const EPOLLONESHOT = 0x4000_0000;
/** Edge-triggered: reports only new readiness. Bit 31, kept positive. */
export const EPOLLET = 0x8000_0000;

/** `epoll_ctl`: adds a descriptor. */
export const EPOLL_CTL_ADD = 1;
/** `epoll_ctl`: removes a descriptor. */
export const EPOLL_CTL_DEL = 2;
/** `epoll_ctl`: changes the events of a descriptor. */
export const EPOLL_CTL_MOD = 3;

/** The same bit as O_CLOEXEC, as `sys/epoll.h` has it. */
const EPOLL_CLOEXEC = 0x80000;

/** Every bit that `epoll_ctl` accepts. */
const KNOWN_EVENTS = 0xf000_3fff;

const FIRST_CAPACITY = 64;

/** Whether the kernel lacks `epoll_pwait2` although the library has it. */
let pwait2Missing = false;

/** An epoll instance, with the calls and buffers of a selector. */
export class EpollInstance implements Disposable {
  #fd: number;
  /** The buffer of the next wait. */
  #events: EpollEvents;
  /** The buffer of the last wait: `reserve` may have replaced it since. */
  #found: EpollEvents;
  readonly #change: EpollEvents;
  readonly #timespec = new Timespec();

  /**
   * Creates an instance with epoll_create1(2), close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without epoll
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
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

  /** The instance's own descriptor, which can itself be watched; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** The events of the last wait. */
  get events(): EpollEvents {
    return this.#found;
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
   * Calls `epoll_ctl`. The 32 bits of `generation` come back with each event.
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

  /** Calls `epoll_ctl`, and returns the error number, 0 for none. */
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
   * Waits once, and leaves the result in `events`.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @param most Stop at this many, as far as there is room; the next wait finds the
   *   others
   * @returns the number of events; -1 after a signal, or without memory for the wait
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
   * As `wait`, on another thread. It cannot be cancelled. Its error number belongs to
   * that thread, so that a failed call is repeated here.
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
    return this.#fd === -1 ? 0 : restIfFailed(this.wait(0));
  }

  /**
   * Puts a new instance in the place of this one, under the same number. All
   * registrations end with the old one, including those that cannot be deleted. An
   * epoll instance that watches this number loses that registration.
   *
   * @param refill Adds the registrations of the new instance; false cancels. Default:
   *   none
   * @returns false if nothing has changed: after `refill`, or without a free descriptor
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

  /** Closes the instance. A second call does nothing. */
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

  /** Waits less than a millisecond, if the kernel (5.11) can; -errno if it fails. */
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
    if (isTransient(number, timeout)) return -1;
    throw systemError("epoll_wait", number);
  }

  #checkOpen(): number {
    if (this.#fd === -1) throw new Deno.errors.BadResource("Epoll is closed");
    return this.#fd;
  }
}

/**
 * Python's `select.epoll`: an epoll instance with the system's own events.
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
  readonly #instance: EpollInstance;

  /**
   * Creates an instance with epoll_create1(2), close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without epoll
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor() {
    this.#instance = new EpollInstance();
  }

  /** The instance's own descriptor, which can itself be watched; -1 after `close()`. */
  get fd(): number {
    return this.#instance.fd;
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
    this.#instance.control(EPOLL_CTL_ADD, fileDescriptor(fileobj), events, 0);
  }

  /**
   * Changes the events of a descriptor.
   *
   * @param events EPOLL* bits
   * @throws {RangeError} if a bit is unknown
   * @throws {SystemError} `Deno.errors.NotFound`, `Deno.errors.BadResource`
   */
  modify(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.#instance.control(EPOLL_CTL_MOD, fileDescriptor(fileobj), events, 0);
  }

  /**
   * Removes a descriptor.
   *
   * @throws {SystemError} `Deno.errors.NotFound`, `Deno.errors.BadResource`
   */
  unregister(fileobj: FileObject): void {
    this.#instance.control(EPOLL_CTL_DEL, fileDescriptor(fileobj), 0, 0);
  }

  /**
   * Waits, and returns descriptors with their EPOLL* bits.
   *
   * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
   * @param maximum The most events to return. Default: 64
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
    const instance = this.#instance;
    instance.reserve(maximum);
    const count = waitFully(
      checkTimeout(timeout),
      (left) => instance.wait(left, maximum),
    );
    const { events } = instance;
    return Array.from(
      { length: count },
      (_, index) => [events.fd(index), events.events(index)],
    );
  }

  /** Closes the instance. A second call does nothing. */
  close(): void {
    this.#instance.close();
  }

  /** Closes the instance at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkEvents(events: number): void {
  // `EPOLLIN | EPOLLET` is negative: an "or" has a sign, and EPOLLET is its bit.
  const is32Bits = events === events >> 0 || events === events >>> 0;
  if (!is32Bits || (events & ~KNOWN_EVENTS) !== 0) {
    throw new RangeError(`Cannot wait for the epoll events ${events}`);
  }
}
