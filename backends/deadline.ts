/**
 * Waits that keep their timeout, although signals or a lack of memory interrupt them.
 *
 * @module
 */

import { system } from "./ffi/current_system.ts";

/** The pause after a wait that failed for lack of memory, in milliseconds. */
const REST = 10;

let bell: Int32Array | undefined;

/** Sleeps in a way that needs no memory of the system. */
export function rest(milliseconds: number = REST): void {
  bell ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(bell, 0, 0, milliseconds);
}

/**
 * Whether a failed wait has to be repeated: after a signal, or while the system lacks
 * memory. Linux returns ENOMEM then, others EAGAIN, which has to be treated as EINTR
 * (poll(2), "Notes"; select(2), "Errors"). The next wait may fail as fast, so this
 * function sleeps before it returns.
 *
 * @param timeout The timeout of the wait in milliseconds
 */
export function isTransient(number: number, timeout: number): boolean {
  const { EINTR, ENOMEM, EAGAIN } = system().errno;
  if (number === EINTR) return true;
  if (number !== ENOMEM && number !== EAGAIN) return false;
  if (timeout > 0) rest(Math.min(timeout, REST));
  return true;
}

/** The result of a repeated parked wait; it sleeps first if that failed, too. */
export function restIfFailed(count: number): number {
  if (count < 0) rest();
  return count;
}

/**
 * Returns the milliseconds of a public timeout; `Infinity` for undefined.
 *
 * @throws {TypeError} if it is neither a number nor undefined
 */
export function checkTimeout(timeout: number | undefined): number {
  if (timeout === undefined) return Infinity;
  if (typeof timeout !== "number" || Number.isNaN(timeout)) {
    throw new TypeError(`Cannot wait for ${timeout} milliseconds`);
  }
  return Math.max(timeout, 0);
}

/**
 * Repeats a wait, for the rest of its timeout, until it has a result or the timeout
 * has passed on the monotonic clock.
 *
 * @param timeout Milliseconds; `Infinity` is no timeout
 * @param wait Waits once, and returns a count: 0 or less if it was interrupted
 */
export function waitFully(
  timeout: number,
  wait: (timeout: number) => number,
): number {
  if (timeout === 0) return Math.max(wait(0), 0);
  const deadline = performance.now() + timeout;
  for (let left = timeout;;) {
    const count = wait(left);
    if (count > 0) return count;
    left = deadline - performance.now();
    if (left <= 0) return 0;
  }
}
