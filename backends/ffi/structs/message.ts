/**
 * `struct msghdr`, `struct mmsghdr` and `struct iovec`: messages, each made of
 * pieces of memory. They hold addresses of memory, which the caller keeps alive.
 *
 * @module
 */

import type { MsghdrLayout } from "../system.ts";

/** `struct iovec`: `void *iov_base; size_t iov_len`. */
export const IOVEC_BYTES = 16;

/** `struct mmsghdr` is a `struct msghdr` and an `unsigned int`, aligned to 8 bytes. */
const MMSGHDR_EXTRA_BYTES = 8;

/**
 * An array of `struct mmsghdr`; an array of one is also a `struct msghdr`.
 *
 * Its fields are read and written as words of 32 bits. Each message of a batch needs
 * some of them, and a `DataView` costs more. The upper halves of 64-bit lengths stay 0.
 */
export class MessageHeaders {
  /** The structs' bytes, for the call that reads or fills them. */
  readonly bytes: ArrayBuffer;
  readonly #words: Int32Array<ArrayBuffer>;
  /** The places of the fields within a struct, in words. */
  readonly #stride: number;
  readonly #name: number;
  readonly #nameLength: number;
  readonly #pieces: number;
  readonly #pieceCount: number;
  readonly #control: number;
  readonly #controlLength: number;
  readonly #flags: number;
  readonly #length: number;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct msghdr` of this system
   * @param count How many structs
   */
  constructor(layout: MsghdrLayout, count: number) {
    const stride = layout.size + MMSGHDR_EXTRA_BYTES;
    this.bytes = new ArrayBuffer(count * stride);
    this.#words = new Int32Array(this.bytes);
    this.#stride = stride >> 2;
    this.#name = layout.name >> 2;
    this.#nameLength = layout.namelen >> 2;
    this.#pieces = layout.iov >> 2;
    this.#pieceCount = layout.iovlen >> 2;
    this.#control = layout.control >> 2;
    this.#controlLength = layout.controllen >> 2;
    this.#flags = layout.flags >> 2;
    this.#length = layout.size >> 2;
  }

  /** The bytes from the struct at `index` on, for a call that begins there. */
  from(index: number): Int32Array<ArrayBuffer> {
    return index === 0
      ? this.#words
      : this.#words.subarray(index * this.#stride);
  }

  /** Points the struct at `index` at its name: the bytes of a socket address. */
  setName(index: number, address: bigint, length: number): void {
    this.#setAddress(index * this.#stride + this.#name, address);
    this.setNameLength(index, length);
  }

  /** Removes the name of the struct at `index`. */
  clearName(index: number): void {
    this.setName(index, 0n, 0);
  }

  /** Whether the struct at `index` has a name. */
  hasName(index: number): boolean {
    const word = index * this.#stride + this.#name;
    return (this.#words[word]! | this.#words[word + 1]!) !== 0;
  }

  /** Sets the length of the name alone. */
  setNameLength(index: number, length: number): void {
    this.#words[index * this.#stride + this.#nameLength] = length;
  }

  /** Points the struct at `index` at an array of `struct iovec`. */
  setPieces(index: number, address: bigint, count: number): void {
    this.#setAddress(index * this.#stride + this.#pieces, address);
    this.setPieceCount(index, count);
  }

  /** Sets the number of pieces alone. */
  setPieceCount(index: number, count: number): void {
    this.#words[index * this.#stride + this.#pieceCount] = count;
  }

  /** Points the struct at `index` at its control messages. */
  setControl(index: number, address: bigint, length: number): void {
    this.#setAddress(index * this.#stride + this.#control, address);
    this.setControlLength(index, length);
  }

  /** Sets the length of the control messages alone. */
  setControlLength(index: number, length: number): void {
    this.#words[index * this.#stride + this.#controlLength] = length;
  }

  /** The length of the name that the kernel wrote. */
  nameLength(index: number): number {
    return this.#words[index * this.#stride + this.#nameLength]!;
  }

  /** The bytes of control messages that the kernel wrote. */
  controlLength(index: number): number {
    return this.#words[index * this.#stride + this.#controlLength]!;
  }

  /** The MSG_* flags that the kernel wrote. */
  flags(index: number): number {
    return this.#words[index * this.#stride + this.#flags]!;
  }

  /** The bytes that `recvmmsg` received for the struct at `index`. */
  length(index: number): number {
    return this.#words[index * this.#stride + this.#length]!;
  }

  /** Sets these bytes, in place of `recvmmsg`. */
  setLength(index: number, length: number): void {
    this.#words[index * this.#stride + this.#length] = length;
  }

  #setAddress(word: number, address: bigint): void {
    this.#words[word] = Number(address & 0xffff_ffffn);
    this.#words[word + 1] = Number(address >> 32n);
  }
}
