/**
 * The limit of all send queues of a reactor together.
 *
 * @module
 */

/** Counts the queued bytes of connections and datagram sockets. */
export class QueuedBytes {
  /** Queued bytes. */
  bytes = 0;
  /** Memory of the queued bytes: the maximum limits this. */
  #memory = 0;
  readonly #maximum: number;

  /** @throws {RangeError} if the maximum is negative or not a number */
  constructor(maximum: number) {
    if (!(maximum >= 0)) {
      throw new RangeError(`Cannot queue ${maximum} bytes at the most`);
    }
    this.#maximum = maximum;
  }

  /** Adds to both counts, or subtracts from them. */
  count(bytes: number, memory: number): void {
    this.bytes += bytes;
    this.#memory += memory;
  }

  /** Returns the error of data that would have to be queued; null below the maximum. */
  refusal(): RangeError | null {
    if (this.#memory <= this.#maximum) return null;
    return new RangeError(
      `Cannot queue more than ${this.#maximum} bytes in all`,
    );
  }
}
