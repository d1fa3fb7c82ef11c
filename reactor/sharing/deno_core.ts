/**
 * The pending work of Deno's event loop, as far as Deno exposes it.
 *
 * @module
 */

interface DenoCore {
  hasTickScheduled?(): boolean;
  getActiveImmediateCount?(): number;
  eventLoopHasMoreWork?(): boolean;
  runMicrotasks?(): void;
  __processTimers?(now: number): number;
}

const { internal } = Deno as unknown as { internal?: symbol };
const core = internal === undefined
  ? undefined
  : (Deno as unknown as Record<symbol, { core?: DenoCore }>)[internal]?.core;

/**
 * Returns whether callbacks of `process.nextTick` or `setImmediate` are queued. Their
 * queues are not the microtask queue: only a turn of Deno's loop empties them. Only
 * Deno's internals know; without them the answer is false.
 */
export function callsDue(): boolean {
  return core?.hasTickScheduled?.() === true ||
    (core?.getActiveImmediateCount?.() ?? 0) > 0;
}

/**
 * Returns whether Deno's loop has something to do that keeps the process alive: an
 * operation, a timer, a module whose top-level `await` is pending. Only Deno's internals
 * know; without them the answer is true.
 */
export function hasWork(): boolean {
  return core?.eventLoopHasMoreWork?.() ?? true;
}

/**
 * Returns about when Deno's next timer is due, by `now()`, also if it keeps nothing alive:
 * Deno's clock began some milliseconds earlier or later. `Infinity`: there is no timer.
 * Only Deno's internals know; without them the answer is null.
 */
export function nextTimer(): number | null {
  const due = signedTime();
  if (due === undefined) return null;
  return due === 0 ? Infinity : Math.abs(due);
}

/**
 * Returns whether Deno has a timer that keeps the process alive. Only Deno's internals
 * know; without them the answer is true.
 */
export function hasTimers(): boolean {
  const due = signedTime();
  return due === undefined || due > 0;
}

/**
 * Returns when the next timer is due: below zero if none keeps the process alive, 0 if
 * there is none. The call runs timers that were due before the start, so none.
 */
function signedTime(): number | undefined {
  return core?.__processTimers?.(-1);
}

/**
 * Runs microtasks, and those that they queue, until none is left: all promises that are
 * resolved continue. Within a microtask, and without Deno's internals, it does nothing.
 */
export function drainMicrotasks(): void {
  core?.runMicrotasks?.();
}

/** Returns whether microtasks can be run here. */
export function drainsMicrotasks(): boolean {
  let drained = false;
  void Promise.resolve().then(() => drained = true);
  drainMicrotasks();
  return drained;
}
