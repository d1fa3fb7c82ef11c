/**
 * BSD's select: three bit sets of descriptors below 1024, handed over and
 * overwritten at every call.
 *
 * Some facts about select:
 *
 * - A descriptor of 1024 and more has no bit. In C, setting it writes beside
 *   the set; here it is a `RangeError`.
 * - One closed descriptor fails the whole call with EBADF, and does not say which.
 * - A hang-up shows as readable (and writable), urgent data as exceptional.
 * - Regular files are always ready.
 *
 * Sources: select(2), POSIX.1-2017 `<sys/select.h>`.
 *
 * @module
 */

import { checkTimeout, isPassing, waitFully } from "./deadline.ts";
import { fileDescriptor, type FileObject } from "./ffi/descriptor.ts";
import { systemError } from "./ffi/errors.ts";
import { holding } from "./ffi/parked_call.ts";
import { libc } from "./ffi/libc.ts";
import { FdSet } from "./ffi/structs/fd_set.ts";
import { Timeval } from "./ffi/structs/time.ts";

/** The three sets of one call: what to look at before, what was found after. */
export class SelectSets {
  /** What is to be read. */
  readonly readable: FdSet = new FdSet();
  /** What is to be written. */
  readonly writable: FdSet = new FdSet();
  /** What may have something urgent. */
  readonly exceptional: FdSet = new FdSet();

  /** Takes over what other sets hold. */
  copyFrom(other: SelectSets): void {
    this.readable.copyFrom(other.readable);
    this.writable.copyFrom(other.writable);
    this.exceptional.copyFrom(other.exceptional);
  }

  /** Empties all three, as a call without a find leaves them. */
  clear(): void {
    this.readable.clear();
    this.writable.clear();
    this.exceptional.clear();
  }
}

const timeval = new Timeval();

function timevalOf(timeout: number): Timeval["bytes"] | null {
  if (timeout === Infinity) return null;
  timeval.set(timeout);
  return timeval.bytes;
}

/**
 * `select(nfds, …, timeout)`, once, on sets that it overwrites.
 *
 * @param nfds One more than the largest descriptor in the sets
 * @param timeout Milliseconds; `Infinity` is for ever
 * @returns how many bits are set; -1 if a signal came first, or there was no memory to
 *   wait
 * @throws {SystemError} `Deno.errors.BadResource` if one of them is closed
 */
export function selectOnce(
  sets: SelectSets,
  nfds: number,
  timeout: number,
): number {
  const result = libc().select(
    nfds,
    sets.readable.bytes,
    sets.writable.bytes,
    sets.exceptional.bytes,
    timevalOf(timeout),
  );
  if (result >= 0) return result;
  if (isPassing(-result, timeout)) return -1;
  throw systemError("select", -result);
}

/** As `selectOnce`, on another thread; -1 for every failure, whose number is lost. */
export function selectParked(
  sets: SelectSets,
  nfds: number,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  const { readable, writable, exceptional } = sets;
  const bytes = timevalOf(timeout)?.slice() ?? null;
  const call = libc().selectParked(
    nfds,
    readable.bytes,
    writable.bytes,
    exceptional.bytes,
    bytes,
  );
  return holding(
    referenced,
    call,
    readable.bytes,
    writable.bytes,
    exceptional.bytes,
    bytes,
  );
}

/**
 * Waits until some of the file objects are ready, as Python's `select.select`.
 *
 * @param readable What is to be read
 * @param writable What is to be written
 * @param exceptional What may have something urgent
 * @param timeout Milliseconds; 0 or less looks and returns; for ever if left out
 * @returns of each list those that are ready, as they were given
 * @throws {TypeError} if a file object has no descriptor, or the timeout is not a number
 * @throws {RangeError} if a descriptor is negative or above 1023
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
  set: FdSet,
  list: Iterable<F>,
): { fileobjs: F[]; fds: number[] } {
  const fileobjs = [...list];
  const fds = fileobjs.map(fileDescriptor);
  for (const fd of fds) set.add(fd);
  return { fileobjs, fds };
}
