/**
 * `struct dirent`: an entry of a directory.
 *
 * @module
 */

import type { DirentLayout } from "../system.ts";

/** An entry of a directory. */
export interface DirectoryEntry {
  readonly inode: bigint;
  /** `S_IF*` of what it leads to; 0 if that is not known. */
  readonly type: number;
  readonly name: Uint8Array<ArrayBuffer>;
}

/** The most that an entry has: 1024 bytes of a name on macOS, 256 elsewhere. */
export const DIRENT_BYTES = 1088;

/** How many bytes of an entry tell how long it is. */
export function direntHeadBytes(layout: DirentLayout): number {
  return layout.length + 2;
}

/** How long an entry is whose first bytes are there. */
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
