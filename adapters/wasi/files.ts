/**
 * The `fd_*` calls on files and directories.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { read, WOULD_BLOCK, write } from "../../backends/ffi/descriptor.ts";
import { statusOf } from "../../backends/ffi/file_status.ts";
import {
  readDirectory,
  readFrom,
  seek,
  setLength,
  setTimes,
  sync,
  writeTo,
} from "../../backends/ffi/files.ts";
import { fcntl } from "../../backends/ffi/libc.ts";
import type { FileStatus } from "../../backends/ffi/structs/stat.ts";
import {
  FDFLAGS_APPEND,
  FDFLAGS_NONBLOCK,
  FILETYPE_DIRECTORY,
  FSTFLAGS_ATIM,
  FSTFLAGS_ATIM_NOW,
  FSTFLAGS_MTIM,
  FSTFLAGS_MTIM_NOW,
} from "../../backends/wasi/abi.ts";
import {
  EAGAIN,
  EBADF,
  EINVAL,
  ENAMETOOLONG,
  ENOTDIR,
  EROFS,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import { writeDirent } from "./dirent.ts";
import { FDSTAT, FILESTAT, writeFdstat, writeFileStat } from "./fdstat.ts";
import type { Guest } from "./guest.ts";
import type { GuestDirectory, GuestFile } from "./guest_file.ts";
import { totalLength } from "./iovec.ts";
import { DIRECTORY_RIGHTS, FILE_RIGHTS } from "./rights.ts";

type FileEntry = GuestFile | GuestDirectory;

/** A call on a file or directory, with the arguments that follow the descriptor. */
export type FileCall = (
  guest: Guest,
  entry: FileEntry,
  // deno-lint-ignore no-explicit-any -- each call has parameters of its own
  ...args: any[]
) => number;

/** The calls by name. */
export const FILE_CALLS: Readonly<Record<string, FileCall>> = {
  fd_advise: (_guest, entry) => (requireFile(entry), ESUCCESS),
  fd_allocate: allocate,
  fd_datasync: (_guest, entry) => (sync(entry.fd), ESUCCESS),
  fd_fdstat_get: getFdstat,
  fd_fdstat_set_flags: setFlags,
  fd_fdstat_set_rights: () => ESUCCESS,
  fd_filestat_get: getFilestat,
  fd_filestat_set_size: setSize,
  fd_filestat_set_times: setFileTimes,
  fd_pread: readAt,
  fd_prestat_dir_name: getPreopenName,
  fd_prestat_get: getPreopen,
  fd_pwrite: writeAt,
  fd_read: readFile,
  fd_readdir: readEntries,
  fd_seek: seekFile,
  fd_sync: (_guest, entry) => (sync(entry.fd), ESUCCESS),
  fd_tell: tell,
  fd_write: writeFile,
};

/** @throws {Refusal} EBADF if it is a directory */
function requireFile(entry: FileEntry): GuestFile {
  if (entry.kind !== "file") throw new Refusal(EBADF);
  return entry;
}

/** @throws {Refusal} EBADF unless it is a preopened directory */
function preopenName(entry: FileEntry): Uint8Array {
  if (entry.kind !== "directory" || entry.preopen === undefined) {
    throw new Refusal(EBADF);
  }
  return new TextEncoder().encode(entry.preopen.name);
}

