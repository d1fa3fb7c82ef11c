/**
 * The `path_*` calls: each one leads to a place within a directory of the guest,
 * and nowhere else (`walk.ts`).
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
import { encodeStatus, FILESTAT, filetypeOf } from "./fdstat.ts";
import { newTimes } from "./files.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import {
  type GuestDescriptor,
  GuestDirectory,
  GuestFile,
} from "./guest_file.ts";
import { FILE_RIGHTS, RIGHTS_FD_READ, RIGHTS_FD_WRITE } from "./rights.ts";
import { isAbsolute, Walk } from "./walk.ts";

/** The most bytes of a path that is copied out of a guest's memory; `Walk` refuses it then. */
const PATH_BYTES = 4096;

/** The calls of a guest on paths. */
export function pathCalls(guest: Guest): GuestCalls {
  return { ...opening(guest), ...looking(guest), ...changing(guest) };
}

/** The directory behind a number. @throws {Refusal} EBADF, ENOTDIR */
function requireDirectory({ table }: Guest, fd: number): GuestDirectory {
  const entry = table.require(fd);
  if (entry.kind !== "directory") throw new Refusal(ENOTDIR);
  return entry;
}

/** The same, where something is to be changed. @throws {Refusal} also EROFS */
function requireWritable(guest: Guest, fd: number): GuestDirectory {
  const directory = requireDirectory(guest, fd);
  if (!directory.writable) throw new Refusal(EROFS);
  return directory;
}

/** A path's bytes. @throws {Refusal} EFAULT, ENAMETOOLONG */
function pathBytes(
  { memory }: Guest,
  pointer: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  memory.check(pointer, length >>> 0);
  if (length >>> 0 > PATH_BYTES) throw new Refusal(ENAMETOOLONG);
  return memory.bytes(pointer, length >>> 0).slice();
}

/** Goes behind every link that the last component is, if the guest wants to. */
function followed(walk: Walk, lookup: number): Walk {
  if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) !== 0 || walk.directoryOnly) {
    while (walk.follow()) continue;
  }
  return walk;
}

/** @throws {Refusal} ENOTDIR if a slash follows what is no directory */
function checkSlash(walk: Walk): void {
  if (!walk.directoryOnly) return;
  const { mode } = statusAt(walk.directory, walk.name);
  if (fileType(mode) !== S_IFDIR) throw new Refusal(ENOTDIR);
}

function opening(guest: Guest): GuestCalls {
  const { memory, table } = guest;
  return {
    path_open(
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
      const base = requireDirectory(guest, fd);
      memory.check(stored, 4);
      table.requireRoom();
      const wish = new Wish(oflags, rights, fdflags);
      if (wish.changes && !base.writable) return EROFS;
      using walk = new Walk(base.fd, pathBytes(guest, path, length));
      const opened = open(walk, wish, lookup);
      memory.setUint32(stored, table.add(entryOf(opened, wish, base)));
      return ESUCCESS;
    },
  };
}

/** What a `path_open` asks for, in the system's own flags. */
class Wish {
  readonly flags: number;
  readonly fdflags: number;
  readonly rights: bigint;
  /** Whether it can change something: a file, or the directory. */
  readonly changes: boolean;
  readonly creates: boolean;
  readonly exclusive: boolean;

  /** @throws {Refusal} EINVAL if the flags contradict each other, ENOTSUP for those of integrity */
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
    // A directory is never written to, and cannot be opened for it.
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

/** Opens what a path leads to. Only what is no link is ever opened. */
function open(walk: Walk, wish: Wish, lookup: number): number {
  const { O_DIRECTORY } = system().constants;
  for (;;) {
    if (walk.directoryOnly && wish.creates) throw new Refusal(EISDIR);
    const slash = walk.directoryOnly ? O_DIRECTORY : 0;
    try {
      return openAt(walk.directory, walk.name, wish.flags | slash, 0o666);
    } catch (error) {
      if (wish.exclusive || !walk.isLink) throw error;
      if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) === 0 && slash === 0) {
        throw new Refusal(ELOOP);
      }
      walk.follow();
    }
  }
}

function entryOf(
  fd: number,
  { rights, fdflags }: Wish,
  base: GuestDirectory,
): GuestDescriptor {
  const type = fileType(statusOf(fd).mode);
  return type === S_IFDIR
    ? new GuestDirectory(fd, base.writable)
    : new GuestFile(fd, filetypeOf(type), rights, fdflags, base.writable);
}

