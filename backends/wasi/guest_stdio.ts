/**
 * A guest's standard streams.
 *
 * `node:wasi` of Deno 2.9 reads from and writes to the numbers 0, 1 and 2
 * whatever it is told, and never waits for them; so these are ours.
 *
 * @module
 */

import { read, WOULD_BLOCK, write } from "../ffi/mod.ts";
import { fileDescriptor, type FileObject } from "../ffi/descriptor.ts";
import { PollFds } from "../ffi/structs/pollfd.ts";
import { POLLHUP, POLLIN, pollOnce, POLLOUT } from "../poll.ts";
import { FILETYPE_CHARACTER_DEVICE, FILETYPE_UNKNOWN } from "./abi.ts";
import { EBADF, Refusal } from "./errno.ts";
import { END, type GuestStream } from "./guest_file.ts";
import { gather, scatter, scratchBuffer, totalLength } from "./pieces.ts";
import { INPUT_RIGHTS, OUTPUT_RIGHTS } from "./rights.ts";

/** Which of the three it is to be. */
export type StdioDirection = "input" | "output";

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

  constructor(fileobj: FileObject, direction: StdioDirection) {
    this.fileobj = fileobj;
    this.#direction = direction;
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

  write(pieces: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "output") throw new Refusal(EBADF);
    if (this.nonblocking && this.#ready(POLLOUT) === 0) return WOULD_BLOCK;
    if (pieces.length === 1) return write(this.#fd, pieces[0]!);
    return write(this.#fd, scratchBuffer().subarray(0, gather(pieces)));
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
