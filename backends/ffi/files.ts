/**
 * Files by their name in an open directory: openat(2) and its relatives. A name is
 * bytes, and one component; the caller checks it. Every call throws a `SystemError`
 * if it fails.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { retrying } from "./descriptor.ts";
import { systemError } from "./errors.ts";
import type { CString } from "./file_status.ts";
import { fileCalls, openat } from "./file_calls.ts";
import { libc, open } from "./libc.ts";
import {
  decodeDirent,
  type DirectoryEntry,
  DIRENT_BYTES,
  direntHeadBytes,
  direntLength,
} from "./structs/dirent.ts";
import { encodeTimes } from "./structs/stat.ts";

const THIS_DIRECTORY: CString = Uint8Array.of(0x2e, 0);

/**
 * The longest path of every system (PATH_MAX of `<limits.h>`: 4096 on Linux, 1024
 * elsewhere).
 */
const PATH_BYTES = 4096;

/** Opens a directory by its path, and follows links. */
export function openDirectory(path: string): number {
  const { O_DIRECTORY, O_NONBLOCK, O_CLOEXEC } = system().constants;
  const name = new TextEncoder().encode(`${path}\0`);
  const flags = O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
  return retrying("open", () => open(name, flags));
}

/** Opens a name without waiting, and without following it if it is a link. */
export function openAt(
  directory: number,
  name: CString,
  flags: number,
  mode = 0,
): number {
  const { O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_CLOEXEC } = system().constants;
  const all = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  return retrying("openat", () => openat(directory, name, all, mode));
}

/** Creates a directory. */
export function makeDirectoryAt(directory: number, name: CString): void {
  retrying("mkdirat", () => fileCalls.mkdirat(directory, name, 0o777));
}

/** Removes a name, of a directory or of any other file. */
export function removeAt(
  directory: number,
  name: CString,
  isDirectory: boolean,
): void {
  const flags = isDirectory ? system().constants.AT_REMOVEDIR : 0;
  retrying("unlinkat", () => fileCalls.unlinkat(directory, name, flags));
}

/** Renames a file. */
export function renameAt(
  from: number,
  oldName: CString,
  to: number,
  newName: CString,
): void {
  retrying("renameat", () => fileCalls.renameat(from, oldName, to, newName));
}

/** Gives a file a further name; of a link, to the link itself. */
export function linkAt(
  from: number,
  oldName: CString,
  to: number,
  newName: CString,
): void {
  retrying("linkat", () => fileCalls.linkat(from, oldName, to, newName, 0));
}

/** Creates a symbolic link. */
export function symbolicLinkAt(
  target: CString,
  directory: number,
  name: CString,
): void {
  retrying("symlinkat", () => fileCalls.symlinkat(target, directory, name));
}

/**
 * Returns the target of a symbolic link; undefined if the name is no link, or does
 * not exist.
 */
export function readLinkAt(
  directory: number,
  name: CString,
): Uint8Array<ArrayBuffer> | undefined {
  const target = new Uint8Array(new ArrayBuffer(PATH_BYTES));
  const length = fileCalls.readlinkat(directory, name, target, target.length);
  return length < 0 ? undefined : target.subarray(0, length);
}

/**
 * Sets the times of a name's last read and last write; of a link, those of the link
 * itself.
 *
 * @param accessed Nanoseconds since 1970
 * @param modified Nanoseconds since 1970
 */
export function setTimesAt(
  directory: number,
  name: CString,
  accessed: bigint,
  modified: bigint,
): void {
  const times = encodeTimes(accessed, modified);
  const { AT_SYMLINK_NOFOLLOW } = system().constants;
  retrying(
    "utimensat",
    () => fileCalls.utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW),
  );
}

/** Sets the times of an open file's last read and last write. */
export function setTimes(fd: number, accessed: bigint, modified: bigint): void {
  const times = encodeTimes(accessed, modified);
  retrying("futimens", () => fileCalls.futimens(fd, times));
}

/**
 * Reads from a position in the file.
 *
 * @returns the number of bytes, 0 at end of file
 */
export function readFrom(
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  position: bigint,
): number {
  return retrying(
    "pread",
    () => fileCalls.pread(fd, buffer, buffer.length, position),
  );
}

/**
 * Writes to a position in the file.
 *
 * @returns the number of bytes that were taken
 */
export function writeTo(
  fd: number,
  data: Uint8Array<ArrayBuffer>,
  position: bigint,
): number {
  return retrying(
    "pwrite",
    () => fileCalls.pwrite(fd, data, data.length, position),
  );
}

/**
 * Moves to a position: from the start (0), from here (1) or from the end (2) of the
 * file.
 */
export function seek(fd: number, offset: bigint, whence: number): bigint {
  const position = fileCalls.lseek(fd, offset, whence);
  if (position >= 0n) return position;
  throw systemError("lseek", Number(-position));
}

/** Sets the length of the file. */
export function setLength(fd: number, length: bigint): void {
  retrying("ftruncate", () => fileCalls.ftruncate(fd, length));
}

/** Waits until the disk has all written bytes. */
export function sync(fd: number): void {
  retrying("fsync", () => fileCalls.fsync(fd));
}

/** Returns the entries of an open directory, also "." and "..". */
export function readDirectory(fd: number): DirectoryEntry[] {
  const stream = openStream(fd);
  const { dirent } = system();
  const entry = new Uint8Array(new ArrayBuffer(DIRENT_BYTES));
  const head = new DataView(entry.buffer);
  const entries: DirectoryEntry[] = [];
  try {
    for (;;) {
      const at = fileCalls.readdir(stream);
      if (at === null) return entries;
      // Its length first: memory behind the last entry may be unreadable.
      libc().memcpyFrom(entry, at, direntHeadBytes(dirent));
      const length = Math.min(direntLength(head, dirent), DIRENT_BYTES);
      libc().memcpyFrom(entry, at, length);
      entries.push(decodeDirent(entry.subarray(0, length), dirent));
    }
  } finally {
    fileCalls.closedir(stream);
  }
}

/** A `DIR`, which has its own descriptor, and so its own position in the directory. */
function openStream(fd: number): Deno.PointerObject {
  const own = openAt(fd, THIS_DIRECTORY, system().constants.O_DIRECTORY);
  const stream = fileCalls.fdopendir(own);
  if (stream !== null) return stream;
  libc().close(own);
  throw systemError("fdopendir", system().errno.ENOMEM!);
}
