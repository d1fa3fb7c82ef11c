/**
 * Several pieces of memory, or several messages, with one call.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { WOULD_BLOCK, wouldBlock } from "./descriptor.ts";
import { addressOf, libc } from "./libc.ts";
import { checkMemory, checkPiece } from "./memory.ts";
import {
  domainNumber,
  encodeFor,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";
import { quietly } from "./socket_fd.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";
import {
  receiveWindowsMessage,
  sendWindowsMessage,
} from "./windows_message.ts";
import { winsock } from "./winsock.ts";

/** POSIX lets a call take no more than 16 pieces; every system here takes 1024. */
export const MAXIMUM_PIECES = 64;

/** The largest result of a call, which is an `int` here. */
const MAXIMUM_BYTES = 0x7fff_ffff;

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
   * @throws {RangeError} if the offset is not within the first
   */
  gather(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number,
    offset: number,
  ): void {
    const count = Math.min(pieces.length - first, MAXIMUM_PIECES);
    let room = MAXIMUM_BYTES;
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

/**
 * Messages that one call receives or sends, each with one piece of memory and room
 * for one address. The calls are recvmmsg(2) and sendmmsg(2) on Linux, FreeBSD and
 * NetBSD. Other systems receive and send one message, Windows by WSARecvFrom and
 * WSASendTo.
 */
export class MessageBatch {
  /** The memory of all messages, one after another. */
  readonly memory: Uint8Array<ArrayBuffer>;
  /** How many messages there is room for. */
  readonly capacity: number;
  /** How many bytes each may have. */
  readonly messageBytes: number;
  readonly #headers: MessageHeaders;
  readonly #iovecs: BigUint64Array<ArrayBuffer>;
  readonly #addresses: Uint8Array<ArrayBuffer>;

  /**
   * Makes room for messages.
   *
   * @param capacity How many messages
   * @param messageBytes How many bytes each may have
   */
  constructor(capacity: number, messageBytes: number) {
    this.capacity = capacity;
    this.messageBytes = messageBytes;
    this.memory = new Uint8Array(new ArrayBuffer(capacity * messageBytes));
    this.#headers = new MessageHeaders(system().msghdr, capacity);
    this.#iovecs = new BigUint64Array(new ArrayBuffer(capacity * IOVEC_BYTES));
    this.#addresses = new Uint8Array(
      new ArrayBuffer(capacity * SOCKADDR_STORAGE_BYTES),
    );
    for (let index = 0; index < capacity; index++) this.#connect(index);
  }

  /**
   * Receives messages, as recvmmsg(2) does. Call `reset()` before the next receive.
   *
   * @returns how many messages are in the batch; `WOULD_BLOCK` (-1) if there is none yet
   * @throws {SystemError} as `Socket.recv`
   */
  receive(fd: number): number {
    const { recvmmsg } = libc();
    const { bytes } = this.#headers;
    for (;;) {
      const count = recvmmsg !== null
        ? recvmmsg(fd, bytes, this.capacity, 0, null)
        : winsock === null
        ? libc().recvmsg(fd, bytes, 0)
        : receiveWindowsMessage(winsock, fd, bytes, this.messageBytes, 0);
      if (count >= 0) {
        if (recvmmsg !== null) return count;
        this.#headers.setLength(0, count);
        return 1;
      }
      if (wouldBlock("recvmmsg", -count)) return WOULD_BLOCK;
    }
  }

  /** Prepares messages that were received for the next receive. */
  reset(count: number): void {
    for (let index = 0; index < count; index++) {
      this.#headers.setNameLength(index, SOCKADDR_STORAGE_BYTES);
    }
  }

  /** The bytes of the message that was received at `index`, which the next receive overwrites. */
  received(index: number): Uint8Array<ArrayBuffer> {
    const start = index * this.messageBytes;
    return this.memory.subarray(start, start + this.#headers.length(index));
  }

  /** Whether the message at `index` was longer than its memory (MSG_TRUNC). */
  isTruncated(index: number): boolean {
    const { MSG_TRUNC } = system().constants;
    return (this.#headers.flags(index) & MSG_TRUNC) !== 0;
  }

  /** The bytes of the address of the message at `index`. */
  address(index: number): Uint8Array<ArrayBuffer> {
    const start = index * SOCKADDR_STORAGE_BYTES;
    return this.#addresses.subarray(start, start + SOCKADDR_STORAGE_BYTES);
  }

  /** The length of that address. */
  addressLength(index: number): number {
    return this.#headers.nameLength(index);
  }

  /**
   * Puts a message into the batch, to be sent.
   *
   * @param address Its destination; null for a connected socket
   * @param domain The domain of the socket that sends it
   * @throws {TypeError} if the address is of another domain or malformed
   */
  prepare(
    index: number,
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
    domain: SocketDomain,
  ): void {
    if (address === null) this.#headers.setName(index, 0n, 0);
    else {
      const bytes = this.address(index);
      const family = domainNumber(domain, system());
      const length = encodeFor(family, bytes, address, system());
      this.#headers.setName(index, addressOf(bytes), length);
    }
    this.memory.set(data, index * this.messageBytes);
    this.#iovecs[2 * index + system().iovec.length] = BigInt(data.length);
  }

  /**
   * Sends messages, as sendmmsg(2) does.
   *
   * @param count How many messages of the batch
   * @returns how many were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {SystemError} as `Socket.sendTo`, of the first message that was not taken
   */
  send(fd: number, count: number): number {
    const { sendmmsg } = libc();
    const { bytes } = this.#headers;
    for (;;) {
      const sent = sendmmsg !== null
        ? sendmmsg(fd, bytes, count, quietly(0))
        : winsock === null
        ? libc().sendmsg(fd, bytes, quietly(0))
        : sendWindowsMessage(winsock, fd, bytes, 0);
      if (sent >= 0) return sendmmsg !== null ? sent : 1;
      if (wouldBlock("sendmmsg", -sent)) return WOULD_BLOCK;
    }
  }

  /** Points one struct at its memory and at the room for its address. */
  #connect(index: number): void {
    const piece = this.memory.subarray(index * this.messageBytes);
    const iovec = this.#iovecs.subarray(2 * index);
    const { address, length } = system().iovec;
    this.#iovecs[2 * index + address] = addressOf(piece);
    this.#iovecs[2 * index + length] = BigInt(this.messageBytes);
    this.#headers.setPieces(index, addressOf(iovec), 1);
    const name = addressOf(this.address(index));
    this.#headers.setName(index, name, SOCKADDR_STORAGE_BYTES);
  }
}

/**
 * As `Socket.sendTo`, with the bytes of a `struct sockaddr` as they were received.
 *
 * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
 * @throws {SystemError} as `Socket.sendTo`
 */
export function sendToEncoded(
  fd: number,
  data: BufferSource,
  address: Uint8Array<ArrayBuffer>,
  addressLength: number,
  flags: number = 0,
): number {
  const length = checkMemory(data, data?.byteLength);
  for (;;) {
    const count = libc().sendto(
      fd,
      data,
      length,
      quietly(flags),
      address,
      addressLength,
    );
    if (count >= 0) return count;
    if (wouldBlock("sendto", -count)) return WOULD_BLOCK;
  }
}
