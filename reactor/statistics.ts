/**
 * Counts of a loop, and the time of its callbacks.
 *
 * @module
 */

import type { Dispatcher } from "./dispatcher.ts";

/**
 * The answer of `reactor.stats()`. Times are in milliseconds.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * reactor.callLater(1, () => {});
 * assertEquals(reactor.stats().timers, 1);
 * reactor.run();
 * assertEquals(reactor.stats().timers, 0);
 * ```
 */
export interface ReactorStatistics {
  /** How often the loop has waited and called back. */
  readonly turns: number;
  /** How many events of ready file objects it has dispatched. */
  readonly events: number;
  /** `events` by `turns`: how many events a wait finds. */
  readonly readyPerWait: number;
  /** Time spent in callbacks; 0 without `diagnose()`. */
  readonly callbackTime: number;
  /** The longest callback; 0 without `diagnose()`. */
  readonly longestCallback: number;
  /** How many timers are active. */
  readonly timers: number;
  /** How many file objects are registered. */
  readonly registered: number;
  /** Bytes that connections and datagram sockets have queued to send. */
  readonly bytesQueued: number;
  /** How often accepting was suspended because no descriptor was free. */
  readonly acceptBackOffs: number;
}

/** Adds the counts of the dispatcher to those of the loop. */
export function statisticsOf(
  { events, observer }: Dispatcher,
  counts: Pick<
    ReactorStatistics,
    "turns" | "timers" | "registered" | "bytesQueued" | "acceptBackOffs"
  >,
): ReactorStatistics {
  return {
    ...counts,
    events,
    readyPerWait: counts.turns === 0 ? 0 : events / counts.turns,
    callbackTime: observer?.callbackTime ?? 0,
    longestCallback: observer?.longestCallback ?? 0,
  };
}
