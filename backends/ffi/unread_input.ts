/**
 * The unread input of a descriptor. It shows whether a call of any library has read.
 *
 * Sources: ioctl_tty(2), ip(7), unix(7), pipe(7) for FIONREAD; poll(2).
 *
 * @module
 */

import { isWindows, system } from "./current_system.ts";
import { ioctl, libc } from "./libc.ts";
import { PollFds } from "./structs/pollfd.ts";

/** `<asm-generic/ioctls.h>` of Linux. */
const FIONREAD_LINUX = 0x541b;
/** `<sys/filio.h>` of macOS, the BSDs and illumos: `_IOR('f', 127, int)`. */
const FIONREAD = 0x4004667f;

const count = new Int32Array(new ArrayBuffer(4));

/** Returns how many bytes wait to be read; -1 where the file or the system has no number. */
export function unreadBytes(fd: number): number {
  if (isWindows) return -1;
  const request = system().os === "linux" ? FIONREAD_LINUX : FIONREAD;
  return ioctl(fd, request, count) < 0 ? -1 : count[0]!;
}

// <poll.h>: the same on every system
const POLLIN = 0x001;
const POLLPRI = 0x002;
const POLLOUT = 0x004;

const pollfd = new PollFds(1);

/** Returns whether a descriptor is ready now, without waiting; false on Windows. */
export function isReady(
  fd: number,
  wanted: { readonly read: boolean; readonly write: boolean },
): boolean {
  if (isWindows) return false;
  const input = wanted.read ? POLLIN | POLLPRI : 0;
  pollfd.set(0, fd, input | (wanted.write ? POLLOUT : 0));
  return libc().poll(pollfd.bytes, 1, 0) > 0;
}
