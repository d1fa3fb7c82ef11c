/**
 * The `fd_*` calls on sockets and standard streams, and on files as far as both
 * have them.
 *
 * @module
 */

import { WOULD_BLOCK } from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import { FDFLAGS_NONBLOCK } from "../../backends/wasi/abi.ts";
import { EAGAIN, EINVAL, ESUCCESS } from "../../backends/wasi/errno.ts";
import { encodeFdstat, encodeFilestat, FDSTAT, FILESTAT } from "./fdstat.ts";
import type { FileAnswer } from "./files.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import type { GuestDescriptor, GuestStream } from "./guest_file.ts";
import type { Patience } from "./patience.ts";
import { rest, totalLength } from "./pieces.ts";

/** What a stream answers to a call; the arguments are those after the descriptor. */
type Answer = (
  stream: GuestStream,
  a: number,
  b: number,
  c: number,
) => number | Promise<number>;

/** The calls of a guest on whatever it has; `files` is what files answer. */
export function streamCalls(
  guest: Guest,
  patience: Patience,
  files: Readonly<Record<string, FileAnswer>>,
): GuestCalls {
  const { table, readiness } = guest;

  /** Lets go of what a number stood for. */
  function release(entry: GuestDescriptor): void {
    if (entry.kind === "stream") readiness.forget(entry.fileobj);
    entry.close();
  }

  const calls: GuestCalls = {
    fd_close(fd: number): number {
      const entry = table.require(fd);
      table.delete(fd);
      release(entry);
      return ESUCCESS;
    },

    fd_renumber(from: number, to: number): number {
      const replaced = table.renumber(from, to);
      if (replaced !== undefined) release(replaced);
      return ESUCCESS;
    },
  };
  for (const [name, answer] of Object.entries(answers(guest, patience))) {
    calls[name] = (fd: number, a: number, b: number, c: number) => {
      const entry = table.require(fd);
      return entry.kind === "stream"
        ? answer(entry, a, b, c)
        : files[name]!(entry, a, b, c);
    };
  }
  return calls;
}

function answers(guest: Guest, patience: Patience): Record<string, Answer> {
  const { memory } = guest;
  return {
    fd_read(stream, iovecs, count, stored): number | Promise<number> {
      memory.check(stored, 4);
      return patience.persist(stream, EVENT_READ, () => {
        const bytes = stream.read(memory.iovecs(iovecs, count));
        if (bytes === WOULD_BLOCK) return EAGAIN;
        memory.setUint32(stored, bytes);
        return ESUCCESS;
      });
    },

    fd_write: (stream, iovecs, count, stored) =>
      writeAll(guest, patience, stream, iovecs, count, stored),

    fd_fdstat_get(stream, at): number {
      memory.check(at, FDSTAT.size);
      encodeFdstat(memory.view, at >>> 0, {
        filetype: stream.filetype,
        flags: stream.nonblocking ? FDFLAGS_NONBLOCK : 0,
        rightsBase: stream.rights,
        rightsInheriting: stream.rightsInheriting,
      });
      return ESUCCESS;
    },

    fd_fdstat_set_flags(stream, flags): number {
      if ((flags & ~FDFLAGS_NONBLOCK) !== 0) return EINVAL;
      stream.nonblocking = (flags & FDFLAGS_NONBLOCK) !== 0;
      return ESUCCESS;
    },

    fd_filestat_get(stream, at): number {
      memory.check(at, FILESTAT.size);
      encodeFilestat(memory.view, at >>> 0, stream.filetype);
      return ESUCCESS;
    },
  };
}

/**
 * Writes everything, as a call that may wait has to; else what there is room for.
 *
 * @param iovecs Where the array of pieces is
 * @param count How many there are
 * @param stored Where the number of bytes goes
 */
export function writeAll(
  { memory }: Guest,
  patience: Patience,
  stream: GuestStream,
  iovecs: number,
  count: number,
  stored: number,
): number | Promise<number> {
  memory.check(stored, 4);
  let done = 0;
  return patience.persist(stream, EVENT_WRITE, () => {
    const pieces = memory.iovecs(iovecs, count);
    const written = writeRest(stream, pieces, done);
    if (written === WOULD_BLOCK && done === 0) return EAGAIN;
    done += Math.max(written, 0);
    const more = written !== 0 && done < totalLength(pieces);
    if (more && !stream.nonblocking) return EAGAIN;
    memory.setUint32(stored, done);
    return ESUCCESS;
  });
}

/** An error after a part was written is for the next call, which will run into it too. */
function writeRest(
  stream: GuestStream,
  pieces: readonly Uint8Array<ArrayBuffer>[],
  done: number,
): number {
  try {
    return stream.write(rest(pieces, done));
  } catch (error) {
    if (done === 0) throw error;
    return 0;
  }
}
