/**
 * The `fd_*` calls on files and directories, and what is left to `node:wasi`:
 * clocks, chance, arguments.
 *
 * `node:wasi` of Deno 2.9 has files too, which these calls do not use: it asks
 * for no permission, follows links out of a preopened directory, and lets a path
 * below one lead anywhere.
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
import { encodeDirent } from "./dirent.ts";
import {
  EAGAIN,
  EBADF,
  EINVAL,
  ENOTDIR,
  ERRNO,
  ESPIPE,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import { encodeFdstat, encodeStatus, FDSTAT, FILESTAT } from "./fdstat.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import type { GuestDirectory, GuestFile } from "./guest_file.ts";
import { totalLength } from "./pieces.ts";
import { DIRECTORY_RIGHTS, FILE_RIGHTS } from "./rights.ts";

/** Calls that `node:wasi` answers. `proc_exit` is not among them: it ends the guest, not Deno. */
const PLAIN = [
  "args_get",
  "args_sizes_get",
  "environ_get",
  "environ_sizes_get",
  "clock_res_get",
  "clock_time_get",
  "proc_raise",
  "sched_yield",
] as const;

/**
 * What calls that are for files alone answer where the descriptor is a stream.
 * `fd_prestat_get` says EBADF since that is where wasi-libc stops looking for
 * directories (wasmtime#3936).
 */
const ON_STREAMS: Readonly<Record<string, number>> = {
  fd_advise: ESPIPE,
  fd_allocate: ERRNO.ENODEV,
  fd_datasync: EINVAL,
  fd_fdstat_set_rights: ERRNO.ENOTSUP,
  fd_filestat_set_size: EINVAL,
  fd_filestat_set_times: EINVAL,
  fd_pread: ESPIPE,
  fd_prestat_dir_name: EBADF,
  fd_prestat_get: EBADF,
  fd_pwrite: ESPIPE,
  fd_readdir: ENOTDIR,
  fd_seek: ESPIPE,
  fd_sync: EINVAL,
  fd_tell: ESPIPE,
};

/** What a file or directory answers to a call; the arguments are those after the descriptor. */
export type FileAnswer = (
  entry: GuestFile | GuestDirectory,
  // deno-lint-ignore no-explicit-any
  ...args: any[]
) => number;

/** The calls that `node:wasi` answers, and those on files alone. */
export function fileCalls(
  { memory, table }: Guest,
  inner: GuestCalls,
  answers: Readonly<Record<string, FileAnswer>>,
): GuestCalls {
  const calls: GuestCalls = {};
  for (const name of PLAIN) calls[name] = inner[name]!;
  // It makes room for whatever number it is told before it looks whether the guest has that much.
  calls.random_get = (pointer: number, length: number) => {
    memory.check(pointer, length >>> 0);
    return inner.random_get!(pointer, length);
  };
  for (const [name, onStream] of Object.entries(ON_STREAMS)) {
    const answer = answers[name]!;
    calls[name] = (fd: number, ...args: unknown[]) => {
      const entry = table.require(fd);
      return entry.kind === "stream" ? onStream : answer(entry, ...args);
    };
  }
  return calls;
}

/** What files and directories answer, by the name of the call. */
export function fileAnswers(guest: Guest): Record<string, FileAnswer> {
  return { ...positions(guest), ...contents(guest), ...descriptions(guest) };
}

/** @throws {Refusal} EBADF if it is a directory */
function requireFile(entry: GuestFile | GuestDirectory): GuestFile {
  if (entry.kind !== "file") throw new Refusal(EBADF);
  return entry;
}

/** @throws {Refusal} EBADF if it is a file that was not given but opened */
function requirePreopen(entry: GuestFile | GuestDirectory): Uint8Array {
  if (entry.kind !== "directory" || entry.preopen === undefined) {
    throw new Refusal(EBADF);
  }
  return new TextEncoder().encode(entry.preopen);
}

