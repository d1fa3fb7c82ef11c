/**
 * Waits that signals interrupt, or a want of memory, and that last as long as they
 * were asked to.
 *
 * @module
 */

import { system } from "./ffi/current_system.ts";

/** How long a wait for which there was no memory is left alone, in milliseconds. */
const REST = 10;

let bell: Int32Array | undefined;

/** Sleeps a moment, in a way that asks the system for no memory. */
export function rest(milliseconds: number = REST): void {
  bell ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(bell, 0, 0, milliseconds);
}

/**
 * Whether a wait that has failed is to be made again: a signal came first, or the
 * system has no memory for it at the moment. Linux says ENOMEM then, others EAGAIN,
 * which is to be treated as EINTR (poll(2), "Notes"; select(2), "Errors"). Since the
 * next wait may fail as fast, it comes a moment later.
 *
 * @param timeout How long the wait was to last at most, in milliseconds
 */
export function isPassing(number: number, timeout: number): boolean {
  const { EINTR, ENOMEM, EAGAIN } = system().errno;
  if (number === EINTR) return true;
  if (number !== ENOMEM && number !== EAGAIN) return false;
  if (timeout > 0) rest(Math.min(timeout, REST));
  return true;
}

/** The result of a parked wait that was asked again here: as above, if that failed, too. */
export function askedAgain(count: number): number {
  if (count < 0) rest();
  return count;
}

/**
 * The milliseconds of a timeout that a user gave.
 *
 * @throws {TypeError} if it is neither a number nor left out
 */
export function checkTimeout(timeout: number | undefined): number {
  if (timeout === undefined) return Infinity;
  if (typeof timeout !== "number" || Number.isNaN(timeout)) {
    throw new TypeError(`Cannot wait for ${timeout} milliseconds`);
  }
  return Math.max(timeout, 0);
}

/**
 * Waits again, for the time that is left, until something is there or the time
 * is over by the monotonic clock.
 *
 * @param timeout Milliseconds; `Infinity` is for ever
 * @param wait Waits once, and returns what there is: 0 or less if it was interrupted
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
