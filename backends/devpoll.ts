/**
 * The /dev/poll of Solaris and illumos: a file to which interest is written as
 * `struct pollfd`, and on which an `ioctl` waits.
 *
 * Some facts about /dev/poll, which explain the code above it:
 *
 * - Writing a descriptor that is there adds events. To take events away, remove
 *   the descriptor with POLLREMOVE and write it again.
 * - A closed descriptor has to be removed, too: the file keeps the number, and
 *   reports POLLNVAL for it at every call.
 * - A descriptor that is not open when it is written is kept, never reported, and
 *   cannot be removed. Its events apply to the next file with that number.
 * - A wait that is under way notices later writes.
 *
 * It has run against a stand-in that speaks this protocol byte for byte, but not
 * yet on illumos.
 *
 * `DevPollInstance` is the system's interface for `DevpollSelector`, `DevPoll` is
 * Python's for programs.
 *
 * Sources: poll(7D) of illumos, `<sys/devpoll.h>`, `uts/common/io/devpoll.c`.
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
import { close, fileDescriptor, type FileObject } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { addressOf, libc } from "./ffi/libc.ts";
import { openFile } from "./ffi/open_path.ts";
import { holding } from "./ffi/parked_call.ts";
import { devPollConstants, DvPoll } from "./ffi/structs/dvpoll.ts";
import { PollFds, posixPollfd } from "./ffi/structs/pollfd.ts";
import { toMilliseconds } from "./ffi/structs/time.ts";

const FIRST_CAPACITY = 64;

/** The system calls that /dev/poll consists of: those of the C library, or of a stand-in. */
export interface DevPollCalls {
  /** POLLREMOVE of this system. */
  readonly POLLREMOVE: number;
  /** Opens `/dev/poll`. */
  open(): number;
  /** write(2): returns the number of bytes written, or -errno. */
  write(fd: number, bytes: Uint8Array<ArrayBuffer>): number;
  /** `ioctl(fd, DP_POLL, struct dvpoll *)`: returns the number of structs filled, or -errno. */
  poll(fd: number, dvpoll: Uint8Array<ArrayBuffer>): number;
  /** The same on another thread; -1 for every error, whose number stays there. */
  pollParked(fd: number, dvpoll: Uint8Array<ArrayBuffer>): Promise<number>;
  /** close(2). */
  close(fd: number): void;
}

let standIn: DevPollCalls | undefined;

/**
 * Runs a function whose new instances use other calls than the system's, so that a
 * test runs on any system.
 */
export function withDevPollCalls<T>(calls: DevPollCalls, create: () => T): T {
  const before = standIn;
  standIn = calls;
  try {
    return create();
  } finally {
    standIn = before;
  }
}

/** The calls of this system's C library. */
function systemCalls(): DevPollCalls {
  const constants = devPollConstants(system());
  if (constants === null) {
    throw new Deno.errors.NotSupported(`${system().name} has no /dev/poll`);
  }
  const { DP_POLL, POLLREMOVE } = constants;
  return {
    POLLREMOVE,
    open: () => openFile("/dev/poll", "r+"),
    write: (fd, bytes) => libc().write(fd, bytes, bytes.byteLength),
    poll: (fd, dvpoll) => libc().ioctl!(fd, DP_POLL, dvpoll),
    pollParked: (fd, dvpoll) => libc().ioctlParked!(fd, DP_POLL, dvpoll),
    close,
  };
}

/** An open `/dev/poll`, with the calls and buffers of a selector. */
export class DevPollInstance {
  readonly #calls: DevPollCalls = standIn ?? systemCalls();
  readonly #change = new PollFds(2, posixPollfd);
  readonly #request = new DvPoll();
  /** The buffer of the next wait. */
  #fds = new PollFds(FIRST_CAPACITY, posixPollfd);
  /** The buffer of the last wait: `reserve` may have replaced it since. */
  #found = this.#fds;
  #fd: number;

  /**
   * Opens `/dev/poll`, close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor() {
    this.#fd = this.#calls.open();
    this.#request.setBuffer(addressOf(this.#fds.bytes), this.#fds.capacity);
  }

  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** The structs of the last wait. */
  get fds(): PollFds {
    return this.#found;
  }

