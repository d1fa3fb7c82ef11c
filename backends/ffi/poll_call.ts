/**
 * The call of poll: POSIX' own, or Winsock's `WSAPoll`.
 *
 * Source: poll(2); "WSAPoll function" in the Winsock reference.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { isOpen } from "./descriptor.ts";
import { libc } from "./libc.ts";
import { holding } from "./parked_call.ts";
import type { PollFds } from "./structs/pollfd.ts";
import { Timespec, toMilliseconds } from "./structs/time.ts";
import { winsock } from "./winsock.ts";
import { sleep, sleepParked } from "./sleep.ts";

const timespec = new Timespec();

/**
 * Polls an array of descriptors.
 *
 * @param timeout Milliseconds; `Infinity` is no timeout
 * @returns how many structs have returned events, or -errno
 */
export function callPoll(fds: PollFds, count: number, timeout: number): number {
  if (winsock !== null) return callWsaPoll(fds, count, timeout);
  const { poll, ppoll } = libc();
  if (timeout > 0 && timeout < 1 && ppoll !== null) {
    timespec.set(timeout);
    return ppoll(fds.bytes, count, timespec.bytes, null);
  }
  return poll(fds.bytes, count, toMilliseconds(timeout));
}

/** As `callPoll`, on another thread; below 0 for every failure, without its number. */
export async function callPollParked(
  fds: PollFds,
  count: number,
  timeout: number,
  referenced: boolean,
): Promise<number> {
  const { bytes } = fds;
  const milliseconds = toMilliseconds(timeout);
  if (winsock === null) {
    const call = libc().pollParked(bytes, count, milliseconds);
    return await holding(referenced, call, bytes);
  }
  if (count === 0) return await sleepParked(timeout, referenced);
  const call = winsock.WSAPollParked(bytes, count, milliseconds);
  const result = await holding(referenced, call, bytes);
  return result < 0 ? result : countReturned(fds, count);
}

/** `WSAPoll` fails without sockets, and if none of them is open. */
function callWsaPoll(fds: PollFds, count: number, timeout: number): number {
  if (count === 0) return sleep(timeout);
  const { bytes } = fds;
  const result = winsock!.WSAPoll(bytes, count, toMilliseconds(timeout));
  if (result >= 0) return countReturned(fds, count);
  // Microsoft documents WSAEINVAL, and Wine has WSAENOTSOCK.
  const { EINVAL, EBADF } = system().errno;
  if (result !== -EINVAL! && result !== -EBADF!) return result;
  return markClosed(fds, count) || result;
}

/** Marks the closed sockets as poll does, and counts them. */
function markClosed(fds: PollFds, count: number): number {
  let closed = 0;
  for (let index = 0; index < count; index++) {
    if (isOpen(fds.fd(index))) continue;
    fds.setInvalid(index);
    closed++;
  }
  return closed;
}

/** Its result need not include closed sockets, though each has POLLNVAL. */
function countReturned(fds: PollFds, count: number): number {
  let found = 0;
  for (let index = 0; index < count; index++) {
    if (fds.returned(index) !== 0) found++;
  }
  return found;
}
