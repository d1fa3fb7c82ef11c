/**
 * Counts of a loop, and the time of its callbacks.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../backends/ffi/options.ts";

/**
 * The answer of `reactor.stats()`. Times are in milliseconds.
 *
 * @example Find the callback that delays all others
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const slow: string[] = [];
 * using reactor = new Reactor({
 *   measure: { slow: 5, onSlow: ({ name }) => slow.push(name) },
 * });
 * reactor.callSoon(function compress() {
 *   const start = performance.now();
 *   while (performance.now() - start < 6);
 * });
 * reactor.run();
 * assertEquals(slow, ["compress"]);
 * assert(reactor.stats().longestCallback >= 5);
 * ```
 */
export interface ReactorStatistics {
  /** How often the loop has waited and called back. */
  readonly turns: number;
  /** How many events of ready file objects it has dispatched. */
  readonly events: number;
  /** `events` by `turns`: how many events a wait finds. */
  readonly readyPerWait: number;
  /** Time spent in callbacks; 0 without `measure`. */
  readonly callbackTime: number;
  /** The longest callback; 0 without `measure`. */
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

/** A callback that delayed the loop. */
export interface SlowCallback {
  /** The name of the function; "(anonymous)" if it has none. */
  readonly name: string;
  /** How long it took. */
  readonly milliseconds: number;
}

/** Measures every callback, which costs two readings of the clock each. */
export interface Measurement {
  /** Milliseconds from which a callback counts as slow. Default: none is slow. */
  readonly slow?: number;
  /** Called with each slow callback. */
  readonly onSlow?: (callback: SlowCallback) => void;
}

const MEASUREMENT: OptionNames<Measurement> = { slow: true, onSlow: true };

/** Measures callbacks. */
export class Stopwatch {
  /** Milliseconds of all callbacks. */
  total = 0;
  /** Milliseconds of the longest one. */
  longest = 0;
  readonly #slow: number;
  readonly #onSlow: ((callback: SlowCallback) => void) | undefined;

  /** Creates one if `measure` asks for it; else returns null. */
  static create(measure: Measurement | boolean): Stopwatch | null {
    if (measure === false) return null;
    return new Stopwatch(measure === true ? {} : measure);
  }

  constructor(options: Measurement) {
    checkOptions(options, MEASUREMENT);
    const { slow = Infinity, onSlow } = options;
    this.#slow = slow;
    this.#onSlow = onSlow;
  }

  /** Adds one callback. */
  note(name: string, milliseconds: number): void {
    this.total += milliseconds;
    this.longest = Math.max(this.longest, milliseconds);
    if (milliseconds >= this.#slow) {
      this.#onSlow?.({ name: name || "(anonymous)", milliseconds });
    }
  }
}
