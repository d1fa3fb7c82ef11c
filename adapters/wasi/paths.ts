/**
 * The `path_*` calls. `walk.ts` keeps every path within its directory.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { statusAt, statusOf } from "../../backends/ffi/file_status.ts";
import {
  linkAt,
  makeDirectoryAt,
  openAt,
  readLinkAt,
  removeAt,
  renameAt,
  setTimesAt,
  symbolicLinkAt,
} from "../../backends/ffi/files.ts";
import { fileType, S_IFDIR } from "../../backends/ffi/structs/stat.ts";
import {
  FDFLAGS_APPEND,
  FDFLAGS_NONBLOCK,
  LOOKUPFLAGS_SYMLINK_FOLLOW,
  OFLAGS_CREAT,
  OFLAGS_DIRECTORY,
  OFLAGS_EXCL,
  OFLAGS_TRUNC,
} from "../../backends/wasi/abi.ts";
import {
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTSUP,
  EPERM,
  EROFS,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import { FILESTAT, filetypeOf, writeFileStat } from "./fdstat.ts";
import { newTimes } from "./files.ts";
import type { Guest, GuestCall, GuestCalls } from "./guest.ts";
import {
  type GuestDescriptor,
  GuestDirectory,
  GuestFile,
} from "./guest_file.ts";
import { FILE_RIGHTS, RIGHTS_FD_READ, RIGHTS_FD_WRITE } from "./rights.ts";
import { isAbsolute, MOST_PATH_BYTES, Walk } from "./walk.ts";

/** The calls by name. */
export const PATH_CALLS: GuestCalls = {
  path_create_directory: changing((walk) =>
    makeDirectoryAt(walk.directory, walk.name)
  ),
  path_filestat_get: getFilestat,
  path_filestat_set_times: setFilestatTimes,
  path_link: link,
  path_open: open,
  path_readlink: readLink,
  path_remove_directory: changing((walk) =>
    removeAt(walk.directory, walk.name, true)
  ),
  path_rename: rename,
  path_symlink: symbolicLink,
  path_unlink_file: changing(unlinkFile),
};

/** The directory with this number. @throws {Refusal} EBADF, ENOTDIR */
function requireDirectory({ table }: Guest, fd: number): GuestDirectory {
  const entry = table.require(fd);
  if (entry.kind !== "directory") throw new Refusal(ENOTDIR);
  return entry;
}

/** The bytes of a path, copied. @throws {Refusal} EFAULT, ENAMETOOLONG */
function pathBytes(
  { memory }: Guest,
  pointer: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  memory.check(pointer, length >>> 0);
  if (length >>> 0 > MOST_PATH_BYTES) throw new Refusal(ENAMETOOLONG);
  return memory.bytes(pointer, length >>> 0).slice();
}

/** Walks to the last component of a path. @throws {Refusal} as `Walk` */
function walkTo(guest: Guest, fd: number, path: number, length: number): Walk {
  const { fd: base } = requireDirectory(guest, fd);
  return new Walk(base, pathBytes(guest, path, length));
}

/** Walks to a place that is changed next. @throws {Refusal} EROFS, and as `Walk` */
function walkToChange(
  guest: Guest,
  fd: number,
  path: number,
  length: number,
): Walk {
  if (!requireDirectory(guest, fd).writable) throw new Refusal(EROFS);
  return walkTo(guest, fd, path, length);
}

/** Follows links in the last component, if the guest asks for it. */
function followLinks(walk: Walk, lookup: number): void {
  if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) !== 0 || walk.directoryOnly) {
    while (walk.follow()) continue;
  }
}

/** @throws {Refusal} ENOTDIR if a slash follows anything but a directory */
function checkSlash(walk: Walk): void {
  if (!walk.directoryOnly) return;
  const { mode } = statusAt(walk.directory, walk.name);
  if (fileType(mode) !== S_IFDIR) throw new Refusal(ENOTDIR);
}

