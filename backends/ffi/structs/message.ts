/**
 * `struct msghdr` and `struct iovec`: several pieces of memory, or several
 * messages, in one call.
 *
 * @module
 */

import { addressOf } from "../libc.ts";
import { checkPiece } from "../memory.ts";
import { SOCKADDR_STORAGE_BYTES } from "../socket_address.ts";
import type { MsghdrLayout } from "../system.ts";

/** `struct iovec`: `void *iov_base; size_t iov_len`. */
const IOVEC_BYTES = 16;

/** The fewest pieces that POSIX lets one call take are 16; every system here takes 1024. */
export const MAXIMUM_PIECES = 64;

/** What one call takes of longer pieces: its result is an `int` here. */
const MAXIMUM_BYTES = 0x7fff_ffff;

/** One message made of several pieces, for `sendmsg`. */
export class GatheredMessage {
  /** The bytes of `struct msghdr`. */
  readonly bytes: ArrayBuffer;
  readonly #iovecs = new BigUint64Array(
    new ArrayBuffer(MAXIMUM_PIECES * IOVEC_BYTES),
  );
  readonly #view: DataView;
  readonly #layout: MsghdrLayout;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct msghdr` of this system
   */
  constructor(layout: MsghdrLayout) {
    this.#layout = layout;
    this.bytes = new ArrayBuffer(layout.size);
    this.#view = new DataView(this.bytes);
    this.#view.setBigUint64(layout.iov, addressOf(this.#iovecs), true);
  }

  /**
   * Points at pieces, which have to stay where they are until the call is over.
   *
   * @param pieces The pieces
   * @param first Which of them comes first
   * @param offset How many bytes of the first are left out
   * @throws {TypeError} if one is no `Uint8Array`
   * @throws {RangeError} if the offset is not within the first
   */
  gather(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number,
    offset: number,
  ): void {
    const count = Math.min(pieces.length - first, MAXIMUM_PIECES);
    let room = MAXIMUM_BYTES;
    for (let index = 0; index < count; index++) {
      const piece = pieces[first + index]!;
      const skipped = index === 0 ? offset : 0;
      checkPiece(piece, skipped);
      const length = Math.min(piece.length - skipped, room);
      this.#iovecs[2 * index] = addressOf(piece) + BigInt(skipped);
      this.#iovecs[2 * index + 1] = BigInt(length);
      room -= length;
    }
    this.#view.setInt32(this.#layout.iovlen, count, true);
  }
}

/** `struct mmsghdr` is a `struct msghdr` and an `unsigned int`, aligned to 8 bytes. */
const MMSGHDR_EXTRA_BYTES = 8;

/**
 * An array of `struct mmsghdr`, each with one piece of memory and room for one
 * address: what `recvmmsg` fills and `sendmmsg` sends (Linux, FreeBSD, NetBSD).
 */
export class MessageBatch {
  /** The structs' bytes. */
  readonly bytes: ArrayBuffer;
  /** The memory of all messages, one after another. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** How many messages there is room for. */
  readonly capacity: number;
  /** How many bytes each may have. */
  readonly messageBytes: number;
  readonly #layout: MsghdrLayout;
  readonly #view: DataView;
  readonly #iovecs: BigUint64Array<ArrayBuffer>;
  readonly #addresses: Uint8Array<ArrayBuffer>;

  /**
   * Makes room for the structs.
   *
   * @param layout `struct msghdr` of this system
   * @param capacity How many messages
   * @param messageBytes How many bytes each may have
   */
  constructor(layout: MsghdrLayout, capacity: number, messageBytes: number) {
    this.#layout = layout;
    this.capacity = capacity;
    this.messageBytes = messageBytes;
    this.bytes = new ArrayBuffer(
      capacity * (layout.size + MMSGHDR_EXTRA_BYTES),
    );
    this.#view = new DataView(this.bytes);
    this.memory = new Uint8Array(new ArrayBuffer(capacity * messageBytes));
    this.#iovecs = new BigUint64Array(new ArrayBuffer(capacity * IOVEC_BYTES));
    this.#addresses = new Uint8Array(
      new ArrayBuffer(capacity * SOCKADDR_STORAGE_BYTES),
    );
    for (let index = 0; index < capacity; index++) this.#connect(index);
  }

  /** Makes messages that were received into ready to be received into again. */
  reset(count: number): void {
    for (let index = 0; index < count; index++) {
      this.#view.setUint32(
        this.#start(index) + this.#layout.namelen,
        SOCKADDR_STORAGE_BYTES,
        true,
      );
    }
  }

  /** How many bytes were received of the message at `index`. */
  length(index: number): number {
    return this.#view.getUint32(this.#start(index) + this.#layout.size, true);
  }

  /** Notes how many bytes were received of the message at `index`. */
  setLength(index: number, length: number): void {
    this.#view.setUint32(this.#start(index) + this.#layout.size, length, true);
  }

  /** The MSG_* flags of the message at `index`, MSG_TRUNC among them. */
  flags(index: number): number {
    return this.#view.getInt32(this.#start(index) + this.#layout.flags, true);
  }

  /** The bytes of the address of the message at `index`. */
  address(index: number): Uint8Array<ArrayBuffer> {
    const start = index * SOCKADDR_STORAGE_BYTES;
    return this.#addresses.subarray(start, start + SOCKADDR_STORAGE_BYTES);
  }

  /** How long that address is. */
  addressLength(index: number): number {
    return this.#view.getUint32(
      this.#start(index) + this.#layout.namelen,
      true,
    );
  }

  /**
   * Makes the message at `index` ready to be sent.
   *
   * @param addressLength How many bytes `address(index)` has; 0 for a connected socket
   */
  prepare(
    index: number,
    data: Uint8Array<ArrayBuffer>,
    addressLength: number,
  ): void {
    this.memory.set(data, index * this.messageBytes);
    this.#iovecs[2 * index + 1] = BigInt(data.length);
    const start = this.#start(index);
    this.#view.setUint32(start + this.#layout.namelen, addressLength, true);
    const name = addressLength === 0 ? 0n : addressOf(this.address(index));
    this.#view.setBigUint64(start + this.#layout.name, name, true);
  }

  #start(index: number): number {
    return index * (this.#layout.size + MMSGHDR_EXTRA_BYTES);
  }

  /** Points one struct at its memory and at the room for its address. */
  #connect(index: number): void {
    const start = this.#start(index);
    const layout = this.#layout;
    const piece = this.memory.subarray(index * this.messageBytes);
    this.#iovecs[2 * index] = addressOf(piece);
    this.#view.setBigUint64(
      start + layout.iov,
      addressOf(this.#iovecs.subarray(2 * index)),
      true,
    );
    this.#iovecs[2 * index + 1] = BigInt(this.messageBytes);
    this.#view.setInt32(start + layout.iovlen, 1, true);
    this.#view.setUint32(
      start + layout.namelen,
      SOCKADDR_STORAGE_BYTES,
      true,
    );
    this.#view.setBigUint64(
      start + layout.name,
      addressOf(this.address(index)),
      true,
    );
  }
}
