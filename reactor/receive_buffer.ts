/**
 * Where received bytes go: into memory that the callback may keep, or into
 * memory that it is lent.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import type { Socket } from "../backends/ffi/socket.ts";

/** What one receive may take: streams are faster the larger it is, up to about here. */
const LENT_BYTES = 256 * 1024;

const SMALLEST_SLAB = 64 * 1024;
const LARGEST_SLAB = 1024 * 1024;

/** Less room than this is not worth a system call: a new slab begins. */
const LEAST_ROOM = 8 * 1024;

/** A piece of the answer to "where did it go": nothing was there. */
export const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * Receives into a slab, front to back, and hands out the parts that were
 * filled. No byte of it is written again, so whoever gets a part may keep it,
 * and neither a copy nor an allocation is made for each message: 64 KiB hold a
 * thousand small ones.
 *
 * A slab stays in memory as long as one part of it does. That is why slabs are
 * small until a stream fills them at one go.
 */
export class Slab {
  /** Whether the last receive has filled all the room: there may be more. */
  full = false;
  #size = SMALLEST_SLAB;
  #room = new Uint8Array(new ArrayBuffer(SMALLEST_SLAB));

  /**
   * Receives what is there.
   *
   * @returns the bytes, none at end of file; null if there is nothing yet
   */
  receive(socket: Socket): Uint8Array<ArrayBuffer> | null {
    const room = this.#room;
    const count = socket.recv(room);
    if (count === WOULD_BLOCK) return null;
    if (count === 0) return NOTHING;
    this.full = count === room.length;
    this.#advance(count);
    return room.subarray(0, count);
  }

  /** Copies bytes that are only lent into the slab. */
  keep(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (bytes.length > this.#room.length) return bytes.slice();
    const room = this.#room;
    room.set(bytes);
    this.#advance(bytes.length);
    return room.subarray(0, bytes.length);
  }

  /** Goes on behind what was filled, in a new slab if little is left of this one. */
  #advance(count: number): void {
    const left = this.#room.length - count;
    if (left >= LEAST_ROOM) {
      this.#room = this.#room.subarray(count);
      return;
    }
    // Filled at one go: a stream, which is worth larger slabs. Else smaller ones do.
    this.#size = count > this.#size / 2
      ? Math.min(this.#size * 2, LARGEST_SLAB)
      : Math.max(this.#size / 2, SMALLEST_SLAB);
    this.#room = new Uint8Array(new ArrayBuffer(this.#size));
  }
}

/**
 * Receives into the same memory again and again. What it returns is valid until
 * the next receive: for who only looks, or passes the bytes on at once.
 */
export class LentBuffer {
  /** Whether the last receive has filled all the room: there may be more. */
  full = false;
  readonly #memory = new ArrayBuffer(LENT_BYTES);
  /** Messages are often as long as the one before: then the view is, too. */
  #view = new Uint8Array(this.#memory);

  /**
   * Receives what is there.
   *
   * @returns the bytes, none at end of file; null if there is nothing yet
   */
  receive(socket: Socket): Uint8Array<ArrayBuffer> | null {
    const count = socket.recv(this.#memory);
    if (count === WOULD_BLOCK) return null;
    if (count === 0) return NOTHING;
    this.full = count === LENT_BYTES;
    if (this.#view.length !== count) {
      this.#view = new Uint8Array(this.#memory, 0, count);
    }
    return this.#view;
  }
}
