/**
 * `__wasi_fdstat_t`, the attributes of a descriptor, and `__wasi_filestat_t`, those
 * of the file behind it.
 *
 * Source of the layouts: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

import {
  type FileStatus,
  fileType,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "../../backends/ffi/structs/stat.ts";
import {
  FILETYPE_BLOCK_DEVICE,
  FILETYPE_CHARACTER_DEVICE,
  FILETYPE_DIRECTORY,
  FILETYPE_REGULAR_FILE,
  FILETYPE_SYMBOLIC_LINK,
  FILETYPE_UNKNOWN,
} from "../../backends/wasi/abi.ts";

/** Offsets of `__wasi_fdstat_t` in bytes. */
export const FDSTAT = {
  size: 24,
  filetype: 0,
  flags: 2,
  rightsBase: 8,
  rightsInheriting: 16,
} as const;

/** Offsets of `__wasi_filestat_t` in bytes. */
export const FILESTAT = {
  size: 64,
  device: 0,
  inode: 8,
  filetype: 16,
  nlink: 24,
  length: 32,
  accessed: 40,
  modified: 48,
  changed: 56,
} as const;

/** The attributes of a descriptor. */
export interface Fdstat {
  /** `FILETYPE_*`. */
  readonly filetype: number;
  /** `FDFLAGS_*`. */
  readonly flags: number;
  /** `RIGHTS_*` of the descriptor itself. */
  readonly rightsBase: bigint;
  /** `RIGHTS_*` of descriptors that are opened or accepted through it. */
  readonly rightsInheriting: bigint;
}

/** Writes a `__wasi_fdstat_t`. */
export function writeFdstat(view: DataView, at: number, stat: Fdstat): void {
  view.setBigUint64(at, 0n, true);
  view.setUint8(at + FDSTAT.filetype, stat.filetype);
  view.setUint16(at + FDSTAT.flags, stat.flags, true);
  view.setBigUint64(at + FDSTAT.rightsBase, stat.rightsBase, true);
  view.setBigUint64(at + FDSTAT.rightsInheriting, stat.rightsInheriting, true);
}

/** Writes the `__wasi_filestat_t` of a stream: its type, and zeros. */
export function writeStreamStat(
  view: DataView,
  at: number,
  filetype: number,
): void {
  for (let offset = 0; offset < FILESTAT.size; offset += 8) {
    view.setBigUint64(at + offset, 0n, true);
  }
  view.setUint8(at + FILESTAT.filetype, filetype);
  view.setBigUint64(at + FILESTAT.nlink, 1n, true);
}

/** The `FILETYPE_*` of a system's `S_IF*`. */
export function filetypeOf(type: number): number {
  switch (type) {
    case S_IFREG:
      return FILETYPE_REGULAR_FILE;
    case S_IFDIR:
      return FILETYPE_DIRECTORY;
    case S_IFLNK:
      return FILETYPE_SYMBOLIC_LINK;
    case S_IFCHR:
      return FILETYPE_CHARACTER_DEVICE;
    case S_IFBLK:
      return FILETYPE_BLOCK_DEVICE;
    default:
      return FILETYPE_UNKNOWN;
  }
}

/** Writes the `__wasi_filestat_t` of a file. */
export function writeFileStat(
  view: DataView,
  at: number,
  status: FileStatus,
): void {
  writeStreamStat(view, at, filetypeOf(fileType(status.mode)));
  view.setBigUint64(at + FILESTAT.device, status.device, true);
  view.setBigUint64(at + FILESTAT.inode, status.inode, true);
  view.setBigUint64(at + FILESTAT.nlink, status.links, true);
  view.setBigUint64(at + FILESTAT.length, status.length, true);
  view.setBigUint64(at + FILESTAT.accessed, status.accessed, true);
  view.setBigUint64(at + FILESTAT.modified, status.modified, true);
  view.setBigUint64(at + FILESTAT.changed, status.changed, true);
}
