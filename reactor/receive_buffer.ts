/**
 * Where received bytes go: into a chunk of the callback's own, or into one
 * buffer that is used again and again.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { pageAligned } from "../backends/ffi/memory.ts";
import type { Socket } from "../backends/ffi/socket.ts";

/** What one receive may take: streams are faster the larger it is, up to about here. */
const RECEIVE_BYTES = 256 * 1024;

/** Larger chunks are made one at a time: their bytes are what they cost. */
const LARGEST_STOCKED = 1024;

/** No more than so many chunks are made ahead. */
const LARGEST_STOCK = 256;

/** A piece of the answer to "where did it go": nothing was there. */
export const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** What receives for connections, and what their callbacks are given. */
export interface ReceiveBuffer {
  /** Whether the last receive has filled all the room: there may be more. */
  readonly full: boolean;

  /**
   * Receives what is there.
   *
   * @returns the bytes, none at end of file; null if there is nothing yet
   */
  receive(socket: Socket): Uint8Array<ArrayBuffer> | null;
}

/**
 * Receives into the same memory again and again. What it returns is valid until
 * the next receive. Nothing but what this buffer has received is in it, so those
 * who are given it see no bytes of anyone who has another.
 */
export class ReusedBuffer implements ReceiveBuffer {
  full = false;
  #memory = pageAligned(RECEIVE_BYTES);
  /** Messages are often as long as the one before: then the view is, too. */
  #view = this.#memory;

  receive(socket: Socket): Uint8Array<ArrayBuffer> | null {
    // A callback may have transferred it. A receive into no room would look like an end.
    if (this.#memory.length === 0) this.#memory = pageAligned(RECEIVE_BYTES);
    const count = socket.recv(this.#memory);
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

/** Receives into memory that no callback ever sees, and copies from there. */
export class OwnChunks implements ReceiveBuffer {
  readonly #buffer = new ReusedBuffer();
  readonly #copies = new Copies();

  get full(): boolean {
    return this.#buffer.full;
  }

  receive(socket: Socket): Uint8Array<ArrayBuffer> | null {
    const bytes = this.#buffer.receive(socket);
    if (bytes === null || bytes.length === 0) return bytes;
    return this.#copies.of(bytes);
  }

  /** Receives what is of no use. @returns how many bytes; null if there is nothing yet */
  discard(socket: Socket): number | null {
    const bytes = this.#buffer.receive(socket);
    return bytes === null ? null : bytes.length;
  }
}

/**
 * Copies of bytes, each with a buffer of its own that has room for nothing else.
 *
 * What a small one costs is to make its buffer, three allocations of C, and a
 * third less where many are made at one go. So while messages are as long as the
 * one before, a stock is kept of chunks of that length, twice as many each time.
 */
export class Copies {
  #length = -1;
  #stock: Uint8Array<ArrayBuffer>[] = [];
  #next = 1;

  of(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { length } = bytes;
    // From a view: memory that is copied into at once is not cleared before.
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

/** One for the thread: what is in it is copied before anything else can be received. */
let ownChunks: OwnChunks | undefined;

/** What gives every callback a chunk of its own. */
export function owningBuffer(): OwnChunks {
  return ownChunks ??= new OwnChunks();
}

/** One for each reactor: a callback that runs another one still has its bytes. */
const reusedBuffers = new WeakMap<object, ReusedBuffer>();

/** The buffer that a reactor uses again and again. */
export function reusedBuffer(reactor: object): ReusedBuffer {
  let buffer = reusedBuffers.get(reactor);
  if (buffer === undefined) {
    reusedBuffers.set(reactor, buffer = new ReusedBuffer());
  }
  return buffer;
}
