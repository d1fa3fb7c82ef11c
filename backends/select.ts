/**
 * BSD's select: three bit sets of descriptors below 1024, passed to and overwritten
 * by every call.
 *
 * Some facts about select, which explain the code above it:
 *
 * - A descriptor of 1024 and more has no bit. In C, setting it writes outside of the
 *   set; here it is a `RangeError`.
 * - One closed descriptor fails the whole call with EBADF, which does not say which.
 * - A hang-up is readable (and writable), urgent data is exceptional.
 * - Regular files are always ready.
 * - Winsock's has arrays of sockets instead of bits, and no limit: `select_call.ts`.
 *
 * Sources: select(2), POSIX.1-2017 `<sys/select.h>`.
 *
 * @module
 */

import { checkTimeout, isTransient, waitFully } from "./deadline.ts";
import { fileDescriptor, type FileObject } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import {
  callSelect,
  type DescriptorSet,
  descriptorSet,
} from "./ffi/select_call.ts";

/** The three sets of a call: the interest before, the result after. */
export class SelectSets {
  /** The descriptors to read from. */
  readonly readable: DescriptorSet = descriptorSet();
  /** The descriptors to write to. */
  readonly writable: DescriptorSet = descriptorSet();
  /** The descriptors that may have urgent data. */
  readonly exceptional: DescriptorSet = descriptorSet();

  /** Copies other sets. */
  copyFrom(other: SelectSets): void {
    this.readable.copyFrom(other.readable);
    this.writable.copyFrom(other.writable);
    this.exceptional.copyFrom(other.exceptional);
  }

  /** Empties all three, as a call without a result leaves them. */
  clear(): void {
    this.readable.clear();
    this.writable.clear();
    this.exceptional.clear();
  }
}

/**
 * Calls `select(nfds, …, timeout)` once, on sets that it overwrites.
 *
 * @param nfds One more than the largest descriptor in the sets
 * @param timeout Milliseconds; `Infinity` is no timeout
 * @returns the number of bits that are set; -1 after a signal, or without memory for the
 *   wait
 * @throws {SystemError} `Deno.errors.BadResource` if one of them is closed
 */
export function selectOnce(
  sets: SelectSets,
  nfds: number,
  timeout: number,
): number {
  const result = callSelect(nfds, sets, timeout);
  if (result >= 0) return result;
  if (isTransient(-result, timeout)) return -1;
  throw systemError("select", -result);
}

/**
 * Python's `select.select`: waits until some of the file objects are ready.
 *
 * @param readable The file objects to read from
 * @param writable The file objects to write to
 * @param exceptional The file objects that may have urgent data
 * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
 * @returns the ready file objects of each list
 * @throws {TypeError} if a file object has no descriptor, or the timeout is not a number
 * @throws {RangeError} if a descriptor is negative or, except on Windows, above 1023
 * @throws {SystemError} `Deno.errors.BadResource` if one of them is closed
 *
 * @example
 * ```ts
 * import { select } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [left, right] = socketPair();
 * assertEquals(select([left], [right], [], 0), [[], [right], []]);
 * left.close();
 * right.close();
 * ```
 */
export function select<
  R extends FileObject,
  W extends FileObject,
  X extends FileObject,
>(
  readable: Iterable<R>,
  writable: Iterable<W>,
  exceptional: Iterable<X>,
  timeout?: number,
): [R[], W[], X[]] {
  const asked = new SelectSets();
  const found = new SelectSets();
  const readers = fill(asked.readable, readable);
  const writers = fill(asked.writable, writable);
  const others = fill(asked.exceptional, exceptional);
  const largest = Math.max(-1, ...readers.fds, ...writers.fds, ...others.fds);
  const count = waitFully(checkTimeout(timeout), (left) => {
    found.copyFrom(asked);
    return selectOnce(found, largest + 1, left);
  });
  if (count === 0) found.clear();
  return [
    readers.fileobjs.filter((_, i) => found.readable.has(readers.fds[i]!)),
    writers.fileobjs.filter((_, i) => found.writable.has(writers.fds[i]!)),
    others.fileobjs.filter((_, i) => found.exceptional.has(others.fds[i]!)),
  ];
}

function fill<F extends FileObject>(
  set: DescriptorSet,
  list: Iterable<F>,
): { fileobjs: F[]; fds: number[] } {
  const fileobjs = [...list];
  const fds = fileobjs.map(fileDescriptor);
  for (const fd of fds) set.add(fd);
  return { fileobjs, fds };
}
