/**
 * The unread input of a descriptor. It shows whether a call of any library has read.
 *
 * Sources: ioctl_tty(2), ip(7), unix(7), pipe(7) for FIONREAD; poll(2); "ioctlsocket
 * function" in the Winsock reference.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { ioctl } from "./libc.ts";
import { callPoll } from "./poll_call.ts";
import { PollFds } from "./structs/pollfd.ts";
import { winsock } from "./winsock.ts";

/** `<asm-generic/ioctls.h>` of Linux. */
const FIONREAD_LINUX = 0x541b;
/** `<sys/filio.h>` of macOS, the BSDs and illumos, `<winsock2.h>`: `_IOR('f', 127, int)`. */
const FIONREAD = 0x4004667f;

const count = new Int32Array(new ArrayBuffer(4));

/** Returns how many bytes wait to be read; -1 where the file or the system has no number. */
export function unreadBytes(fd: number): number {
  const request = system().os === "linux" ? FIONREAD_LINUX : FIONREAD;
  const result = winsock === null
    ? ioctl(fd, request, count)
    : winsock.ioctlsocket(fd, request, count);
  return result < 0 ? -1 : count[0]!;
}

// <poll.h>: the same on every system
const POLLIN = 0x001;
const POLLPRI = 0x002;
const POLLOUT = 0x004;

const pollfd = new PollFds(1);

/** Returns whether a descriptor is ready now, without waiting. */
export function isReady(
  fd: number,
  wanted: { readonly read: boolean; readonly write: boolean },
): boolean {
  const input = wanted.read ? POLLIN | POLLPRI : 0;
  pollfd.set(0, fd, input | (wanted.write ? POLLOUT : 0));
  return callPoll(pollfd, 1, 0) > 0;
}
