/**
 * A guest's standard streams.
 *
 * `node:wasi` of Deno 2.9 reads from and writes to the numbers 0, 1 and 2
 * whatever it is told, and never waits for them; so these are ours.
 *
 * @module
 */

import { read, WOULD_BLOCK, write } from "../../backends/ffi/mod.ts";
import {
  fileDescriptor,
  type FileObject,
  isBlocking,
} from "../../backends/ffi/descriptor.ts";
import { isSystemError } from "../../backends/ffi/errors.ts";
import { statusOf } from "../../backends/ffi/file_status.ts";
import {
  fileType,
  S_IFIFO,
  S_IFSOCK,
} from "../../backends/ffi/structs/stat.ts";
import { PollFds } from "../../backends/ffi/structs/pollfd.ts";
import { POLLHUP, POLLIN, pollOnce, POLLOUT } from "../../backends/poll.ts";
import {
  FILETYPE_CHARACTER_DEVICE,
  FILETYPE_UNKNOWN,
} from "../../backends/wasi/abi.ts";
import { EBADF, Refusal } from "../../backends/wasi/errno.ts";
import { END, type GuestStream } from "./guest_file.ts";
import { gather, scatter, scratchBuffer, totalLength } from "./pieces.ts";
import { INPUT_RIGHTS, OUTPUT_RIGHTS } from "./rights.ts";

/** Which of the three it is to be. */
export type StdioDirection = "input" | "output";

/**
 * How much room there is, at least, in a pipe or a terminal that poll(2) says can
 * be written to: a page on Linux (pipe(7)).
 */
const ROOM_BYTES = 4096;

const fds = new PollFds(1);

/** A standard stream of a guest on any descriptor of the host, blocking or not. */
export class GuestStdio implements GuestStream {
  readonly kind = "stream";
  readonly fileobj: FileObject;
  readonly filetype: number;
  readonly rights: bigint;
  readonly rightsInheriting = 0n;
  nonblocking = false;
  readonly #direction: StdioDirection;
  /** How many bytes a write may have. */
  readonly #most: number;

  constructor(fileobj: FileObject, direction: StdioDirection) {
    this.fileobj = fileobj;
    this.#direction = direction;
    this.#most = mayWait(fileDescriptor(fileobj)) ? ROOM_BYTES : Infinity;
    this.rights = direction === "input" ? INPUT_RIGHTS : OUTPUT_RIGHTS;
    this.filetype = isTerminal(fileDescriptor(fileobj))
      ? FILETYPE_CHARACTER_DEVICE
      : FILETYPE_UNKNOWN;
  }

  read(pieces: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "input") throw new Refusal(EBADF);
    // The descriptor may be one that waits, and only we know whether the guest wants to.
    if (this.#ready(POLLIN) === 0) return WOULD_BLOCK;
    if (pieces.length === 1) return read(this.#fd, pieces[0]!);
    const room = Math.min(totalLength(pieces), scratchBuffer().length);
    const count = read(this.#fd, scratchBuffer().subarray(0, room));
    if (count > 0) scatter(pieces, count);
    return count;
  }

  /** Never waits: what reads the other end may run in this very thread. */
  write(pieces: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "output") throw new Refusal(EBADF);
    if (this.#ready(POLLOUT) === 0) return WOULD_BLOCK;
    const data = pieces.length === 1
      ? pieces[0]!
      : scratchBuffer().subarray(0, gather(pieces));
    return write(this.#fd, data.subarray(0, this.#most));
  }

  /** A pipe whose writers are gone hangs up, and says so without POLLIN when it is empty. */
  available(): number {
    const bits = this.#ready(POLLIN);
    return (bits & POLLHUP) !== 0 && (bits & POLLIN) === 0 ? END : 1;
  }

  /** The descriptor is the host's: the guest only loses sight of it. */
  close(): void {}

  /** @throws {Refusal} EBADF if its owner has closed it under the guest's hands */
  get #fd(): number {
    const { fileobj } = this;
    const fd = typeof fileobj === "number" ? fileobj : fileobj.fd;
    if (fd < 0) throw new Refusal(EBADF);
    return fd;
  }

  #ready(events: number): number {
    fds.set(0, this.#fd, events);
    return pollOnce(fds, 1, 0) > 0 ? fds.returned(0) : 0;
  }
}

function isTerminal(fd: number): boolean {
  const stream = [Deno.stdin, Deno.stdout, Deno.stderr][fd];
  return stream !== undefined && stream.isTerminal();
}

/** Whether a write of more than there is room for would wait. Files and devices have room. */
function mayWait(fd: number): boolean {
  try {
    if (!isBlocking(fd)) return false;
    const type = fileType(statusOf(fd).mode);
    return type === S_IFIFO || type === S_IFSOCK || isTerminal(fd);
  } catch (error) {
    if (isSystemError(error)) return false; // closed: the first call will say so
    throw error;
  }
}
