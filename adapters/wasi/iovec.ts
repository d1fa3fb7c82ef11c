/**
 * `__wasi_iovec_t` and `__wasi_ciovec_t`, which are the same: a piece of a
 * program's memory.
 *
 * Source of the layout: the `_Static_assert`s of `wasi/api.h` in wasi-libc.
 *
 * @module
 */

/** Where the fields are, in bytes. */
export const IOVEC = { size: 8, pointer: 0, length: 4 } as const;

/** A piece of memory. */
export interface Iovec {
  /** Where it starts. */
  readonly pointer: number;
  /** How many bytes it has. */
  readonly length: number;
}

/** Writes a struct. */
export function encodeIovec(view: DataView, at: number, iovec: Iovec): void {
  view.setUint32(at + IOVEC.pointer, iovec.pointer, true);
  view.setUint32(at + IOVEC.length, iovec.length, true);
}

/** Reads a struct. */
export function decodeIovec(view: DataView, at: number): Iovec {
  return {
    pointer: view.getUint32(at + IOVEC.pointer, true),
    length: view.getUint32(at + IOVEC.length, true),
  };
}
