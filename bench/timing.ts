/**
 * What a short piece of code costs.
 *
 * @module
 */

/** How many batches there are. What disturbs a batch only adds to it: the shortest counts. */
const BATCHES = 15;

/** How long a batch takes, about, in milliseconds. */
const BATCH_MS = 20;

/**
 * Nanoseconds for one of the calls that `loop` makes.
 *
 * @param loop Makes so many calls: the loop is part of it, so that V8 sees one place.
 *   What it returns keeps V8 from leaving the calls out
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
