/**
 * The `fd_*` calls on sockets and standard streams.
 *
 * @module
 */

import { WOULD_BLOCK } from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import { FDFLAGS_NONBLOCK } from "../../backends/wasi/abi.ts";
import {
  EAGAIN,
  EBADF,
  EINVAL,
  ENOTDIR,
  ENOTSUP,
  ERRNO,
  ESPIPE,
  ESUCCESS,
} from "../../backends/wasi/errno.ts";
import { FDSTAT, FILESTAT, writeFdstat, writeStreamStat } from "./fdstat.ts";
import type { Guest } from "./guest.ts";
import type { GuestStream } from "./guest_file.ts";
import { remaining, totalLength } from "./iovec.ts";
import { retryUntilReady } from "./retry.ts";

/** A call on a stream, with the arguments that follow the descriptor. */
export type StreamCall = (
  guest: Guest,
  stream: GuestStream,
  // deno-lint-ignore no-explicit-any -- each call has parameters of its own
  ...args: any[]
) => number | Promise<number>;

/**
 * The calls by name. `fd_prestat_get` returns EBADF because that ends wasi-libc's
 * search for directories (wasmtime#3936).
 */
export const STREAM_CALLS: Readonly<Record<string, StreamCall>> = {
  fd_read: readStream,
  fd_write: writeStream,
  fd_fdstat_get: getFdstat,
  fd_fdstat_set_flags: setFlags,
  fd_filestat_get: getFilestat,
  fd_advise: () => ESPIPE,
  fd_allocate: () => ERRNO.ENODEV,
  fd_datasync: () => EINVAL,
  fd_fdstat_set_rights: () => ENOTSUP,
  fd_filestat_set_size: () => EINVAL,
  fd_filestat_set_times: () => EINVAL,
  fd_pread: () => ESPIPE,
  fd_prestat_dir_name: () => EBADF,
  fd_prestat_get: () => EBADF,
  fd_pwrite: () => ESPIPE,
  fd_readdir: () => ENOTDIR,
  fd_seek: () => ESPIPE,
  fd_sync: () => EINVAL,
  fd_tell: () => ESPIPE,
};

function readStream(
  guest: Guest,
  stream: GuestStream,
  iovecs: number,
  count: number,
  stored: number,
): number | Promise<number> {
  const { memory } = guest;
  memory.check(stored, 4);
  return retryUntilReady(guest, stream, EVENT_READ, () => {
    const bytes = stream.read(memory.buffers(iovecs, count));
    if (bytes === WOULD_BLOCK) return EAGAIN;
    memory.setUint32(stored, bytes);
    return ESUCCESS;
  });
}

/**
 * Writes all bytes; with NONBLOCK, as many as there is room for.
 *
 * @param iovecs The address of the iovecs
 * @param count The number of iovecs
 * @param stored The address for the number of bytes
 */
export function writeStream(
  guest: Guest,
  stream: GuestStream,
  iovecs: number,
  count: number,
  stored: number,
): number | Promise<number> {
  const { memory } = guest;
  memory.check(stored, 4);
  let done = 0;
  return retryUntilReady(guest, stream, EVENT_WRITE, () => {
    const buffers = memory.buffers(iovecs, count);
    const written = writeRest(stream, buffers, done);
    if (written === WOULD_BLOCK && done === 0) return EAGAIN;
    done += Math.max(written, 0);
    const more = written !== 0 && done < totalLength(buffers);
    if (more && !stream.nonblocking) return EAGAIN;
    memory.setUint32(stored, done);
    return ESUCCESS;
  });
}

/** After a partial write, an error is left to the next call, which meets it again. */
function writeRest(
  stream: GuestStream,
  buffers: readonly Uint8Array<ArrayBuffer>[],
  done: number,
): number {
  try {
    return stream.write(remaining(buffers, done));
  } catch (error) {
    if (done === 0) throw error;
    return 0;
  }
}

function getFdstat({ memory }: Guest, stream: GuestStream, at: number): number {
  memory.check(at, FDSTAT.size);
  writeFdstat(memory.view, at >>> 0, {
    filetype: stream.filetype,
    flags: stream.nonblocking ? FDFLAGS_NONBLOCK : 0,
    rightsBase: stream.rights,
    rightsInheriting: stream.rightsInheriting,
  });
  return ESUCCESS;
}

function setFlags(_guest: Guest, stream: GuestStream, flags: number): number {
  if ((flags & ~FDFLAGS_NONBLOCK) !== 0) return EINVAL;
  stream.nonblocking = (flags & FDFLAGS_NONBLOCK) !== 0;
  return ESUCCESS;
}

function getFilestat(
  { memory }: Guest,
  stream: GuestStream,
  at: number,
): number {
  memory.check(at, FILESTAT.size);
  writeStreamStat(memory.view, at >>> 0, stream.filetype);
  return ESUCCESS;
}
