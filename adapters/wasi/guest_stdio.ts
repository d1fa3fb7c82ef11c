/**
 * The standard streams of a guest.
 *
 * @module
 */

import { read, WOULD_BLOCK, write } from "../../backends/ffi/mod.ts";
import {
  fileDescriptor,
  type FileObject,
  hasPipes,
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
import { gather, scatter, scratchBuffer, totalLength } from "./iovec.ts";
import { INPUT_RIGHTS, OUTPUT_RIGHTS } from "./rights.ts";

/** Whether the guest reads or writes the stream. */
export type StdioDirection = "input" | "output";

/**
 * The least room in a pipe or terminal that poll(2) reports as writable: a page on
 * Linux (pipe(7)).
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
  /** The most bytes of one write. */
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

  read(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "input") throw new Refusal(EBADF);
    // As read(2): without room there is nothing to wait for.
    if (totalLength(buffers) === 0) return 0;
    // The descriptor may be a blocking one, so it is polled first.
    if (this.#ready(POLLIN) === 0) return WOULD_BLOCK;
    if (buffers.length === 1) return read(this.#fd, buffers[0]!);
    const room = Math.min(totalLength(buffers), scratchBuffer().length);
    const count = read(this.#fd, scratchBuffer().subarray(0, room));
    if (count > 0) scatter(buffers, count);
    return count;
  }

  /** Never blocks: the reader of a pipe may run in this same thread. */
  write(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "output") throw new Refusal(EBADF);
    if (this.#ready(POLLOUT) === 0) return WOULD_BLOCK;
    const data = buffers.length === 1
      ? buffers[0]!
      : scratchBuffer().subarray(0, gather(buffers));
    return write(this.#fd, data.subarray(0, this.#most));
  }

  /** An empty pipe without writers reports POLLHUP and no POLLIN. */
  available(): number {
    const bits = this.#ready(POLLIN);
    return (bits & POLLHUP) !== 0 && (bits & POLLIN) === 0 ? END : 1;
  }

  /** Does nothing: the descriptor belongs to the host. */
  close(): void {}

  /** @throws {Refusal} EBADF if the host has closed it */
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

/** Whether a long write may block. Files and other devices never do. */
function mayWait(fd: number): boolean {
  try {
    if (!hasPipes || !isBlocking(fd)) return false;
    const type = fileType(statusOf(fd).mode);
    return type === S_IFIFO || type === S_IFSOCK || isTerminal(fd);
  } catch (error) {
    if (isSystemError(error)) return false; // closed: the first call reports it
    if (error instanceof Deno.errors.NotSupported) return true; // Windows cannot say.
    throw error;
  }
}
