/**
 * `struct stat`: the status of a file.
 *
 * @module
 */

import type { StatLayout } from "../system.ts";

/** The status of a file. */
export interface FileStatus {
  /** The device of the file, and its number there: together they identify it. */
  readonly device: bigint;
  readonly inode: bigint;
  /** Its type and its permissions: `S_IF*` of `<sys/stat.h>`. */
  readonly mode: number;
  readonly links: bigint;
  /** Bytes. */
  readonly length: bigint;
  /** Nanoseconds since 1970: the last read, write, and change of any kind. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** The bits of a mode that are the type; the same on every system. */
const S_IFMT = 0xf000;
/** The types of files, `S_IF*` of `<sys/stat.h>`: the same on every system. */
export const S_IFIFO = 0x1000;
export const S_IFCHR = 0x2000;
export const S_IFDIR = 0x4000;
export const S_IFBLK = 0x6000;
export const S_IFREG = 0x8000;
export const S_IFLNK = 0xa000;
export const S_IFSOCK = 0xc000;

/** The type of a file: one of `S_IF*`. */
export function fileType(mode: number): number {
  return mode & S_IFMT;
}

const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Reads a struct. */
export function decodeStat(view: DataView, layout: StatLayout): FileStatus {
  return {
    device: unsigned(view, layout.device, layout.deviceBytes),
    inode: view.getBigUint64(layout.inode, true),
    mode: view.getUint16(layout.mode, true),
    links: unsigned(view, layout.links, layout.linksBytes),
    length: view.getBigInt64(layout.length, true),
    accessed: time(view, layout.accessed),
    modified: time(view, layout.modified),
    changed: time(view, layout.changed),
  };
}

function unsigned(view: DataView, at: number, bytes: 2 | 4 | 8): bigint {
  if (bytes === 8) return view.getBigUint64(at, true);
  return BigInt(
    bytes === 4 ? view.getUint32(at, true) : view.getUint16(at, true),
  );
}

/** A `struct timespec`, whose nanoseconds fit into their lower half. */
function time(view: DataView, at: number): bigint {
  return view.getBigInt64(at, true) * NANOSECONDS_PER_SECOND +
    BigInt(view.getUint32(at + 8, true));
}

/**
 * Writes the `struct timespec [2]` of utimensat(2): read, written. The nanoseconds of
 * a time before 1970 are positive, too: they follow the second before.
 */
export function encodeTimes(
  accessed: bigint,
  modified: bigint,
): BigInt64Array<ArrayBuffer> {
  const times = new BigInt64Array(new ArrayBuffer(32));
  [accessed, modified].forEach((time, index) => {
    const rest = time % NANOSECONDS_PER_SECOND;
    const part = rest < 0n ? rest + NANOSECONDS_PER_SECOND : rest;
    times[index * 2] = (time - part) / NANOSECONDS_PER_SECOND;
    times[index * 2 + 1] = part;
  });
  return times;
}