  /** Makes room for as many events in one wait. */
  reserve(capacity: number): void {
    if (capacity <= this.#fds.capacity) return;
    const room = Math.max(capacity, this.#fds.capacity * 2);
    this.#fds = new PollFds(room, posixPollfd);
    this.#request.setBuffer(addressOf(this.#fds.bytes), this.#fds.capacity);
  }

  /** Adds POLL* bits to the events of a descriptor. */
  add(fd: number, events: number): void {
    this.#change.set(0, fd, events);
    this.#write(1);
  }

  /** Replaces the events of a descriptor. */
  replace(fd: number, events: number): void {
    this.#change.set(0, fd, this.#calls.POLLREMOVE);
    this.#change.set(1, fd, events);
    this.#write(2);
  }

  /** Removes a descriptor. */
  remove(fd: number): void {
    this.#change.set(0, fd, this.#calls.POLLREMOVE);
    this.#write(1);
  }

  /**
   * Waits once, and leaves the result in `fds`.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @returns the number of structs; -1 after a signal, or without memory for the wait
   */
  wait(timeout: number): number {
    this.#found = this.#fds;
    const fd = this.#checkOpen();
    const count = this.#calls.poll(fd, this.#requestOf(timeout));
    if (count >= 0) return count;
    if (isTransient(-count, timeout)) return -1;
    throw systemError("ioctl", -count, "DP_POLL");
  }

  /** As `wait`, on another thread. A failed call is repeated here, for its error number. */
  async waitParked(
    timeout: number,
    referenced: boolean,
  ): Promise<number> {
    const fds = this.#fds;
    const request = this.#requestOf(timeout).slice();
    const call = this.#calls.pollParked(this.#checkOpen(), request);
    const count = await holding(referenced, call, request, fds.bytes);
    this.#found = fds;
    if (count >= 0) return count;
    return this.#fd === -1 ? 0 : restIfFailed(this.wait(0));
  }

  /** Closes the file. A second call does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#calls.close(fd);
  }

  #requestOf(timeout: number): Uint8Array<ArrayBuffer> {
    this.#request.setTimeout(toMilliseconds(timeout));
    return this.#request.bytes;
  }

  #write(count: number): void {
    const bytes = new Uint8Array(this.#change.bytes, 0, count * 8);
    const result = this.#calls.write(this.#checkOpen(), bytes);
    if (result < 0) throw systemError("write", -result, "/dev/poll");
  }

  #checkOpen(): number {
    if (this.#fd === -1) throw new Deno.errors.BadResource("DevPoll is closed");
    return this.#fd;
  }
}

/**
 * Python's `select.devpoll`: an open `/dev/poll` with the system's own events.
 *
 * @example
 * ```ts
 * import { DevPoll, POLLIN } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (["illumos", "solaris"].includes(Deno.build.os)) {
 *   using devPoll = new DevPoll();
 *   const [left, right] = socketPair();
 *   devPoll.register(right, POLLIN);
 *   left.send(new Uint8Array(1));
 *   assertEquals(devPoll.poll(1000), [[right.fd, POLLIN]]);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export class DevPoll implements Disposable {
  readonly #instance: DevPollInstance;

  /**
   * Opens `/dev/poll`, close-on-exec.
   *
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor() {
    this.#instance = new DevPollInstance();
  }

  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  get fd(): number {
    return this.#instance.fd;
  }

  /**
   * Adds a descriptor, or events to it.
   *
   * @param events POLL* bits
   * @throws {RangeError} if the events do not fit 16 bits
   * @throws {SystemError} if the write fails
   */
  register(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.#instance.add(fileDescriptor(fileobj), events);
  }

  /**
   * Replaces the events of a descriptor.
   *
   * @param events POLL* bits
   * @throws as `register`
   */
  modify(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.#instance.replace(fileDescriptor(fileobj), events);
  }

  /**
   * Removes a descriptor.
   *
   * @throws {SystemError} if the write fails
   */
  unregister(fileobj: FileObject): void {
    this.#instance.remove(fileDescriptor(fileobj));
  }

  /**
   * Waits, and returns descriptors with their POLL* bits, up to 64.
   *
   * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.BadResource} if the file is closed
   */
  poll(timeout?: number): [fd: number, events: number][] {
    const instance = this.#instance;
    const count = waitFully(
      checkTimeout(timeout),
      (left) => instance.wait(left),
    );
    const { fds } = instance;
    return Array.from(
      { length: count },
      (_, index) => [fds.fd(index), fds.returned(index)],
    );
  }

  /** Closes the file. A second call does nothing. */
  close(): void {
    this.#instance.close();
  }

  /** Closes the file at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkEvents(events: number): void {
  if (!Number.isInteger(events) || events < 0 || events > 0xffff) {
    throw new RangeError(`Cannot poll for the events ${events}`);
  }
}
