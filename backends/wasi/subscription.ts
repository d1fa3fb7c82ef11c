/**
 * `__wasi_subscription_t`: what a program asks `poll_oneoff` to wait for.
 *
 * Source of the layout: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

import {
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
  EVENTTYPE_FD_WRITE,
  SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME,
} from "./abi.ts";

/** Where the fields are, in bytes: those of `u` counted from the start of the struct. */
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

/** A time to wait for. */
export interface ClockSubscription {
  /** What the event is to carry. */
  readonly userdata: bigint;
  /** Which kind of subscription it is. */
  readonly type: "clock";
  /** `CLOCKID_*`. */
  readonly clockId: number;
  /** Nanoseconds. */
  readonly timeout: bigint;
  /** By how many nanoseconds the event may be late. */
  readonly precision: bigint;
  /** Whether the timeout is a time of the clock, not a span from now. */
  readonly absolute: boolean;
}

/** A descriptor to wait for. */
export interface FdSubscription {
  /** What the event is to carry. */
  readonly userdata: bigint;
  /** Which kind of subscription it is. */
  readonly type: "read" | "write";
  /** The descriptor. */
  readonly fd: number;
}

/** What a program waits for. */
export type Subscription = ClockSubscription | FdSubscription;

/** Writes a subscription where `poll_oneoff` will read it. */
export function encodeSubscription(
  view: DataView,
  at: number,
  subscription: Subscription,
): void {
  for (let offset = 0; offset < SUBSCRIPTION.size; offset += 8) {
    view.setBigUint64(at + offset, 0n, true);
  }
  view.setBigUint64(at + SUBSCRIPTION.userdata, subscription.userdata, true);
  if (subscription.type === "clock") encodeClock(view, at, subscription);
  else encodeFd(view, at, subscription);
}

function encodeClock(
  view: DataView,
  at: number,
  { clockId, timeout, precision, absolute }: ClockSubscription,
): void {
  view.setUint8(at + SUBSCRIPTION.tag, EVENTTYPE_CLOCK);
  view.setUint32(at + SUBSCRIPTION.clockId, clockId, true);
  view.setBigUint64(at + SUBSCRIPTION.timeout, timeout, true);
  view.setBigUint64(at + SUBSCRIPTION.precision, precision, true);
  view.setUint16(
    at + SUBSCRIPTION.flags,
    absolute ? SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0,
    true,
  );
}

function encodeFd(
  view: DataView,
  at: number,
  { type, fd }: FdSubscription,
): void {
  view.setUint8(
    at + SUBSCRIPTION.tag,
    type === "read" ? EVENTTYPE_FD_READ : EVENTTYPE_FD_WRITE,
  );
  view.setInt32(at + SUBSCRIPTION.fd, fd, true);
}

/**
 * Reads a subscription.
 *
 * @returns undefined if its tag is unknown
 */
export function decodeSubscription(
  view: DataView,
  at: number,
): Subscription | undefined {
  const userdata = view.getBigUint64(at + SUBSCRIPTION.userdata, true);
  const tag = view.getUint8(at + SUBSCRIPTION.tag);
  if (tag === EVENTTYPE_CLOCK) {
    const flags = view.getUint16(at + SUBSCRIPTION.flags, true);
    return {
      userdata,
      type: "clock",
      clockId: view.getUint32(at + SUBSCRIPTION.clockId, true),
      timeout: view.getBigUint64(at + SUBSCRIPTION.timeout, true),
      precision: view.getBigUint64(at + SUBSCRIPTION.precision, true),
      absolute: (flags & SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0,
    };
  }
  if (tag !== EVENTTYPE_FD_READ && tag !== EVENTTYPE_FD_WRITE) return undefined;
  return {
    userdata,
    type: tag === EVENTTYPE_FD_READ ? "read" : "write",
    fd: view.getInt32(at + SUBSCRIPTION.fd, true),
  };
}
