/**
 * `__wasi_dirent_t`: an entry of a directory, followed by its name.
 *
 * Source of the layout: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

import type { DirectoryEntry } from "../../backends/ffi/structs/dirent.ts";
import { filetypeOf } from "./fdstat.ts";

/** Offsets in bytes. */
const DIRENT = {
  size: 24,
  next: 0,
  inode: 8,
  nameLength: 16,
  type: 20,
} as const;

/**
 * Writes an entry. Without room for all of it, it is cut off: a full buffer makes
 * the program ask for more.
 *
 * @param next The cookie of the next entry
 * @returns the number of bytes written
 */
export function writeDirent(
  room: Uint8Array,
  { inode, type, name }: DirectoryEntry,
  next: number,
): number {
  const bytes = new Uint8Array(DIRENT.size + name.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(DIRENT.next, BigInt(next), true);
  view.setBigUint64(DIRENT.inode, inode, true);
  view.setUint32(DIRENT.nameLength, name.length, true);
  view.setUint8(DIRENT.type, filetypeOf(type));
  bytes.set(name, DIRENT.size);
  const length = Math.min(bytes.length, room.length);
  room.set(bytes.subarray(0, length));
  return length;
}
