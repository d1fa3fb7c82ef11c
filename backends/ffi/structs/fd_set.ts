/**
 * `fd_set`: one bit for each descriptor below `FD_SETSIZE`, which is 1024 in
 * every C library that Deno runs on. The kernel reads words of `long`; on a
 * little-endian machine words of 32 bits hold the same bits.
 *
 * @module
 */

/** The first descriptor that no `fd_set` can hold. */
export const FD_SETSIZE = 1024;

/**
 * A set of descriptors. A number outside 0 to 1023 is a `RangeError`, never a write
 * next to its memory.
 */
export class FdSet {
  /** The set's bytes, for the call that reads and fills them. */
  readonly bytes: ArrayBuffer = new ArrayBuffer(FD_SETSIZE / 8);
  readonly #words = new Int32Array(this.bytes);

  /** Adds a descriptor. */
  add(fd: number): void {
    checkRange(fd);
    this.#words[fd >> 5]! |= 1 << (fd & 31);
  }

  /** Removes a descriptor. */
  delete(fd: number): void {
    checkRange(fd);
    this.#words[fd >> 5]! &= ~(1 << (fd & 31));
  }

  /** Whether a descriptor is in the set. */
  has(fd: number): boolean {
    return fd >= 0 && fd < FD_SETSIZE &&
      (this.#words[fd >> 5]! & 1 << (fd & 31)) !== 0;
  }

  /** Empties the set. */
  clear(): void {
    this.#words.fill(0);
  }

  /** Copies another set. */
  copyFrom(other: FdSet): void {
    this.#words.set(other.#words);
  }
}

function checkRange(fd: number): void {
  if (!Number.isInteger(fd) || fd < 0 || fd >= FD_SETSIZE) {
    throw new RangeError(
      `Cannot select on file descriptor ${fd}: it must be 0 to ${
        FD_SETSIZE - 1
      }`,
    );
  }
}
