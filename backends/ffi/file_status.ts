/**
 * The status of files: fstatat(2), and statx(2) on Linux.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { retrying } from "./descriptor.ts";
import { libc } from "./libc.ts";
import { decodeStat, type FileStatus } from "./structs/stat.ts";

/** A name in C: bytes and a NUL. */
export type CString = Uint8Array<ArrayBuffer>;

// <linux/stat.h>, <linux/fcntl.h>: for statx, which only Linux has
const STATX_BASIC_STATS = 0x7ff;
const AT_EMPTY_PATH = 0x1000;

const NO_NAME: CString = Uint8Array.of(0);

const buffer = new DataView(new ArrayBuffer(512));

/**
 * Returns the status of a name; of a link, the status of the link itself.
 *
 * @throws {SystemError} if there is no such name, or it cannot be examined
 */
export function statusAt(directory: number, name: CString): FileStatus {
  const flags = system().constants.AT_SYMLINK_NOFOLLOW;
  const { statx, fstatat } = libc();
  retrying(
    "fstatat",
    () =>
      statx === null
        ? fstatat!(directory, name, buffer, flags)
        : statx(directory, name, flags, STATX_BASIC_STATS, buffer),
  );
  return decodeStat(buffer, system().stat);
}

/** Returns the status of an open file. */
export function statusOf(fd: number): FileStatus {
  const { statx, fstat } = libc();
  retrying(
    "fstat",
    () =>
      statx === null
        ? fstat!(fd, buffer)
        : statx(fd, NO_NAME, AT_EMPTY_PATH, STATX_BASIC_STATS, buffer),
  );
  return decodeStat(buffer, system().stat);
}
