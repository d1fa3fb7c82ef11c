/**
 * Waits that signals interrupt, and that last as long as they were asked to.
 *
 * @module
 */

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
