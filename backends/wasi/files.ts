/**
 * What is left to `node:wasi`: files, directories, clocks, chance, arguments.
 *
 * It has a table of descriptors of its own, which a guest never sees: numbers
 * are translated on the way in, and those of newly opened files on the way out.
 *
 * @module
 */

import {
  EBADF,
  EINVAL,
  ENOTDIR,
  ERRNO,
  ESPIPE,
  ESUCCESS,
  Refusal,
} from "./errno.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import type { GuestMemory } from "./memory.ts";
import { totalLength } from "./pieces.ts";

/** Calls without a descriptor. `proc_exit` is not among them: it ends the guest, not Deno. */
const PLAIN = [
  "args_get",
  "args_sizes_get",
  "environ_get",
  "environ_sizes_get",
  "clock_res_get",
  "clock_time_get",
  "random_get",
  "proc_raise",
  "sched_yield",
] as const;

/**
 * Calls with descriptors: which of their arguments those are, and what they
 * answer where one is a stream. `fd_prestat_get` says EBADF since that is where
 * wasi-libc stops looking for directories (wasmtime#3936).
 */
const WITH_DESCRIPTORS: Readonly<
  Record<string, { readonly fds: readonly number[]; readonly stream: number }>
> = {
  fd_advise: { fds: [0], stream: ESPIPE },
  fd_allocate: { fds: [0], stream: ERRNO.ENODEV },
  fd_datasync: { fds: [0], stream: EINVAL },
  fd_fdstat_set_rights: { fds: [0], stream: ERRNO.ENOTSUP },
  fd_filestat_set_size: { fds: [0], stream: EINVAL },
  fd_filestat_set_times: { fds: [0], stream: EINVAL },
  fd_pread: { fds: [0], stream: ESPIPE },
  fd_prestat_dir_name: { fds: [0], stream: EBADF },
  fd_prestat_get: { fds: [0], stream: EBADF },
  fd_pwrite: { fds: [0], stream: ESPIPE },
  fd_readdir: { fds: [0], stream: ENOTDIR },
  fd_seek: { fds: [0], stream: ESPIPE },
  fd_sync: { fds: [0], stream: EINVAL },
  fd_tell: { fds: [0], stream: ESPIPE },
  path_create_directory: { fds: [0], stream: ENOTDIR },
  path_filestat_get: { fds: [0], stream: ENOTDIR },
  path_filestat_set_times: { fds: [0], stream: ENOTDIR },
  path_link: { fds: [0, 4], stream: ENOTDIR },
  path_open: { fds: [0], stream: ENOTDIR },
  path_readlink: { fds: [0], stream: ENOTDIR },
  path_remove_directory: { fds: [0], stream: ENOTDIR },
  path_rename: { fds: [0, 3], stream: ENOTDIR },
  path_symlink: { fds: [2], stream: ENOTDIR },
  path_unlink_file: { fds: [0], stream: ENOTDIR },
};

/**
 * Which arguments are a pointer and a number of bytes. `node:wasi` of Deno 2.9
 * makes room for whatever number it is told before it looks whether the guest has
 * that much, and a number that is large enough ends the process.
 */
const PIECES: Readonly<
  Record<string, readonly (readonly [pointer: number, length: number])[]>
> = {
  fd_prestat_dir_name: [[1, 2]],
  fd_readdir: [[1, 2]],
  path_create_directory: [[1, 2]],
  path_filestat_get: [[2, 3]],
  path_filestat_set_times: [[2, 3]],
  path_link: [[2, 3], [5, 6]],
  path_open: [[2, 3]],
  path_readlink: [[1, 2], [3, 4]],
  path_remove_directory: [[1, 2]],
  path_rename: [[1, 2], [4, 5]],
  path_symlink: [[0, 1], [3, 4]],
  path_unlink_file: [[1, 2]],
  random_get: [[0, 1]],
};

/** Calls whose second and third arguments are an array of iovecs and its length. */
const WITH_IOVECS = ["fd_pread", "fd_pwrite", "fd_read", "fd_write"];

/** Which argument of `path_open` says where the new number goes. */
const PATH_OPEN_STORED = 8;

/** The calls of `node:wasi`, without those whose lengths it would not survive. */
export function checkedCalls(
  memory: GuestMemory,
  inner: GuestCalls,
): GuestCalls {
  const calls = { ...inner };
  for (const [name, pieces] of Object.entries(PIECES)) {
    const call = inner[name]!;
    calls[name] = (...args: number[]) => {
      for (const [pointer, length] of pieces) {
        memory.check(args[pointer]!, args[length]! >>> 0);
      }
      return call(...args);
    };
  }
  for (const name of WITH_IOVECS) {
    const call = inner[name]!;
    calls[name] = (...args: number[]) => {
      const pieces = memory.iovecs(args[1]!, args[2]!);
      // Pieces may overlap; no honest program has more of them than memory.
      if (totalLength(pieces) > memory.view.byteLength) return EINVAL;
      return call(...args);
    };
  }
  return calls;
}

/** The calls of a guest that `node:wasi` answers. */
export function fileCalls(guest: Guest, inner: GuestCalls): GuestCalls {
  const calls: GuestCalls = {};
  for (const name of PLAIN) calls[name] = inner[name]!;
  for (const [name, { fds, stream }] of Object.entries(WITH_DESCRIPTORS)) {
    const call = inner[name]!;
    calls[name] = (...args: unknown[]) => {
      for (const index of fds) {
        const entry = guest.table.require(args[index] as number);
        if (entry.kind === "stream") throw new Refusal(stream);
        args[index] = entry.number;
      }
      return call(...args);
    };
  }
  calls.path_open = opened(guest, calls.path_open!);
  return calls;
}

/** Gives a file that `node:wasi` has opened a number of the guest. */
function opened(
  { memory, table }: Guest,
  pathOpen: GuestCalls[string],
): GuestCalls[string] {
  return (...args: number[]) => {
    const stored = args[PATH_OPEN_STORED]!;
    memory.check(stored, 4);
    const errno = pathOpen(...args);
    if (errno !== ESUCCESS) return errno;
    const number = memory.getUint32(stored);
    memory.setUint32(stored, table.add({ kind: "file", number }));
    return ESUCCESS;
  };
}
