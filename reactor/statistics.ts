/**
 * What a loop has done so far, and how long its callbacks took.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../backends/options.ts";

/** What `reactor.stats()` returns. Times are in milliseconds. */
export interface ReactorStatistics {
  /** How often the loop has waited and dispatched. */
  readonly turns: number;
  /** How many callbacks it made for ready file objects. */
  readonly events: number;
  /** `events` by `turns`: how much one wait finds. */
  readonly readyPerWait: number;
  /** Time spent in callbacks; 0 unless `measure` was asked for. */
  readonly callbackTime: number;
  /** The longest callback; 0 unless `measure` was asked for. */
  readonly longestCallback: number;
  /** How many timers are to be called. */
  readonly timers: number;
  /** How many file objects are registered. */
  readonly registered: number;
  /** Bytes that connections have queued because their peers do not read. */
  readonly bytesQueued: number;
  /** How often accepting was suspended for want of descriptors. */
  readonly acceptBackOffs: number;
}

/** A callback that held the loop up. */
export interface SlowCallback {
  /** The name of the function; "(anonymous)" if it has none. */
  readonly name: string;
  /** How long it took. */
  readonly milliseconds: number;
}

/** What to measure: every callback's time, at the price of two clock readings each. */
export interface Measurement {
  /** Milliseconds above which a callback counts as slow; never, if left out. */
  readonly slow?: number;
  /** Told of each slow callback. */
  readonly onSlow?: (callback: SlowCallback) => void;
}

const MEASUREMENT: OptionNames<Measurement> = { slow: true, onSlow: true };

/** Takes the time of callbacks. */
export class Stopwatch {
  /** The time of all callbacks. */
  total = 0;
  /** The time of the longest. */
  longest = 0;
  readonly #slow: number;
  readonly #onSlow: ((callback: SlowCallback) => void) | undefined;

  constructor(options: Measurement) {
    checkOptions(options, MEASUREMENT);
    const { slow = Infinity, onSlow } = options;
    this.#slow = slow;
    this.#onSlow = onSlow;
  }

  /** Notes what one callback took. */
  note(name: string, milliseconds: number): void {
    this.total += milliseconds;
    this.longest = Math.max(this.longest, milliseconds);
    if (milliseconds >= this.#slow) {
      this.#onSlow?.({ name: name || "(anonymous)", milliseconds });
    }
  }
}
