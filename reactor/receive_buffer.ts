/**
 * The memory that streams receive into: a chunk of its own for each callback, or
 * one buffer that is reused.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { pageAligned } from "../backends/ffi/memory.ts";
import type { Transport, TransportFile } from "./transport.ts";

/** Bytes of one receive. Up to about here, larger receives make streams faster. */
const RECEIVE_BYTES = 256 * 1024;

/** Larger chunks are made one at a time, because copying dominates their cost. */
const LARGEST_STOCKED = 1024;

/** The most chunks that are made ahead. */
const LARGEST_STOCK = 256;

/** Returned at end of file. */
export const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Receives for streams, and makes the chunks of their callbacks. */
export interface ReceiveBuffer {
  /** Whether the last receive filled all the room, so that more bytes may be there. */
  readonly full: boolean;

  /**
   * Receives the bytes that are there.
   *
   * @returns the bytes, none at end of file; null if there are none yet
   */
  receive(
    transport: Transport,
    file: TransportFile,
  ): Uint8Array<ArrayBuffer> | null;
}

/**
 * Receives into the same memory again and again. A chunk is valid until the next
 * receive. The memory holds nothing but bytes that this buffer received, so a
 * callback sees no bytes of another buffer.
 */
export class ReusedBuffer implements ReceiveBuffer {
  full = false;
  /** Empty before the first receive, and after a callback transferred it. */
  #memory = NOTHING;
  /** Kept because a message is often as long as the one before. */
  #view = NOTHING;

  receive(
    transport: Transport,
    file: TransportFile,
  ): Uint8Array<ArrayBuffer> | null {
    // A receive into empty memory would look like the end of file.
    if (this.#memory.length === 0) this.#memory = pageAligned(RECEIVE_BYTES);
    const count = transport.receive(file, this.#memory);
    if (count === WOULD_BLOCK) return null;
    if (count === 0) return NOTHING;
    this.full = count === RECEIVE_BYTES;
    if (this.#view.length !== count) {
      const { buffer, byteOffset } = this.#memory;
      this.#view = new Uint8Array(buffer, byteOffset, count);
    }
    return this.#view;
  }
}

/** Receives into memory that no callback ever sees, and copies the bytes. */
export class OwnChunks implements ReceiveBuffer {
  readonly #buffer = new ReusedBuffer();
  readonly #copies = new Copies();

  get full(): boolean {
    return this.#buffer.full;
  }

  receive(
    transport: Transport,
    file: TransportFile,
  ): Uint8Array<ArrayBuffer> | null {
    const bytes = this.#buffer.receive(transport, file);
    if (bytes === null || bytes.length === 0) return bytes;
    return this.#copies.of(bytes);
  }

  /**
   * Receives bytes that nothing uses.
   *
   * @returns how many, 0 at end of file; null if there are none yet
   */
  discard(transport: Transport, file: TransportFile): number | null {
    const bytes = this.#buffer.receive(transport, file);
    return bytes === null ? null : bytes.length;
  }
}

/**
 * Copies bytes, each time into a buffer of its own that has room for nothing else.
 *
 * The cost of a small copy is to make its buffer: three allocations in C, a third
 * less where many are made in a row. So while messages are as long as the one
 * before, a stock of chunks of that length is kept. It doubles each time.
 */
export class Copies {
  #length = -1;
  #stock: Uint8Array<ArrayBuffer>[] = [];
  #next = 1;

  of(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { length } = bytes;
    // Made from a view, the memory is not cleared before it is copied into.
    if (length > LARGEST_STOCKED) return new Uint8Array(bytes);
    if (length !== this.#length) this.#begin(length);
    if (this.#stock.length === 0) this.#replenish();
    const chunk = this.#stock.pop()!;
    chunk.set(bytes);
    return chunk;
  }

  #begin(length: number): void {
    this.#length = length;
    this.#stock = [];
    this.#next = 1;
  }

  #replenish(): void {
    for (let made = 0; made < this.#next; made++) {
      this.#stock.push(new Uint8Array(this.#length));
    }
    this.#next = Math.min(this.#next * 2, LARGEST_STOCK);
  }
}

/** One for the thread, because its bytes are copied before the next receive. */
let ownChunks: OwnChunks | undefined;

/** The buffer that gives each callback a chunk of its own. */
export function owningBuffer(): OwnChunks {
  return ownChunks ??= new OwnChunks();
}

/** One for each reactor, so that a callback that runs another one keeps its bytes. */
const reusedBuffers = new WeakMap<object, ReusedBuffer>();

/** The buffer that a reactor reuses. */
export function reusedBuffer(reactor: object): ReusedBuffer {
  let buffer = reusedBuffers.get(reactor);
  if (buffer === undefined) {
    reusedBuffers.set(reactor, buffer = new ReusedBuffer());
  }
  return buffer;
}