function open(
  guest: Guest,
  fd: number,
  lookup: number,
  path: number,
  length: number,
  oflags: number,
  rights: bigint,
  _inheriting: bigint,
  fdflags: number,
  stored: number,
): number {
  const { memory, table } = guest;
  const base = requireDirectory(guest, fd);
  memory.check(stored, 4);
  table.requireRoom();
  const request = new OpenRequest(oflags, rights, fdflags);
  if (request.changes && !base.writable) return EROFS;
  using walk = walkTo(guest, fd, path, length);
  const opened = openLast(walk, request, lookup);
  memory.setUint32(stored, table.add(entryOf(opened, request, base)));
  return ESUCCESS;
}

/** The arguments of a `path_open`, translated into the flags of the system. */
class OpenRequest {
  readonly flags: number;
  readonly fdflags: number;
  readonly rights: bigint;
  /** Whether it may change the file or the directory. */
  readonly changes: boolean;
  readonly creates: boolean;
  readonly exclusive: boolean;

  /** @throws {Refusal} EINVAL for contradictory flags, ENOTSUP for those of integrity */
  constructor(oflags: number, rights: bigint, fdflags: number) {
    const { O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY } =
      system().constants;
    const has = (flag: number): boolean => (oflags & flag) !== 0;
    if (has(OFLAGS_DIRECTORY) && has(OFLAGS_CREAT | OFLAGS_TRUNC)) {
      throw new Refusal(EINVAL);
    }
    if ((fdflags & ~(FDFLAGS_APPEND | FDFLAGS_NONBLOCK)) !== 0) {
      throw new Refusal(ENOTSUP);
    }
    // A directory cannot be opened for writing.
    const writes = !has(OFLAGS_DIRECTORY) &&
      ((rights & RIGHTS_FD_WRITE) !== 0n || has(OFLAGS_TRUNC));
    const reads = (rights & RIGHTS_FD_READ) !== 0n || !writes;
    // <fcntl.h>: O_RDONLY is 0 and O_WRONLY 1 on every system
    this.flags = (writes ? reads ? O_RDWR : 1 : 0) |
      (has(OFLAGS_CREAT) ? O_CREAT : 0) | (has(OFLAGS_EXCL) ? O_EXCL : 0) |
      (has(OFLAGS_TRUNC) ? O_TRUNC : 0) |
      (has(OFLAGS_DIRECTORY) ? O_DIRECTORY : 0) |
      ((fdflags & FDFLAGS_APPEND) !== 0 ? O_APPEND : 0);
    this.fdflags = fdflags;
    this.creates = has(OFLAGS_CREAT);
    this.exclusive = this.creates && has(OFLAGS_EXCL);
    this.changes = writes || this.creates;
    this.rights = FILE_RIGHTS & ~(reads ? 0n : RIGHTS_FD_READ) &
      ~(writes ? 0n : RIGHTS_FD_WRITE);
  }
}

/** Opens the last component of a path. A link is never opened, only followed. */
function openLast(walk: Walk, request: OpenRequest, lookup: number): number {
  const { O_DIRECTORY } = system().constants;
  for (;;) {
    if (walk.directoryOnly && request.creates) throw new Refusal(EISDIR);
    const slash = walk.directoryOnly ? O_DIRECTORY : 0;
    try {
      return openAt(walk.directory, walk.name, request.flags | slash, 0o666);
    } catch (error) {
      if (request.exclusive || !walk.isLink) throw error;
      if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) === 0 && slash === 0) {
        throw new Refusal(ELOOP);
      }
      walk.follow();
    }
  }
}

function entryOf(
  fd: number,
  { rights, fdflags }: OpenRequest,
  base: GuestDirectory,
): GuestDescriptor {
  const type = fileType(statusOf(fd).mode);
  return type === S_IFDIR
    ? new GuestDirectory(fd, base.writable)
    : new GuestFile(fd, filetypeOf(type), rights, fdflags, base.writable);
}

