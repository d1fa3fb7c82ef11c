/**
 * The standard streams of a guest on Windows, whose consoles and pipes have no
 * readiness. They count as ready, and a read waits for input, as in any other program.
 *
 * @module
 */

import { type FileObject, hasPipes } from "../../backends/ffi/descriptor.ts";
import {
  FILETYPE_CHARACTER_DEVICE,
  FILETYPE_UNKNOWN,
} from "../../backends/wasi/abi.ts";
import { EBADF, Refusal } from "../../backends/wasi/errno.ts";
import type { GuestStream } from "./guest_file.ts";
import { GuestStdio, type StdioDirection } from "./guest_stdio.ts";
import { gather, scatter, scratchBuffer, totalLength } from "./iovec.ts";
import { INPUT_RIGHTS, OUTPUT_RIGHTS } from "./rights.ts";

/** Standard input, output or error of this process. */
export class GuestConsole implements GuestStream {
  readonly kind = "stream";
  readonly isAlwaysReady = true;
  /** 0, 1 or 2. */
  readonly fileobj: number;
  readonly filetype: number;
  readonly rights: bigint;
  readonly rightsInheriting = 0n;
  nonblocking = false;
  readonly #direction: StdioDirection;

  constructor(fd: 0 | 1 | 2, direction: StdioDirection) {
    const stream = [Deno.stdin, Deno.stdout, Deno.stderr][fd]!;
    this.fileobj = fd;
    this.#direction = direction;
    this.rights = direction === "input" ? INPUT_RIGHTS : OUTPUT_RIGHTS;
    this.filetype = stream.isTerminal()
      ? FILETYPE_CHARACTER_DEVICE
      : FILETYPE_UNKNOWN;
  }

  read(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "input") throw new Refusal(EBADF);
    const room = Math.min(totalLength(buffers), scratchBuffer().length);
    const count = Deno.stdin.readSync(scratchBuffer().subarray(0, room)) ?? 0;
    if (count > 0) scatter(buffers, count);
    return count;
  }

  write(buffers: readonly Uint8Array<ArrayBuffer>[]): number {
    if (this.#direction !== "output") throw new Refusal(EBADF);
    const data = scratchBuffer().subarray(0, gather(buffers));
    return (this.fileobj === 1 ? Deno.stdout : Deno.stderr).writeSync(data);
  }

  available(): number {
    return 1;
  }

  /** Does nothing: the stream belongs to the host. */
  close(): void {}
}

/** A standard stream of a guest: on Windows, sockets alone can be waited for. */
export function standardStream(
  fileobj: FileObject,
  direction: StdioDirection,
): GuestStream {
  const isOwn = fileobj === 0 || fileobj === 1 || fileobj === 2;
  return hasPipes || !isOwn
    ? new GuestStdio(fileobj, direction)
    : new GuestConsole(fileobj, direction);
}
