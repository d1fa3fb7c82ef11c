/**
 * `struct timespec` and `struct timeval`: the timeout of a call.
 *
 * Their fields are below 2^31 here, and every system that Deno runs on is
 * little-endian. So each is written as 32 bits, whatever its size; the bytes above
 * stay 0. A 64-bit field would need a BigInt, which is an allocation in every wait.
 *
 * @module
 */

/** The longest timeout of a call in milliseconds: 24.8 days, C's `int`. */
export const LONGEST_WAIT = 0x7fff_ffff;

/**
 * The timeout of `poll` and `epoll_wait` in whole milliseconds, rounded up so that
 * no wait ends early. 0 does not wait, -1 is no timeout.
 *
 * @param timeout Milliseconds; `Infinity` is no timeout
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
  readonly #words = new Int32Array(this.bytes.buffer);

  /** Sets it to milliseconds, rounded up to a nanosecond. */
  set(timeout: number): void {
    const limited = Math.min(Math.max(timeout, 0), LONGEST_WAIT);
    let seconds = Math.floor(limited / 1000);
    let nanoseconds = Math.ceil((limited - seconds * 1000) * 1e6);
    if (nanoseconds === 1_000_000_000) {
      seconds += 1;
      nanoseconds = 0;
    }
    this.#words[0] = seconds;
    this.#words[2] = nanoseconds;
  }
}

/**
 * `struct timeval`: 64-bit `time_t` seconds, and `suseconds_t` microseconds of 64 or
 * 32 bits, padded to 64. On Windows both are `long`, which has 32 bits.
 */
export class Timeval {
  /** The struct's bytes, for the call that reads them. */
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(16));
  readonly #words = new Int32Array(this.bytes.buffer);
  readonly #microseconds: number;

  /** @param field The bytes of a field */
  constructor(field: 4 | 8 = 8) {
    this.#microseconds = field / 4;
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
    this.#words[0] = seconds;
    this.#words[this.#microseconds] = microseconds;
  }
}
