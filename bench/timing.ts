/**
 * Measures how long a short piece of code takes.
 *
 * @module
 */

/** How many batches there are. The shortest counts, since disturbances only add to it. */
const BATCHES = 15;

/** How long a batch takes, about, in milliseconds. */
const BATCH_MS = 20;

/**
 * Nanoseconds for one of the calls that `loop` makes.
 *
 * @param loop Makes a number of calls at one call site. Its result keeps V8 from
 *   removing them
 */
export function nanosecondsPerCall(loop: (calls: number) => unknown): number {
  const calls = calibrate(loop);
  const batches = Array.from({ length: BATCHES }, () => time(loop, calls));
  return Math.min(...batches) / calls * 1e6;
}

/** Runs until V8 has compiled it, and returns how many calls make a batch. */
function calibrate(loop: (calls: number) => unknown): number {
  for (let calls = 16;; calls *= 2) {
    const milliseconds = time(loop, calls);
    if (milliseconds >= BATCH_MS) return calls;
  }
}

function time(loop: (calls: number) => unknown, calls: number): number {
  const start = performance.now();
  loop(calls);
  return performance.now() - start;
}
