/**
 * `struct dirent`: an entry of a directory.
 *
 * @module
 */

import type { DirentLayout } from "../system.ts";

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly inode: bigint;
  /** `S_IF*` of the file; 0 if it is unknown. */
  readonly type: number;
  readonly name: Uint8Array<ArrayBuffer>;
}

/** The largest entry: its name has up to 1024 bytes on macOS, 256 elsewhere. */
export const DIRENT_BYTES = 1088;

/** The bytes of an entry up to the end of its length field. */
export function direntHeadBytes(layout: DirentLayout): number {
  return layout.length + 2;
}

/** The length of an entry, from its first bytes. */
export function direntLength(head: DataView, layout: DirentLayout): number {
  return head.getUint16(layout.length, true);
}

/** Reads an entry. */
export function decodeDirent(
  bytes: Uint8Array<ArrayBuffer>,
  layout: DirentLayout,
): DirectoryEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.indexOf(0, layout.name);
  return {
    inode: view.getBigUint64(layout.inode, true),
    // <dirent.h>, DTTOIF: the types are those of <sys/stat.h>, 12 bits lower.
    type: layout.type === null ? 0 : bytes[layout.type]! << 12,
    name: bytes.slice(layout.name, end === -1 ? undefined : end),
  };
}