/** What C makes of a number of 64 bits: negative from 2^63 on, which no file reaches. */
function int64(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

/** Where in a file the guest is, and how long the file is. */
function positions({ memory }: Guest): Record<string, FileAnswer> {
  /** Moves, and tells where it has come to. */
  function move(
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

  return {
    fd_advise: (entry) => (requireFile(entry), ESUCCESS),

    fd_allocate(entry, offset: bigint, length: bigint): number {
      const { fd } = requireFile(entry);
      const end = int64(offset) + int64(length);
      if (int64(offset) < 0n || int64(length) <= 0n) return EINVAL;
      if (statusOf(fd).length < end) setLength(fd, int64(end));
      return ESUCCESS;
    },

    fd_filestat_set_size(entry, size: bigint): number {
      setLength(requireFile(entry).fd, int64(size));
      return ESUCCESS;
    },

    fd_seek(entry, offset: bigint, whence: number, stored: number): number {
      // The three of preview 1 are numbered as those of <unistd.h>.
      if (whence >>> 0 > 2) return EINVAL;
      return move(requireFile(entry), int64(offset), whence, stored);
    },

    fd_tell: (entry, stored: number) => move(requireFile(entry), 0n, 1, stored),

    fd_datasync: (entry) => (sync(entry.fd), ESUCCESS),
    fd_sync: (entry) => (sync(entry.fd), ESUCCESS),
  };
}

/** What is in a file or directory. */
function contents({ memory }: Guest): Record<string, FileAnswer> {
  /** Takes one piece after the other, as long as each is taken whole. */
  function scattered(
    iovecs: number,
    count: number,
    stored: number,
    transfer: (piece: Uint8Array<ArrayBuffer>, done: number) => number,
  ): number {
    memory.check(stored, 4);
    const pieces = memory.iovecs(iovecs, count);
    // Pieces may overlap; no honest program has more of them than memory.
    if (totalLength(pieces) > memory.view.byteLength) return EINVAL;
    let done = 0;
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      const bytes = attempt(() => transfer(piece, done), done);
      if (bytes === WOULD_BLOCK && done === 0) return EAGAIN;
      done += Math.max(bytes, 0);
      if (bytes < piece.length) break;
    }
    memory.setUint32(stored, done);
    return ESUCCESS;
  }

  return {
    fd_read(entry, iovecs: number, count: number, stored: number): number {
      const { fd } = requireFile(entry);
      return scattered(iovecs, count, stored, (piece) => read(fd, piece));
    },

    fd_write(entry, iovecs: number, count: number, stored: number): number {
      const { fd } = requireFile(entry);
      return scattered(iovecs, count, stored, (piece) => write(fd, piece));
    },

    fd_pread(
      entry,
      iovecs: number,
      count: number,
      offset: bigint,
      stored: number,
    ): number {
      const { fd } = requireFile(entry);
      return scattered(
        ...[iovecs, count, stored] as const,
        (piece, done) => readFrom(fd, piece, int64(offset + BigInt(done))),
      );
    },

    fd_pwrite(
      entry,
      iovecs: number,
      count: number,
      offset: bigint,
      stored: number,
    ): number {
      const { fd } = requireFile(entry);
      return scattered(
        ...[iovecs, count, stored] as const,
        (piece, done) => writeTo(fd, piece, int64(offset + BigInt(done))),
      );
    },

    fd_readdir(
      entry,
      at: number,
      room: number,
      cookie: bigint,
      stored: number,
    ): number {
      if (entry.kind !== "directory") return ENOTDIR;
      memory.check(at, room >>> 0);
      memory.check(stored, 4);
      const first = Number(BigInt.asUintN(64, cookie));
      // From its beginning a directory is read anew; a cookie is a place in what was read.
      if (first === 0) entry.entries = undefined;
      entry.entries ??= readDirectory(entry.fd);
      const target = memory.bytes(at, room >>> 0);
      let used = 0;
      for (let index = first; index < entry.entries.length; index++) {
        used += encodeDirent(
          target.subarray(used),
          entry.entries[index]!,
          index + 1,
        );
        if (used === target.length) break;
      }
      memory.setUint32(stored, used);
      return ESUCCESS;
    },
  };
}

/** An error after a part was done is for the next call, which will run into it too. */
function attempt(call: () => number, done: number): number {
  try {
    return call();
  } catch (error) {
    if (done === 0) throw error;
    return 0;
  }
}

/** What there is to know of a descriptor. */
function descriptions({ memory }: Guest): Record<string, FileAnswer> {
  return {
    fd_fdstat_get(entry, at: number): number {
      memory.check(at, FDSTAT.size);
      const isFile = entry.kind === "file";
      encodeFdstat(memory.view, at >>> 0, {
        filetype: isFile ? entry.filetype : FILETYPE_DIRECTORY,
        flags: isFile ? entry.flags : 0,
        rightsBase: isFile ? entry.rights : DIRECTORY_RIGHTS,
        rightsInheriting: isFile ? 0n : FILE_RIGHTS | DIRECTORY_RIGHTS,
      });
      return ESUCCESS;
    },

    fd_fdstat_set_flags(entry, flags: number): number {
      if ((flags & ~(FDFLAGS_APPEND | FDFLAGS_NONBLOCK)) !== 0) return EINVAL;
      if (entry.kind === "directory") return ESUCCESS;
      const { F_SETFL, O_APPEND, O_NONBLOCK } = system().constants;
      const append = (flags & FDFLAGS_APPEND) !== 0 ? O_APPEND : 0;
      // What could wait never does here, whatever the guest would like.
      fcntl(entry.fd, F_SETFL, append | O_NONBLOCK);
      entry.flags = flags;
      return ESUCCESS;
    },

    fd_fdstat_set_rights: () => ESUCCESS,

    fd_filestat_get(entry, at: number): number {
      memory.check(at, FILESTAT.size);
      encodeStatus(memory.view, at >>> 0, statusOf(entry.fd));
      return ESUCCESS;
    },

    fd_filestat_set_times(
      entry,
      accessed: bigint,
      modified: bigint,
      flags: number,
    ): number {
      if (!entry.writable) return ERRNO.EROFS;
      const times = newTimes(flags, accessed, modified, statusOf(entry.fd));
      setTimes(entry.fd, ...times);
      return ESUCCESS;
    },

    fd_prestat_get(entry, at: number): number {
      const name = requirePreopen(entry);
      memory.check(at, 8);
      memory.setUint32(at, 0); // __WASI_PREOPENTYPE_DIR
      memory.setUint32((at >>> 0) + 4, name.length);
      return ESUCCESS;
    },

    fd_prestat_dir_name(entry, at: number, room: number): number {
      const name = requirePreopen(entry);
      if (room >>> 0 < name.length) return ERRNO.ENAMETOOLONG;
      memory.check(at, room >>> 0);
      memory.bytes(at, name.length).set(name);
      return ESUCCESS;
    },
  };
}

/**
 * The two times that a call asks for, in nanoseconds.
 *
 * @throws {Refusal} EINVAL if a time is to be both now and another one
 */
export function newTimes(
  flags: number,
  accessed: bigint,
  modified: bigint,
  { accessed: oldAccessed, modified: oldModified }: FileStatus,
): [accessed: bigint, modified: bigint] {
  const now = BigInt(Date.now()) * 1_000_000n;
  const pick = (
    set: number,
    setNow: number,
    wanted: bigint,
    old: bigint,
  ): bigint => {
    switch (flags & (set | setNow)) {
      case 0:
        return old;
      case set:
        return BigInt.asUintN(64, wanted);
      case setNow:
        return now;
      default:
        throw new Refusal(EINVAL);
    }
  };
  return [
    pick(FSTFLAGS_ATIM, FSTFLAGS_ATIM_NOW, accessed, oldAccessed),
    pick(FSTFLAGS_MTIM, FSTFLAGS_MTIM_NOW, modified, oldModified),
  ];
}