function getFilestat(
  guest: Guest,
  fd: number,
  lookup: number,
  path: number,
  length: number,
  stored: number,
): number {
  const { memory } = guest;
  requireDirectory(guest, fd);
  memory.check(stored, FILESTAT.size);
  using walk = walkTo(guest, fd, path, length);
  followLinks(walk, lookup);
  checkSlash(walk);
  const status = statusAt(walk.directory, walk.name);
  writeFileStat(memory.view, stored >>> 0, status);
  return ESUCCESS;
}

function readLink(
  guest: Guest,
  fd: number,
  path: number,
  length: number,
  at: number,
  room: number,
  stored: number,
): number {
  const { memory } = guest;
  requireDirectory(guest, fd);
  memory.check(at, room >>> 0);
  memory.check(stored, 4);
  using walk = walkTo(guest, fd, path, length);
  // A slash after a link means its target, which is a directory and no link.
  if (walk.directoryOnly) {
    followLinks(walk, 0);
    checkSlash(walk);
    return EINVAL;
  }
  const target = readLinkAt(walk.directory, walk.name);
  if (target === undefined) {
    statusAt(walk.directory, walk.name); // throws if there is nothing
    return EINVAL;
  }
  const part = target.subarray(0, room >>> 0);
  memory.bytes(at, part.length).set(part);
  memory.setUint32(stored, part.length);
  return ESUCCESS;
}

/** A call that changes the last component of one path. */
function changing(change: (walk: Walk) => void): GuestCall {
  return (guest, fd: number, path: number, length: number) => {
    using walk = walkToChange(guest, fd, path, length);
    change(walk);
    return ESUCCESS;
  };
}

function unlinkFile(walk: Walk): void {
  checkSlash(walk);
  removeAt(walk.directory, walk.name, false);
}

function rename(
  guest: Guest,
  oldFd: number,
  oldPath: number,
  oldLength: number,
  newFd: number,
  newPath: number,
  newLength: number,
): number {
  using from = walkToChange(guest, oldFd, oldPath, oldLength);
  using to = walkToChange(guest, newFd, newPath, newLength);
  // A slash after either path requires that a directory is renamed.
  if (to.directoryOnly) from.directoryOnly = true;
  checkSlash(from);
  renameAt(from.directory, from.name, to.directory, to.name);
  return ESUCCESS;
}

function link(
  guest: Guest,
  oldFd: number,
  lookup: number,
  oldPath: number,
  oldLength: number,
  newFd: number,
  newPath: number,
  newLength: number,
): number {
  // As in wasmtime, the target of a symbolic link cannot be linked through it.
  if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) !== 0) return EINVAL;
  using from = walkToChange(guest, oldFd, oldPath, oldLength);
  using to = walkToChange(guest, newFd, newPath, newLength);
  checkSlash(from);
  if (to.directoryOnly) return ENOENT;
  linkAt(from.directory, from.name, to.directory, to.name);
  return ESUCCESS;
}

function symbolicLink(
  guest: Guest,
  target: number,
  targetLength: number,
  fd: number,
  path: number,
  length: number,
): number {
  const bytes = pathBytes(guest, target, targetLength);
  if (bytes.length === 0) return ENOENT;
  if (bytes.includes(0)) return EINVAL;
  // As in wasmtime: other programs that follow an absolute link leave the directory.
  if (isAbsolute(bytes)) return EPERM;
  using walk = walkToChange(guest, fd, path, length);
  if (walk.directoryOnly) return ENOENT;
  const text = new Uint8Array(new ArrayBuffer(bytes.length + 1));
  text.set(bytes);
  symbolicLinkAt(text, walk.directory, walk.name);
  return ESUCCESS;
}

function setFilestatTimes(
  guest: Guest,
  fd: number,
  lookup: number,
  path: number,
  length: number,
  accessed: bigint,
  modified: bigint,
  flags: number,
): number {
  using walk = walkToChange(guest, fd, path, length);
  followLinks(walk, lookup);
  checkSlash(walk);
  const status = statusAt(walk.directory, walk.name);
  const times = newTimes(flags, accessed, modified, status);
  setTimesAt(walk.directory, walk.name, ...times);
  return ESUCCESS;
}
