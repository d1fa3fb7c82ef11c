/**
 * Files of Windows by their path: their identity, and their removal. Unix sockets are
 * such files, with a reparse point instead of content.
 *
 * Sources: `<fileapi.h>`, `<winnt.h>`; "AF_UNIX comes to Windows", Microsoft, 2017.
 *
 * @module
 */

import type { Winsock } from "./winsock.ts";

/** FILE_SHARE_READ, FILE_SHARE_WRITE and FILE_SHARE_DELETE. */
const SHARE_ALL = 7;
const OPEN_EXISTING = 3;
/** FILE_FLAG_BACKUP_SEMANTICS, to open a directory, and FILE_FLAG_OPEN_REPARSE_POINT. */
const AS_ITSELF = 0x02200000;

/** BY_HANDLE_FILE_INFORMATION: its size, and the offsets of three of its fields. */
const INFORMATION_BYTES = 52;
const VOLUME = 28;
const INDEX_HIGH = 44;
const INDEX_LOW = 48;

function wide(path: string): Uint16Array<ArrayBuffer> {
  const units = new Uint16Array(path.length + 1);
  for (let index = 0; index < path.length; index++) {
    units[index] = path.charCodeAt(index);
  }
  return units;
}

/**
 * The volume of a file, and its number there; a link is a file of its own.
 *
 * @returns null if there is none, or if it cannot be examined
 */
export function identityOfFile(
  { CreateFileW, GetFileInformationByHandle, CloseHandle }: Winsock,
  path: string,
): { readonly device: bigint; readonly inode: bigint } | null {
  const handle = CreateFileW(
    wide(path),
    0,
    SHARE_ALL,
    null,
    OPEN_EXISTING,
    AS_ITSELF,
    0n,
  );
  if (handle < 0) return null;
  const information = new DataView(new ArrayBuffer(INFORMATION_BYTES));
  const isKnown = GetFileInformationByHandle(handle, information) !== 0;
  CloseHandle(handle);
  if (!isKnown) return null;
  const high = BigInt(information.getUint32(INDEX_HIGH, true));
  const low = BigInt(information.getUint32(INDEX_LOW, true));
  const device = BigInt(information.getUint32(VOLUME, true));
  return { device, inode: high << 32n | low };
}

/** Removes a file. Returns whether it was removed. */
export function removeFile({ DeleteFileW }: Winsock, path: string): boolean {
  return DeleteFileW(wide(path)) !== 0;
}
