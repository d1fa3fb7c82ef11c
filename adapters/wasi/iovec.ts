/**
 * `__wasi_iovec_t` and the buffers that an array of them describes.
 *
 * The structs for reading and for writing (`__wasi_ciovec_t`) have one layout.
 * Source: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

/** Offsets in bytes. */
export const IOVEC = { size: 8, pointer: 0, length: 4 } as const;

/** The largest datagram, and the most bytes of a call with several buffers. */
const SCRATCH_BYTES = 65536;

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

/** Copies the buffers into the scratch buffer, as far as they fit. @returns the length */
export function gather(buffers: readonly Uint8Array[]): number {
  const target = scratchBuffer();
  let length = 0;
  for (const buffer of buffers) {
    const part = buffer.subarray(0, target.length - length);
    target.set(part, length);
    length += part.length;
  }
  return length;
}

/** Copies `length` bytes of the scratch buffer into the buffers, as far as they fit. */
export function scatter(
  buffers: readonly Uint8Array[],
  length: number,
): void {
  const source = scratchBuffer();
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
