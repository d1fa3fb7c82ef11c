/**
 * The structs of `poll_oneoff`: `__wasi_subscription_t`, which a program passes in,
 * and `__wasi_event_t`, which it gets back.
 *
 * Source of the layouts: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

import {
  CLOCKID_MONOTONIC,
  EVENTTYPE_CLOCK,
  type EVENTTYPE_FD_READ,
  type EVENTTYPE_FD_WRITE,
} from "./abi.ts";

/** Offsets in bytes; those of the union `u` count from the start of the struct. */
export const SUBSCRIPTION = {
  size: 48,
  userdata: 0,
  tag: 8,
  clockId: 16,
  timeout: 24,
  precision: 32,
  flags: 40,
  fd: 16,
} as const;

/** Offsets in bytes; those of `fd_readwrite` count from the start of the struct. */
export const EVENT = {
  size: 32,
  userdata: 0,
  error: 8,
  type: 10,
  nbytes: 16,
  flags: 24,
} as const;

/** Writes a subscription to a descriptor. */
export function writeFdSubscription(
  view: DataView,
  at: number,
  userdata: bigint,
  type: typeof EVENTTYPE_FD_READ | typeof EVENTTYPE_FD_WRITE,
  fd: number,
): void {
  clear(view, at);
  view.setBigUint64(at + SUBSCRIPTION.userdata, userdata, true);
  view.setUint8(at + SUBSCRIPTION.tag, type);
  view.setInt32(at + SUBSCRIPTION.fd, fd, true);
}

/** Writes a subscription to the monotonic clock, in nanoseconds from now. */
export function writeClockSubscription(
  view: DataView,
  at: number,
  userdata: bigint,
  nanoseconds: bigint,
): void {
  clear(view, at);
  view.setBigUint64(at + SUBSCRIPTION.userdata, userdata, true);
  view.setUint8(at + SUBSCRIPTION.tag, EVENTTYPE_CLOCK);
  view.setUint32(at + SUBSCRIPTION.clockId, CLOCKID_MONOTONIC, true);
  view.setBigUint64(at + SUBSCRIPTION.timeout, nanoseconds, true);
}

function clear(view: DataView, at: number): void {
  for (let offset = 0; offset < SUBSCRIPTION.size; offset += 8) {
    view.setBigUint64(at + offset, 0n, true);
  }
}
