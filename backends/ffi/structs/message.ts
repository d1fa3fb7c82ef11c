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

/** An array of `struct mmsghdr`; an array of one is also a `struct msghdr`. */
export class MessageHeaders {
  /** The structs' bytes, for the call that reads or fills them. */
  readonly bytes: ArrayBuffer;
  readonly #layout: MsghdrLayout;
  readonly #stride: number;
  readonly #view: DataView;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct msghdr` of this system
   * @param count How many structs
   */
  constructor(layout: MsghdrLayout, count: number) {
    this.#layout = layout;
    this.#stride = layout.size + MMSGHDR_EXTRA_BYTES;
    this.bytes = new ArrayBuffer(count * this.#stride);
    this.#view = new DataView(this.bytes);
  }

  /** Points the struct at `index` at its name: the bytes of a socket address. */
  setName(index: number, address: bigint, length: number): void {
    const start = index * this.#stride;
    this.#view.setBigUint64(start + this.#layout.name, address, true);
    this.setNameLength(index, length);
  }

  /** Sets the length of the name alone. */
  setNameLength(index: number, length: number): void {
    const start = index * this.#stride;
    this.#view.setUint32(start + this.#layout.namelen, length, true);
  }

  /** Points the struct at `index` at an array of `struct iovec`. */
  setPieces(index: number, address: bigint, count: number): void {
    const start = index * this.#stride;
    this.#view.setBigUint64(start + this.#layout.iov, address, true);
    this.setPieceCount(index, count);
  }

  /** Sets the number of pieces alone. */
  setPieceCount(index: number, count: number): void {
    const start = index * this.#stride;
    this.#view.setInt32(start + this.#layout.iovlen, count, true);
  }

  /** Points the struct at `index` at its control messages. */
  setControl(index: number, address: bigint, length: number): void {
    const start = index * this.#stride;
    this.#view.setBigUint64(start + this.#layout.control, address, true);
    this.#view.setUint32(start + this.#layout.controllen, length, true);
  }

  /** The length of the name that the kernel wrote. */
  nameLength(index: number): number {
    const start = index * this.#stride;
    return this.#view.getUint32(start + this.#layout.namelen, true);
  }

  /** The bytes of control messages that the kernel wrote. */
  controlLength(index: number): number {
    const start = index * this.#stride;
    return this.#view.getUint32(start + this.#layout.controllen, true);
  }

  /** The MSG_* flags that the kernel wrote. */
  flags(index: number): number {
    const start = index * this.#stride;
    return this.#view.getInt32(start + this.#layout.flags, true);
  }

  /** The bytes that `recvmmsg` received for the struct at `index`. */
  length(index: number): number {
    const start = index * this.#stride;
    return this.#view.getUint32(start + this.#layout.size, true);
  }

  /** Sets these bytes, in place of `recvmmsg`. */
  setLength(index: number, length: number): void {
    const start = index * this.#stride;
    this.#view.setUint32(start + this.#layout.size, length, true);
  }
}
