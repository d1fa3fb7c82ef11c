/**
 * Scattered memory: one system call for several pieces.
 *
 * @module
 */

/** The largest datagram, and the most that a call with several pieces carries. */
const SCRATCH_BYTES = 65536;

/** Of all guests of this thread: it holds something only during a call. */
let scratch: Uint8Array<ArrayBuffer> | undefined;

/** Room for a message that is to be scattered, or was gathered. */
export function scratchBuffer(): Uint8Array<ArrayBuffer> {
  return scratch ??= new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
}

/** How many bytes the pieces have. */
export function totalLength(pieces: readonly Uint8Array[]): number {
  let total = 0;
  for (const piece of pieces) total += piece.length;
  return total;
}

/** Copies the pieces into the scratch buffer, as far as they fit. @returns how many bytes */
export function gather(pieces: readonly Uint8Array[]): number {
  const target = scratchBuffer();
  let length = 0;
  for (const piece of pieces) {
    const room = target.length - length;
    target.set(piece.length <= room ? piece : piece.subarray(0, room), length);
    length += Math.min(piece.length, room);
  }
  return length;
}

/** Copies the first `length` bytes of the scratch buffer into the pieces, as far as they fit. */
export function scatter(pieces: readonly Uint8Array[], length: number): void {
  const source = scratchBuffer();
  let start = 0;
  for (const piece of pieces) {
    const end = Math.min(start + piece.length, length);
    piece.set(source.subarray(start, end));
    start = end;
  }
}

/** The pieces without their first `done` bytes. */
export function rest(
  pieces: readonly Uint8Array<ArrayBuffer>[],
  done: number,
): readonly Uint8Array<ArrayBuffer>[] {
  if (done === 0) return pieces;
  const left: Uint8Array<ArrayBuffer>[] = [];
  for (const piece of pieces) {
    if (done < piece.length) left.push(piece.subarray(done));
    done = Math.max(done - piece.length, 0);
  }
  return left;
}
