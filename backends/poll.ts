/**
 * POSIX's poll: an array of descriptors that is passed to every call, so that a
 * wait costs as much as is watched.
 *
 * Some facts about poll, which explain the code above it:
 *
 * - POLLERR, POLLHUP and POLLNVAL are always reported.
 * - POLLNVAL means that a number is not open. Remove the descriptor: otherwise the
 *   next call returns at once, too.
 * - The end of a pipe may come as POLLHUP alone, without POLLIN.
 * - Regular files are always ready.
 * - On macOS terminals and devices are refused with POLLNVAL.
 *
 * Sources: poll(2), POSIX.1-2017 `<poll.h>`.
 *
 * @module
 */

import {
  checkTimeout,
  isTransient,
  restIfFailed,
  waitFully,
} from "./deadline.ts";
import { fileDescriptor, type FileObject } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { callPoll, callPollParked } from "./ffi/poll_call.ts";
import { PollFds } from "./ffi/structs/pollfd.ts";

// <poll.h>. All except the last are the same on every system that Deno runs on.

/** Readable. */
export const POLLIN = 0x001;
/** Urgent data. */
export const POLLPRI = 0x002;
/** Writable. */
export const POLLOUT = 0x004;
/** An error is pending; always reported. */
export const POLLERR = 0x008;
/** Hang-up; always reported. */
export const POLLHUP = 0x010;
/** The number is not open; always reported. */
export const POLLNVAL = 0x020;
/** The peer has half-closed the connection; Linux only. */
export const POLLRDHUP = 0x2000;

/**
 * Calls `poll(fds, count, timeout)` once.
 *
 * @param timeout Milliseconds; `Infinity` is no timeout
 * @returns the number of structs with returned events; -1 after a signal, or without
 *   memory for the wait
 */
export function pollOnce(
  fds: PollFds,
  count: number,
  timeout: number,
): number {
  const result = callPoll(fds, count, timeout);
  if (result >= 0) return result;
  if (isTransient(-result, timeout)) return -1;
  throw systemError("poll", -result);
}

/**
 * As `pollOnce`, on another thread. The structs must not change during the call: the
 * kernel writes to them by index. The error number of that thread cannot be read, so
 * that a failed call is repeated here.
 */
export async function pollParked(
  fds: PollFds,
  count: number,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  const result = await callPollParked(fds, count, timeout, referenced);
  return result >= 0 ? result : restIfFailed(pollOnce(fds, count, 0));
}

/**
 * Python's `select.poll`: a set of descriptors with the system's own events.
 *
 * @example
 * ```ts
 * import { Poll, POLLIN } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const poll = new Poll();
 * const [left, right] = socketPair();
 * poll.register(right, POLLIN);
 * left.send(new Uint8Array(1));
 * assertEquals(poll.poll(1000), [[right.fd, POLLIN]]);
 * left.close();
 * right.close();
 * ```
 */
export class Poll {
  readonly #fds = new PollFds();
  readonly #slots = new Map<number, number>();
  #polling = false;

  /**
   * Adds a descriptor, or changes its events. If it is not open, the next `poll()`
   * returns it with `POLLNVAL`.
   *
   * @param events POLL* bits. Default: `POLLIN | POLLPRI | POLLOUT`
   * @throws {TypeError} if the file object has no descriptor
   * @throws {RangeError} if the descriptor is negative, or the events do not fit 16 bits
   */
  register(
    fileobj: FileObject,
    events: number = POLLIN | POLLPRI | POLLOUT,
  ): void {
    const fd = fileDescriptor(fileobj);
    checkEvents(events);
    const slot = this.#slots.get(fd) ?? this.#slots.size;
    this.#fds.reserve(slot + 1);
    this.#fds.set(slot, fd, events);
    this.#slots.set(fd, slot);
  }

  /**
   * Changes the events of a descriptor.
   *
   * @param events POLL* bits
   * @throws {RangeError} if the events do not fit 16 bits
   * @throws {Deno.errors.NotFound} if it is not registered
   */
  modify(fileobj: FileObject, events: number): void {
    const fd = fileDescriptor(fileobj);
    checkEvents(events);
    this.#fds.set(this.#slot(fd), fd, events);
  }

  /**
   * Removes a descriptor.
   *
   * @throws {Deno.errors.NotFound} if it is not registered
   */
  unregister(fileobj: FileObject): void {
    const fd = fileDescriptor(fileobj);
    const slot = this.#slot(fd);
    const last = this.#slots.size - 1;
    this.#fds.move(last, slot);
    this.#slots.set(this.#fds.fd(slot), slot);
    this.#slots.delete(fd);
  }

  /**
   * Waits, and returns descriptors with their POLL* bits.
   *
   * @param timeout Milliseconds. Negative is no timeout, as in C and Python. Default: no
   *   timeout
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.Busy} if a call of it is under way
   */
  poll(timeout?: number): [fd: number, events: number][] {
    const milliseconds = timeout !== undefined && timeout < 0
      ? Infinity
      : checkTimeout(timeout);
    if (this.#polling) throw new Deno.errors.Busy("Poll is polling already");
    this.#polling = true;
    try {
      const count = waitFully(
        milliseconds,
        (left) => pollOnce(this.#fds, this.#slots.size, left),
      );
      return count === 0 ? [] : this.#found();
    } finally {
      this.#polling = false;
    }
  }

  #found(): [fd: number, events: number][] {
    const found: [number, number][] = [];
    for (let slot = 0; slot < this.#slots.size; slot++) {
      const events = this.#fds.returned(slot);
      if (events !== 0) found.push([this.#fds.fd(slot), events]);
    }
    return found;
  }

  #slot(fd: number): number {
    const slot = this.#slots.get(fd);
    if (slot === undefined) {
      throw new Deno.errors.NotFound(`File object ${fd} is not registered`);
    }
    return slot;
  }
}

function checkEvents(events: number): void {
  if (!Number.isInteger(events) || events < 0 || events > 0xffff) {
    throw new RangeError(`Cannot poll for the events ${events}`);
  }
}
