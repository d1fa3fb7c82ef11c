/**
 * What a connection has still to send, because its peer does not read.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import type { Socket } from "../backends/ffi/socket.ts";

/** Places of sent chunks are cut off the front when there are this many. */
const MANY = 1024;

/**
 * What is kept for each chunk beside its bytes: 210 were measured in the heap for
 * one of a single byte, and 490 in the whole process. Left out, chunks of one byte
 * would fill the memory long before their bytes do.
 */
const BYTES_BESIDE = 256;

/** Chunks in the order in which they are to be sent. */
export class WriteQueue {
  /** How many bytes are left. */
  bytes = 0;
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  /** The first chunk that is not sent yet, and how much of it is. */
  #first = 0;
  #offset = 0;

  /** How many chunks are left, one that is sent in part among them. */
  get length(): number {
    return this.#chunks.length - this.#first;
  }

  /** About how many bytes of memory the chunks take. */
  get memory(): number {
    return this.bytes + this.length * BYTES_BESIDE;
  }

  /** Appends bytes, which are this queue's from now on. */
  push(chunk: Uint8Array<ArrayBuffer>): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Sends as much as there is room for, many chunks with one call. */
  flush(socket: Pick<Socket, "sendPieces">): void {
    while (this.bytes > 0) {
      const count = socket.sendPieces(this.#chunks, this.#first, this.#offset);
      if (count === WOULD_BLOCK) return;
      this.#advance(count);
    }
  }

  #advance(count: number): void {
    this.bytes -= count;
    let left = count + this.#offset;
    while (
      this.#first < this.#chunks.length &&
      left >= this.#chunks[this.#first]!.length
    ) {
      left -= this.#chunks[this.#first]!.length;
      // What is sent is let go of at once, though its place is kept for a while.
      this.#chunks[this.#first++] = SENT;
    }
    this.#offset = left;
    if (this.length === 0) {
      this.#chunks = [];
      this.#first = 0;
    } else if (this.#first > MANY && this.#first >= this.length) {
      // Only what is short by comparison is moved: each chunk once, on average.
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }
}

const SENT: Uint8Array<ArrayBuffer> = new Uint8Array(0);
