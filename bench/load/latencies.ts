/**
 * The latency of each message, with its percentiles.
 *
 * @module
 */

import * as hdr from "hdr-histogram-js";

/** How many latencies are kept before they go into the histogram. */
const CAPACITY = 1 << 20;

/** Three percentiles, in microseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Takes a latency with one store into memory: the histogram costs 60 ns a
 * value, and gets them when the load is over.
 */
export class Latencies {
  readonly #nanoseconds = new Uint32Array(CAPACITY);
  #count = 0;
  readonly #histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 32,
    numberOfSignificantValueDigits: 3,
  });

  /** Adds one, in milliseconds. */
  add(milliseconds: number): void {
    if (this.#count === CAPACITY) this.#flush();
    this.#nanoseconds[this.#count++] = milliseconds * 1e6;
  }

  /** Adds all of another's. */
  addAll(other: Latencies): void {
    this.#flush();
    other.#flush();
    this.#histogram.add(other.#histogram);
  }

  /** Forgets all. */
  clear(): void {
    this.#count = 0;
    this.#histogram.reset();
  }

  /** What they come to; null if there are none. */
  percentiles(): Percentiles | null {
    this.#flush();
    if (this.#histogram.totalCount === 0) return null;
    const microseconds = (percentile: number): number =>
      this.#histogram.getValueAtPercentile(percentile) / 1000;
    return {
      p50: microseconds(50),
      p99: microseconds(99),
      p999: microseconds(99.9),
    };
  }

  #flush(): void {
    for (let i = 0; i < this.#count; i++) {
      this.#histogram.recordValue(this.#nanoseconds[i]!);
    }
    this.#count = 0;
  }
}
