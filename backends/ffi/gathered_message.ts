/**
 * Several pieces of memory with one call.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { addressOf, libc } from "./libc.ts";
import { checkPiece } from "./memory.ts";
import { quietly } from "./socket_fd.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";
import { sendWindowsMessage } from "./windows_message.ts";
import { MOST_AT_ONCE, winsock } from "./winsock.ts";

/** POSIX lets a call take no more than 16 pieces; every system here takes 1024. */
export const MAXIMUM_PIECES = 64;

/** One message made of several pieces. */
export class GatheredMessage {
  /** The bytes of `struct msghdr`, which points at the pieces. */
  readonly bytes: ArrayBuffer;
  readonly #header: MessageHeaders = new MessageHeaders(system().msghdr, 1);
  readonly #iovecs = new BigUint64Array(
    new ArrayBuffer(MAXIMUM_PIECES * IOVEC_BYTES),
  );

  /** Makes room for the structs. */
  constructor() {
    this.bytes = this.#header.bytes;
    this.#header.setPieces(0, addressOf(this.#iovecs), 0);
  }

  /**
   * Points at pieces, which have to stay alive and unmoved until the call returns.
   *
   * @param pieces The pieces
   * @param first The index of the first
   * @param offset How many bytes of the first are skipped
   * @throws {TypeError} if one is no `Uint8Array`
   * @throws {RangeError} if the offset is not within the first, or that is not within
   *   the pieces
   */
  gather(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number,
    offset: number,
  ): void {
    if (!(Number.isInteger(first) && first >= 0 && first <= pieces.length)) {
      throw new RangeError(
        `Cannot start at piece ${first} of ${pieces.length}`,
      );
    }
    const count = Math.min(pieces.length - first, MAXIMUM_PIECES);
    let room = MOST_AT_ONCE;
    const { address, length: word } = system().iovec;
    for (let index = 0; index < count; index++) {
      const piece = pieces[first + index]!;
      const skipped = index === 0 ? offset : 0;
      checkPiece(piece, skipped);
      const length = Math.min(piece.length - skipped, room);
      this.#iovecs[2 * index + address] = addressOf(piece) + BigInt(skipped);
      this.#iovecs[2 * index + word] = BigInt(length);
      room -= length;
    }
    this.#header.setPieceCount(0, count);
  }

  /** Sends it, as sendmsg(2) does: the number of bytes that were taken, or -errno. */
  send(fd: number): number {
    return winsock === null
      ? libc().sendmsg(fd, this.bytes, quietly(0))
      : sendWindowsMessage(winsock, fd, this.bytes, 0);
  }
}
