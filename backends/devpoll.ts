/**
 * The /dev/poll of Solaris and illumos: a file to which interest is written as
 * `struct pollfd`, and which an `ioctl` waits on.
 *
 * Some facts about /dev/poll:
 *
 * - Writing a descriptor that is there adds to its events; to take some away it
 *   is removed first, with POLLREMOVE, and written anew.
 * - A closed descriptor has to be removed too: the file keeps the number, and
 *   reports POLLNVAL for it at every call.
 * - A descriptor that is not open when it is written is kept, never reported, and
 *   cannot be removed: what was asked for it stays for the number's next owner.
 * - A wait that is under way notices what is written.
 *
 * It has run against a stand-in that speaks this protocol byte for byte, never
 * yet on illumos itself.
 *
 * Sources: poll(7D) of illumos, `<sys/devpoll.h>`, `uts/common/io/devpoll.c`.
 *
 * @module
 */

import { askedAgain, checkTimeout, isPassing, waitFully } from "./deadline.ts";
import { system } from "./ffi/current_system.ts";
import {
  close,
  fileDescriptor,
  type FileObject,
  openFile,
} from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { addressOf, libc } from "./ffi/libc.ts";
import { holding } from "./ffi/parked_call.ts";
import { devPollConstants, DvPoll } from "./ffi/structs/dvpoll.ts";
import { PollFds } from "./ffi/structs/pollfd.ts";
import { toMilliseconds } from "./ffi/structs/time.ts";

const FIRST_CAPACITY = 64;

/** The system calls that /dev/poll is made of: those of the C library, or a stand-in's. */
export interface DevPollCalls {
  /** POLLREMOVE of this system. */
  readonly POLLREMOVE: number;
  /** Opens `/dev/poll`. */
  open(): number;
  /** write(2): returns how many bytes were taken, or -errno. */
  write(fd: number, bytes: Uint8Array<ArrayBuffer>): number;
  /** `ioctl(fd, DP_POLL, struct dvpoll *)`: returns how many structs it filled, or -errno. */
  poll(fd: number, dvpoll: Uint8Array<ArrayBuffer>): number;
  /** The same on another thread; -1 for every error, whose number stays there. */
  pollParked(fd: number, dvpoll: Uint8Array<ArrayBuffer>): Promise<number>;
  /** close(2). */
  close(fd: number): void;
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

/**
 * A `/dev/poll` file with nothing hidden, as in Python's `select.devpoll`.
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
  readonly #calls: DevPollCalls;
  readonly #change = new PollFds(2);
  readonly #dvpoll = new DvPoll();
  /** Where the next wait puts what it finds. */
  #fds = new PollFds(FIRST_CAPACITY);
  /** Where the last one has put it: `reserve` may have made more room since. */
  #found = this.#fds;
  #fd: number;

  /**
   * Opens `/dev/poll`, close-on-exec.
   *
   * @param calls What to call; the system, if left out
   * @throws {Deno.errors.NotSupported} on a system without it
   * @throws {SystemError} if there are no descriptors left: `EMFILE`
   */
  constructor(calls: DevPollCalls = systemCalls()) {
    this.#calls = calls;
    this.#fd = calls.open();
  }

  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  get fd(): number {
    return this.#fd;
  }

  /** What the last wait has found. */
  get fds(): PollFds {
    return this.#found;
  }

  /**
   * Adds events to what a descriptor is polled for.
   *
   * @param events POLL* bits
   * @throws {RangeError} if the events do not fit 16 bits
   * @throws {SystemError} if the write fails
   */
  register(fileobj: FileObject, events: number): void {
    checkEvents(events);
    this.#change.set(0, fileDescriptor(fileobj), events);
    this.#write(1);
  }

  /**
   * Replaces what a descriptor is polled for.
   *
   * @param events POLL* bits
   * @throws as `register`
   */
  modify(fileobj: FileObject, events: number): void {
    checkEvents(events);
    const fd = fileDescriptor(fileobj);
    this.#change.set(0, fd, this.#calls.POLLREMOVE);
    this.#change.set(1, fd, events);
    this.#write(2);
  }

  /**
   * Removes a descriptor.
   *
   * @throws {SystemError} if the write fails
   */
  unregister(fileobj: FileObject): void {
    this.#change.set(0, fileDescriptor(fileobj), this.#calls.POLLREMOVE);
    this.#write(1);
  }

  /**
   * Waits, and returns descriptors with their POLL* bits.
   *
   * @param timeout Milliseconds; 0 or less looks and returns; for ever if left out
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.BadResource} if the file is closed
   */
  poll(timeout?: number): [fd: number, events: number][] {
    const count = waitFully(checkTimeout(timeout), (left) => this.wait(left));
    return Array.from(
      { length: count },
      (_, i) => [this.#found.fd(i), this.#found.returned(i)],
    );
  }

  /** Closes the file. Closing again does nothing. */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#calls.close(fd);
  }

  /** Closes the file at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Makes room for as many events in one wait. */
  reserve(capacity: number): void {
    if (capacity <= this.#fds.capacity) return;
    this.#fds = new PollFds(Math.max(capacity, this.#fds.capacity * 2));
  }

  /**
   * Waits once, and leaves what it found in `fds`.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @returns how many; -1 if a signal came first, or there was no memory to wait
   */
  wait(timeout: number): number {
    this.#found = this.#fds;
    const count = this.#calls.poll(this.#checkOpen(), this.#request(timeout));
    if (count >= 0) return count;
    if (isPassing(-count, timeout)) return -1;
    throw systemError("ioctl", -count, "DP_POLL");
  }

  /** As `wait`, on another thread; if it fails, the same is asked again here. */
  async waitParked(
    timeout: number,
    referenced: boolean,
  ): Promise<number> {
    const fds = this.#fds;
    const request = this.#request(timeout).slice();
    const call = this.#calls.pollParked(this.#checkOpen(), request);
    const count = await holding(referenced, call, request, fds.bytes);
    this.#found = fds;
    if (count >= 0) return count;
    return this.#fd === -1 ? 0 : askedAgain(this.wait(0));
  }

  /** `struct dvpoll`: where the answer goes, how much fits, and how long to wait. */
  #request(timeout: number): Uint8Array<ArrayBuffer> {
    this.#dvpoll.set(
      addressOf(this.#fds.bytes),
      this.#fds.capacity,
      toMilliseconds(timeout),
    );
    return this.#dvpoll.bytes;
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

function checkEvents(events: number): void {
  if (!Number.isInteger(events) || events < 0 || events > 0xffff) {
    throw new RangeError(`Cannot poll for the events ${events}`);
  }
}
