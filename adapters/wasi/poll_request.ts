/**
 * The subscriptions of one `poll_oneoff`, read from the guest's memory.
 *
 * @module
 */

import {
  CLOCKID_MONOTONIC,
  CLOCKID_PROCESS_CPUTIME_ID,
  CLOCKID_REALTIME,
  CLOCKID_THREAD_CPUTIME_ID,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
  EVENTTYPE_FD_WRITE,
  SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME,
} from "../../backends/wasi/abi.ts";
import { EBADF, EINVAL, ENOTSUP, Refusal } from "../../backends/wasi/errno.ts";
import { SUBSCRIPTION } from "../../backends/wasi/layout.ts";
import type { FdTable } from "./fd_table.ts";
import type { GuestDescriptor, GuestStream } from "./guest_file.ts";

const NANOSECONDS_PER_MILLISECOND = 1e6;
const TWO_POW_32 = 2 ** 32;

/** Returns the current time of a clock, in milliseconds. */
export type Now = (clockId: number) => number;

/**
 * The subscriptions of a call, in arrays that the next call reuses. They are copies
 * because the guest may have its events written over the originals.
 */
export class PollRequest {
  /** The number of subscriptions. */
  count = 0;
  /** The halves of each one's userdata. */
  low: Int32Array = new Int32Array(32);
  high: Int32Array = new Int32Array(32);
  /** `EVENTTYPE_*` of each. */
  types: Uint8Array = new Uint8Array(32);
  /** The error number of each; 0 if it is valid. */
  errors: Uint16Array = new Uint16Array(32);
  /** For a clock, the milliseconds until it expires. */
  delays: Float64Array = new Float64Array(32);
  /** For a descriptor, its stream; undefined for a file, which is always ready. */
  readonly streams: (GuestStream | undefined)[] = [];
  /** Milliseconds until the first clock expires; `Infinity` without a clock. */
  timeout = Infinity;
  /** Whether an event is there without a wait, because of an error or a file. */
  immediate = false;

  /**
   * Reads the subscriptions.
   *
   * @throws {Refusal} EINVAL if one has an unknown type
   */
  read(
    view: DataView,
    at: number,
    count: number,
    table: FdTable<GuestDescriptor>,
    now: Now,
  ): void {
    if (count > this.low.length) this.#reserve(count);
    this.count = count;
    this.timeout = Infinity;
    this.immediate = false;
    for (let index = 0; index < count; index++, at += SUBSCRIPTION.size) {
      this.low[index] = view.getInt32(at + SUBSCRIPTION.userdata, true);
      this.high[index] = view.getInt32(at + SUBSCRIPTION.userdata + 4, true);
      const type = view.getUint8(at + SUBSCRIPTION.tag);
      this.types[index] = type;
      if (type === EVENTTYPE_FD_READ || type === EVENTTYPE_FD_WRITE) {
        this.#readFd(index, table, view.getInt32(at + SUBSCRIPTION.fd, true));
      } else if (type === EVENTTYPE_CLOCK) {
        this.#readClock(index, view, at, now);
      } else {
        throw new Refusal(EINVAL);
      }
    }
  }

  /** Sets the error of a subscription. */
  fail(index: number, errno: number): void {
    this.errors[index] = errno;
    this.immediate = true;
  }

  /** Drops the references to streams, so that they can be collected. */
  clear(): void {
    this.streams.fill(undefined, 0, this.count);
  }

  #readFd(
    index: number,
    table: FdTable<GuestDescriptor>,
    fd: number,
  ): void {
    const entry = table.get(fd);
    this.errors[index] = 0;
    const stream = entry?.kind === "stream" && !entry.isAlwaysReady
      ? entry
      : undefined;
    this.streams[index] = stream;
    if (entry === undefined) this.fail(index, EBADF);
    else if (stream === undefined) this.immediate = true;
  }

  #readClock(index: number, view: DataView, at: number, now: Now): void {
    const clockId = view.getUint32(at + SUBSCRIPTION.clockId, true);
    this.errors[index] = 0;
    this.streams[index] = undefined;
    const errno = clockError(clockId);
    if (errno !== 0) {
      this.fail(index, errno);
      return;
    }
    // A number of this size is exact to 256 ns, finer than any wait.
    const nanoseconds = view.getUint32(at + SUBSCRIPTION.timeout, true) +
      view.getUint32(at + SUBSCRIPTION.timeout + 4, true) * TWO_POW_32;
    const flags = view.getUint16(at + SUBSCRIPTION.flags, true);
    let delay = nanoseconds / NANOSECONDS_PER_MILLISECOND;
    if ((flags & SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0) {
      delay = Math.max(delay - now(clockId), 0);
    }
    this.delays[index] = delay;
    if (delay < this.timeout) this.timeout = delay;
  }

  #reserve(count: number): void {
    const size = Math.max(count, this.low.length * 2);
    this.low = new Int32Array(size);
    this.high = new Int32Array(size);
    this.types = new Uint8Array(size);
    this.errors = new Uint16Array(size);
    this.delays = new Float64Array(size);
  }
}

/** CPU time does not advance while its program waits, so no wait for it would end. */
function clockError(clockId: number): number {
  switch (clockId) {
    case CLOCKID_REALTIME:
    case CLOCKID_MONOTONIC:
      return 0;
    case CLOCKID_PROCESS_CPUTIME_ID:
    case CLOCKID_THREAD_CPUTIME_ID:
      return ENOTSUP;
    default:
      return EINVAL;
  }
}
