/**
 * `__wasi_iovec_t` and the buffers that an array of them describes.
 *
 * The structs for reading and for writing (`__wasi_ciovec_t`) have one layout.
 * Source: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

import { EMSGSIZE, Refusal } from "../../backends/wasi/errno.ts";

/** Offsets in bytes. */
export const IOVEC = { size: 8, pointer: 0, length: 4 } as const;

/** The largest datagram of UDP, and the most bytes of a call with several buffers. */
const SCRATCH_BYTES = 65536;

/**
 * The largest datagram of any socket. Those of Unix sockets are limited by their send
 * buffer, and on Linux to 45 pieces of 32 KiB (MAX_SKB_FRAGS).
 */
export const MOST_MESSAGE_BYTES = 2 ** 21;

/** Shared by all guests of this thread: it is in use only during a call. */
let scratch: Uint8Array<ArrayBuffer> | undefined;

/** The buffer that one system call fills or sends in place of several. */
export function scratchBuffer(): Uint8Array<ArrayBuffer> {
  return scratch ??= new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
}

/** The sum of the lengths. */
export function totalLength(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const buffer of buffers) total += buffer.length;
  return total;
}

/** The scratch buffer, or a larger one for a message that it has no room for. */
export function messageBuffer(length: number): Uint8Array<ArrayBuffer> {
  const scratch = scratchBuffer();
  return length <= scratch.length
    ? scratch
    : new Uint8Array(new ArrayBuffer(length));
}

/** The buffers as one message. @throws {Refusal} EMSGSIZE if it is too long */
export function oneMessage(
  buffers: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const total = totalLength(buffers);
  if (total > MOST_MESSAGE_BYTES) throw new Refusal(EMSGSIZE);
  const target = messageBuffer(total);
  return target.subarray(0, gather(buffers, target));
}

/** Copies the buffers into another, as far as they fit. @returns the length */
export function gather(
  buffers: readonly Uint8Array[],
  target: Uint8Array = scratchBuffer(),
): number {
  let length = 0;
  for (const buffer of buffers) {
    const part = buffer.subarray(0, target.length - length);
    target.set(part, length);
    length += part.length;
  }
  return length;
}

/** Copies `length` bytes of a source into the buffers, as far as they fit. */
export function scatter(
  buffers: readonly Uint8Array[],
  length: number,
  source: Uint8Array = scratchBuffer(),
): void {
  let start = 0;
  for (const buffer of buffers) {
    const end = Math.min(start + buffer.length, length);
    buffer.set(source.subarray(start, end));
    start = end;
  }
}

/** The buffers without their first `done` bytes. */
export function remaining(
  buffers: readonly Uint8Array<ArrayBuffer>[],
  done: number,
): readonly Uint8Array<ArrayBuffer>[] {
  if (done === 0) return buffers;
  const left: Uint8Array<ArrayBuffer>[] = [];
  for (const buffer of buffers) {
    if (done < buffer.length) left.push(buffer.subarray(done));
    done = Math.max(done - buffer.length, 0);
  }
  return left;
}
