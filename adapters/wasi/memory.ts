/**
 * A guest's memory, from outside: every pointer that the guest hands over is
 * checked before it is followed.
 *
 * @module
 */

import { EFAULT, EINVAL, Refusal } from "../../backends/wasi/errno.ts";
import { IOVEC } from "./iovec.ts";

/** The most pieces that one call may have: IOV_MAX of `<limits.h>` on every system. */
const IOV_MAX = 1024;

/**
 * The most bytes of one piece: a call may take less than it is offered, and none
 * of the system takes 2^31 or more.
 */
const PIECE_BYTES = 2 ** 30;

const NOTHING = new ArrayBuffer(0);

/**
 * The memory of one guest. Views end where the memory does, so that what has
 * passed a check cannot reach beyond it, and neither can a kernel that is given
 * the view.
 */
export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #view: DataView<ArrayBuffer> = new DataView(NOTHING);
  /** The last piece that was handed out: most programs use one buffer again and again. */
  #piece: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Says which memory it is: known only when the guest has been instantiated. */
  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
    this.#renew();
  }

  /** All of it. A guest that grows its memory detaches the buffer, and with it every view. */
  get view(): DataView<ArrayBuffer> {
    if (this.#view.buffer.byteLength === 0) this.#renew();
    return this.#view;
  }

  /** Checks that a piece lies within. @throws {Refusal} EFAULT if not */
  check(pointer: number, length: number): void {
    // A pointer is an unsigned number that WebAssembly hands over as a signed one.
    const end = (pointer >>> 0) + length;
    if (end <= this.view.byteLength) return;
    // Shared memory that grows detaches nothing: the buffer of before just ends sooner.
    this.#renew();
    if (end > this.#view.byteLength) throw new Refusal(EFAULT);
  }

  /** A piece as bytes. @throws {Refusal} EFAULT if it is not within */
  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    this.check(pointer, length);
    const start = pointer >>> 0;
    const piece = this.#piece;
    const { buffer } = this.#view;
    if (
      piece.byteOffset === start && piece.byteLength === length &&
      piece.buffer === buffer
    ) return piece;
    return this.#piece = new Uint8Array(buffer, start, length);
  }

  /** Reads a word. @throws {Refusal} EFAULT if it is not within */
  getUint32(pointer: number): number {
    this.check(pointer, 4);
    return this.#view.getUint32(pointer >>> 0, true);
  }

  /** Writes a word. @throws {Refusal} EFAULT if it is not within */
  setUint32(pointer: number, value: number): void {
    this.check(pointer, 4);
    this.#view.setUint32(pointer >>> 0, value, true);
  }

  /**
   * The pieces of an array of iovecs: all of them, but that the first which is too
   * long for a call is cut, and the last.
   *
   * @throws {Refusal} EFAULT if one of them is not within
   */
  iovecs(pointer: number, count: number): Uint8Array<ArrayBuffer>[] {
    if (count >>> 0 > IOV_MAX) throw new Refusal(EINVAL);
    this.check(pointer, (count >>> 0) * IOVEC.size);
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let index = 0; index < count >>> 0; index++) {
      const at = (pointer >>> 0) + index * IOVEC.size;
      const start = this.#view.getUint32(at + IOVEC.pointer, true);
      const length = this.#view.getUint32(at + IOVEC.length, true);
      this.check(start, length);
      pieces.push(this.bytes(start, Math.min(length, PIECE_BYTES)));
      if (length > PIECE_BYTES) break;
    }
    return pieces;
  }

  #renew(): void {
    const buffer = this.#memory?.buffer ?? NOTHING;
    if (this.#view.buffer !== buffer) {
      this.#view = new DataView(buffer as ArrayBuffer);
    }
  }
}
