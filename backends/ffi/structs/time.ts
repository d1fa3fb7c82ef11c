/**
 * `struct timespec` and `struct timeval`: how long a call may wait.
 *
 * @module
 */

/** Milliseconds in the largest wait that any call is asked for: 24.8 days, C's `int`. */
export const LONGEST_WAIT = 0x7fff_ffff;

/**
 * The timeout of `poll` and `epoll_wait`: whole milliseconds, rounded up so
 * that no wait ends early; 0 looks and returns, -1 is for ever.
 *
 * @param timeout Milliseconds; `Infinity` is for ever
 */
export function toMilliseconds(timeout: number): number {
  if (timeout <= 0) return 0;
  if (timeout === Infinity) return -1;
  return timeout < LONGEST_WAIT ? Math.ceil(timeout) : LONGEST_WAIT;
}

/** `struct timespec`: `time_t` seconds and `long` nanoseconds, 64 bits each. */
export class Timespec {
  /** The struct's bytes, for the call that reads them. */
  readonly bytes: BigInt64Array<ArrayBuffer> = new BigInt64Array(
    new ArrayBuffer(16),
  );

  /** Sets it to milliseconds, rounded up to a nanosecond. */
  set(timeout: number): void {
    const limited = Math.min(Math.max(timeout, 0), LONGEST_WAIT);
    let seconds = Math.floor(limited / 1000);
    let nanoseconds = Math.ceil((limited - seconds * 1000) * 1e6);
    if (nanoseconds === 1_000_000_000) {
      seconds += 1;
      nanoseconds = 0;
    }
    this.bytes[0] = BigInt(seconds);
    this.bytes[1] = BigInt(nanoseconds);
  }
}

/** `struct timeval`: `time_t` seconds and `suseconds_t` microseconds. */
export class Timeval {
  /** The struct's bytes, for the call that reads them. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(16));
  readonly #view = new DataView(this.bytes.buffer);
  readonly #microsecondsBytes: 4 | 8;

  /** @param microsecondsBytes What `tv_usec` takes on this system */
  constructor(microsecondsBytes: 4 | 8) {
    this.#microsecondsBytes = microsecondsBytes;
  }

  /** Sets it to milliseconds, rounded up to a microsecond. */
  set(timeout: number): void {
    const limited = Math.min(Math.max(timeout, 0), LONGEST_WAIT);
    let seconds = Math.floor(limited / 1000);
    let microseconds = Math.ceil((limited - seconds * 1000) * 1000);
    if (microseconds === 1_000_000) {
      seconds += 1;
      microseconds = 0;
    }
    this.#view.setBigInt64(0, BigInt(seconds), true);
    if (this.#microsecondsBytes === 8) {
      this.#view.setBigInt64(8, BigInt(microseconds), true);
    } else {
      this.#view.setInt32(8, microseconds, true);
    }
  }
}
