/**
 * The clock of timers and deadlines.
 *
 * @module
 */

/** Reads the monotonic clock, in milliseconds: setting the time of day does not move it. */
export function now(): number {
  return performance.now();
}
