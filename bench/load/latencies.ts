/**
 * Collects latencies, and computes percentiles.
 *
 * @module
 */

import * as hdr from "hdr-histogram-js";

/** How many latencies are stored before they are added to the histogram. */
const CAPACITY = 1 << 20;

/** Three percentiles, in microseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Stores a latency by one write to memory. The histogram, which costs 60 ns a value, is
 * filled after the load.
 */
export class Latencies {
  readonly #nanoseconds = new Uint32Array(CAPACITY);
  #count = 0;
  readonly #histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 32,
    numberOfSignificantValueDigits: 3,
  });

  /** Adds a latency in milliseconds. */
  add(milliseconds: number): void {
    if (this.#count === CAPACITY) this.#flush();
    this.#nanoseconds[this.#count++] = milliseconds * 1e6;
  }

  /** Adds all latencies of another collection. */
  addAll(other: Latencies): void {
    this.#flush();
    other.#flush();
    this.#histogram.add(other.#histogram);
  }

  /** Removes all latencies. */
  clear(): void {
    this.#count = 0;
    this.#histogram.reset();
  }

  /** The percentiles, or null without a latency. */
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