function looking(guest: Guest): GuestCalls {
  const { memory } = guest;
  return {
    path_filestat_get(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      stored: number,
    ): number {
      const { fd: base } = requireDirectory(guest, fd);
      memory.check(stored, FILESTAT.size);
      using walk = new Walk(base, pathBytes(guest, path, length));
      followed(walk, lookup);
      checkSlash(walk);
      const status = statusAt(walk.directory, walk.name);
      encodeStatus(memory.view, stored >>> 0, status);
      return ESUCCESS;
    },

    path_readlink(
      fd: number,
      path: number,
      length: number,
      at: number,
      room: number,
      stored: number,
    ): number {
      const { fd: base } = requireDirectory(guest, fd);
      memory.check(at, room >>> 0);
      memory.check(stored, 4);
      using walk = new Walk(base, pathBytes(guest, path, length));
      const target = readLinkAt(walk.directory, walk.name);
      if (target === undefined) {
        statusAt(walk.directory, walk.name); // throws if there is nothing
        return EINVAL;
      }
      const part = target.subarray(0, room >>> 0);
      memory.bytes(at, part.length).set(part);
      memory.setUint32(stored, part.length);
      return ESUCCESS;
    },
  };
}

function changing(guest: Guest): GuestCalls {
  /** A place where something is to be changed. */
  function place(fd: number, path: number, length: number): Walk {
    const { fd: base } = requireWritable(guest, fd);
    return new Walk(base, pathBytes(guest, path, length));
  }

  return {
    path_create_directory(fd: number, path: number, length: number): number {
      using walk = place(fd, path, length);
      makeDirectoryAt(walk.directory, walk.name);
      return ESUCCESS;
    },

    path_remove_directory(fd: number, path: number, length: number): number {
      using walk = place(fd, path, length);
      removeAt(walk.directory, walk.name, true);
      return ESUCCESS;
    },

    path_unlink_file(fd: number, path: number, length: number): number {
      using walk = place(fd, path, length);
      checkSlash(walk);
      removeAt(walk.directory, walk.name, false);
      return ESUCCESS;
    },

    path_rename(
      oldFd: number,
      oldPath: number,
      oldLength: number,
      newFd: number,
      newPath: number,
      newLength: number,
    ): number {
      using from = place(oldFd, oldPath, oldLength);
      using to = place(newFd, newPath, newLength);
      // The slash of either says that what is renamed is a directory.
      if (to.directoryOnly) from.directoryOnly = true;
      checkSlash(from);
      renameAt(from.directory, from.name, to.directory, to.name);
      return ESUCCESS;
    },

    path_link(
      oldFd: number,
      lookup: number,
      oldPath: number,
      oldLength: number,
      newFd: number,
      newPath: number,
      newLength: number,
    ): number {
      // As in wasmtime: a further name for what a link leads to is not to be had.
      if ((lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) !== 0) return EINVAL;
      using from = place(oldFd, oldPath, oldLength);
      using to = place(newFd, newPath, newLength);
      checkSlash(from);
      if (to.directoryOnly) return ENOENT;
      linkAt(from.directory, from.name, to.directory, to.name);
      return ESUCCESS;
    },

    path_symlink(
      target: number,
      targetLength: number,
      fd: number,
      path: number,
      length: number,
    ): number {
      const says = pathBytes(guest, target, targetLength);
      if (says.length === 0) return ENOENT;
      if (says.includes(0)) return EINVAL;
      // As in wasmtime: whatever else follows it would land outside.
      if (isAbsolute(says)) return EPERM;
      using walk = place(fd, path, length);
      if (walk.directoryOnly) return ENOENT;
      const text = new Uint8Array(new ArrayBuffer(says.length + 1));
      text.set(says);
      symbolicLinkAt(text, walk.directory, walk.name);
      return ESUCCESS;
    },

    path_filestat_set_times(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      flags: number,
    ): number {
      using walk = place(fd, path, length);
      followed(walk, lookup);
      checkSlash(walk);
      const status = statusAt(walk.directory, walk.name);
      const times = newTimes(flags, accessed, modified, status);
      setTimesAt(walk.directory, walk.name, ...times);
      return ESUCCESS;
    },
  };
}
