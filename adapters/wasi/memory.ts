/**
 * A guest's memory, seen by the host. Every pointer is checked before it is used.
 *
 * @module
 */

import { EFAULT, EINVAL, Refusal } from "../../backends/wasi/errno.ts";
import { IOVEC } from "./iovec.ts";

/** The most buffers of one call: IOV_MAX of `<limits.h>` on every system. */
const IOV_MAX = 1024;

/**
 * The most bytes of one buffer. A call may transfer less than it is asked to, and
 * no system call takes 2^31 bytes.
 */
const BUFFER_BYTES = 2 ** 30;

const NOTHING = new ArrayBuffer(0);

/**
 * The memory of one guest. Its views end where the memory ends, so neither the host
 * nor a system call can reach beyond it.
 */
export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #view: DataView<ArrayBuffer> = new DataView(NOTHING);
  /** The last view, because most programs use the same buffer again. */
  #last: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Sets the memory, which exists only after the guest is instantiated. */
  attach(memory: WebAssembly.Memory): void {
    this.#memory = memory;
    this.#renew();
  }

  /** A view of the whole. Growing the memory detaches the buffer, and with it every view. */
  get view(): DataView<ArrayBuffer> {
    if (this.#view.buffer.byteLength === 0) this.#renew();
    return this.#view;
  }

  /** Checks that a range is inside the memory. @throws {Refusal} EFAULT if not */
  check(pointer: number, length: number): void {
    // Pointers are unsigned, but WebAssembly passes signed numbers.
    const end = (pointer >>> 0) + length;
    if (end <= this.view.byteLength) return;
    // Growing shared memory detaches nothing: the old buffer is just shorter.
    this.#renew();
    if (end > this.#view.byteLength) throw new Refusal(EFAULT);
  }

  /** A range as bytes. @throws {Refusal} EFAULT */
  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    this.check(pointer, length);
    const start = pointer >>> 0;
    const last = this.#last;
    const { buffer } = this.#view;
    if (
      last.byteOffset === start && last.byteLength === length &&
      last.buffer === buffer
    ) return last;
    return this.#last = new Uint8Array(buffer, start, length);
  }

  /** Reads a word. @throws {Refusal} EFAULT */
  getUint32(pointer: number): number {
    this.check(pointer, 4);
    return this.#view.getUint32(pointer >>> 0, true);
  }

  /** Writes a word. @throws {Refusal} EFAULT */
  setUint32(pointer: number, value: number): void {
    this.check(pointer, 4);
    this.#view.setUint32(pointer >>> 0, value, true);
  }

  /**
   * The buffers of an array of iovecs. The first that is too long for a system call
   * is shortened and ends the list.
   *
   * @throws {Refusal} EFAULT, and EINVAL if there are too many
   */
  buffers(pointer: number, count: number): Uint8Array<ArrayBuffer>[] {
    if (count >>> 0 > IOV_MAX) throw new Refusal(EINVAL);
    this.check(pointer, (count >>> 0) * IOVEC.size);
    const buffers: Uint8Array<ArrayBuffer>[] = [];
    for (let index = 0; index < count >>> 0; index++) {
      const at = (pointer >>> 0) + index * IOVEC.size;
      const start = this.#view.getUint32(at + IOVEC.pointer, true);
      const length = this.#view.getUint32(at + IOVEC.length, true);
      this.check(start, length);
      buffers.push(this.bytes(start, Math.min(length, BUFFER_BYTES)));
      if (length > BUFFER_BYTES) break;
    }
    return buffers;
  }

  #renew(): void {
    const buffer = this.#memory?.buffer ?? NOTHING;
    if (this.#view.buffer !== buffer) {
      this.#view = new DataView(buffer as ArrayBuffer);
    }
  }
}