/** Offsets and sizes are signed in C: from 2^63 on they are negative, an error. */
function int64(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

function allocate(
  _guest: Guest,
  entry: FileEntry,
  offset: bigint,
  length: bigint,
): number {
  const { fd } = requireFile(entry);
  const end = int64(offset) + int64(length);
  if (int64(offset) < 0n || int64(length) <= 0n) return EINVAL;
  if (statusOf(fd).length < end) setLength(fd, int64(end));
  return ESUCCESS;
}

function setSize(_guest: Guest, entry: FileEntry, size: bigint): number {
  setLength(requireFile(entry).fd, int64(size));
  return ESUCCESS;
}

function seekFile(
  guest: Guest,
  entry: FileEntry,
  offset: bigint,
  whence: number,
  stored: number,
): number {
  // The three values of preview 1 are those of <unistd.h>.
  if (whence >>> 0 > 2) return EINVAL;
  return move(guest, requireFile(entry), int64(offset), whence, stored);
}

function tell(guest: Guest, entry: FileEntry, stored: number): number {
  return move(guest, requireFile(entry), 0n, 1, stored);
}

function move(
  { memory }: Guest,
  { fd }: GuestFile,
  offset: bigint,
  whence: number,
  stored: number,
): number {
  memory.check(stored, 8);
  const position = seek(fd, offset, whence);
  memory.view.setBigUint64(stored >>> 0, position, true);
  return ESUCCESS;
}

function readFile(
  guest: Guest,
  entry: FileEntry,
  iovecs: number,
  count: number,
  stored: number,
): number {
  const { fd } = requireFile(entry);
  return transfer(guest, iovecs, count, stored, (buffer) => read(fd, buffer));
}

function writeFile(
  guest: Guest,
  entry: FileEntry,
  iovecs: number,
  count: number,
  stored: number,
): number {
  const { fd } = requireFile(entry);
  return transfer(guest, iovecs, count, stored, (buffer) => write(fd, buffer));
}

function readAt(
  guest: Guest,
  entry: FileEntry,
  iovecs: number,
  count: number,
  offset: bigint,
  stored: number,
): number {
  const { fd } = requireFile(entry);
  const one = (buffer: Uint8Array<ArrayBuffer>, done: number): number =>
    readFrom(fd, buffer, int64(offset + BigInt(done)));
  return transfer(guest, iovecs, count, stored, one);
}

function writeAt(
  guest: Guest,
  entry: FileEntry,
  iovecs: number,
  count: number,
  offset: bigint,
  stored: number,
): number {
  const { fd } = requireFile(entry);
  const one = (buffer: Uint8Array<ArrayBuffer>, done: number): number =>
    writeTo(fd, buffer, int64(offset + BigInt(done)));
  return transfer(guest, iovecs, count, stored, one);
}

/** Reads or writes one buffer after the other, until one is not transferred whole. */
function transfer(
  { memory }: Guest,
  iovecs: number,
  count: number,
  stored: number,
  one: (buffer: Uint8Array<ArrayBuffer>, done: number) => number,
): number {
  memory.check(stored, 4);
  const buffers = memory.buffers(iovecs, count);
  // Buffers may overlap, but no honest program has more of them than memory.
  if (totalLength(buffers) > memory.view.byteLength) return EINVAL;
  let done = 0;
  for (const buffer of buffers) {
    if (buffer.length === 0) continue;
    const bytes = attempt(() => one(buffer, done), done);
    if (bytes === WOULD_BLOCK && done === 0) return EAGAIN;
    done += Math.max(bytes, 0);
    if (bytes < buffer.length) break;
  }
  memory.setUint32(stored, done);
  return ESUCCESS;
}

/** After a partial transfer, an error is left to the next call, which meets it again. */
function attempt(call: () => number, done: number): number {
  try {
    return call();
  } catch (error) {
    if (done === 0) throw error;
    return 0;
  }
}

function readEntries(
  { memory }: Guest,
  entry: FileEntry,
  at: number,
  room: number,
  cookie: bigint,
  stored: number,
): number {
  if (entry.kind !== "directory") return ENOTDIR;
  memory.check(at, room >>> 0);
  memory.check(stored, 4);
  // Cookie 0 reads the directory anew; any other is an index into that reading.
  const first = Number(BigInt.asUintN(64, cookie));
  if (first === 0) entry.entries = undefined;
  entry.entries ??= readDirectory(entry.fd);
  const target = memory.bytes(at, room >>> 0);
  let used = 0;
  for (let index = first; index < entry.entries.length; index++) {
    const rest = target.subarray(used);
    used += writeDirent(rest, entry.entries[index]!, index + 1);
    if (used === target.length) break;
  }
  memory.setUint32(stored, used);
  return ESUCCESS;
}

function getFdstat({ memory }: Guest, entry: FileEntry, at: number): number {
  memory.check(at, FDSTAT.size);
  const isFile = entry.kind === "file";
  writeFdstat(memory.view, at >>> 0, {
    filetype: isFile ? entry.filetype : FILETYPE_DIRECTORY,
    flags: isFile ? entry.flags : 0,
    rightsBase: isFile ? entry.rights : DIRECTORY_RIGHTS,
    rightsInheriting: isFile ? 0n : FILE_RIGHTS | DIRECTORY_RIGHTS,
  });
  return ESUCCESS;
}

function setFlags(_guest: Guest, entry: FileEntry, flags: number): number {
  if ((flags & ~(FDFLAGS_APPEND | FDFLAGS_NONBLOCK)) !== 0) return EINVAL;
  if (entry.kind === "directory") return ESUCCESS;
  const { F_SETFL, O_APPEND, O_NONBLOCK } = system().constants;
  const append = (flags & FDFLAGS_APPEND) !== 0 ? O_APPEND : 0;
  // The host's descriptor never blocks, whatever the guest asks for.
  fcntl(entry.fd, F_SETFL, append | O_NONBLOCK);
  entry.flags = flags;
  return ESUCCESS;
}

function getFilestat({ memory }: Guest, entry: FileEntry, at: number): number {
  memory.check(at, FILESTAT.size);
  writeFileStat(memory.view, at >>> 0, statusOf(entry.fd));
  return ESUCCESS;
}

function setFileTimes(
  _guest: Guest,
  entry: FileEntry,
  accessed: bigint,
  modified: bigint,
  flags: number,
): number {
  if (!entry.writable) return EROFS;
  const times = newTimes(flags, accessed, modified, statusOf(entry.fd));
  setTimes(entry.fd, ...times);
  return ESUCCESS;
}

function getPreopen({ memory }: Guest, entry: FileEntry, at: number): number {
  const name = preopenName(entry);
  memory.check(at, 8);
  memory.setUint32(at, 0); // __WASI_PREOPENTYPE_DIR
  memory.setUint32((at >>> 0) + 4, name.length);
  return ESUCCESS;
}

function getPreopenName(
  { memory }: Guest,
  entry: FileEntry,
  at: number,
  room: number,
): number {
  const name = preopenName(entry);
  if (room >>> 0 < name.length) return ENAMETOOLONG;
  memory.check(at, room >>> 0);
  memory.bytes(at, name.length).set(name);
  return ESUCCESS;
}

/**
 * The two times that a call asks for, in nanoseconds.
 *
 * @throws {Refusal} EINVAL if the flags ask for now and for another time at once
 */
export function newTimes(
  flags: number,
  accessed: bigint,
  modified: bigint,
  old: FileStatus,
): [accessed: bigint, modified: bigint] {
  const now = BigInt(Date.now()) * 1_000_000n;
  const pick = (
    given: number,
    current: number,
    wanted: bigint,
    unchanged: bigint,
  ): bigint => {
    switch (flags & (given | current)) {
      case 0:
        return unchanged;
      case given:
        return BigInt.asUintN(64, wanted);
      case current:
        return now;
      default:
        throw new Refusal(EINVAL);
    }
  };
  return [
    pick(FSTFLAGS_ATIM, FSTFLAGS_ATIM_NOW, accessed, old.accessed),
    pick(FSTFLAGS_MTIM, FSTFLAGS_MTIM_NOW, modified, old.modified),
  ];
}
