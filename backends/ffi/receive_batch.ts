/**
 * Messages that one call receives: recvmmsg(2) on Linux, FreeBSD and NetBSD. Other
 * systems receive one, Windows by WSARecvFrom.
 *
 * Everything that a call reads is written ahead, once. So a message allocates nothing
 * here, except a view if its length differs from that of the one before.
 *
 * @module
 */

import { addressAt } from "./address_book.ts";
import { system } from "./current_system.ts";
import { WOULD_BLOCK, wouldBlock } from "./descriptor.ts";
import { addressOf, libc } from "./libc.ts";
import { pageAligned } from "./memory.ts";
import { SegmentSizes } from "./segmentation.ts";
import {
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
} from "./socket_address.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";
import { receiveWindowsMessage } from "./windows_message.ts";
import { winsock } from "./winsock.ts";

/** How many messages there is room for at first; it doubles whenever all is used. */
const FIRST_ROOM = 8;

/** Room for the control messages of a message, in bytes. */
const CONTROL_BYTES = 512;

/** Messages that one call receives, each into a place of its own. */
export class ReceiveBatch {
  /** How many messages there is room for at the most. */
  readonly capacity: number;
  /** How many bytes each may have. */
  readonly messageBytes: number;
  /** The places; each has a buffer of its own if programs see it. */
  readonly #memory: Uint8Array<ArrayBuffer>[] = [];
  /** All places in one buffer, if programs do not see it: unused pages cost nothing. */
  readonly #whole: Uint8Array<ArrayBuffer> | null;
  /** The last view of each memory: a message is often as long as the one before. */
  readonly #views: Uint8Array<ArrayBuffer>[] = [];
  readonly #headers: MessageHeaders;
  readonly #iovecs: BigUint64Array<ArrayBuffer>;
  readonly #names: Int32Array<ArrayBuffer>;
  /** Null without segmentation. */
  readonly #control: Int32Array<ArrayBuffer> | null;
  readonly #sizes: SegmentSizes | null;
  readonly #truncated = system().constants.MSG_TRUNC;

  /**
   * Makes room for messages.
   *
   * @param capacity How many messages
   * @param messageBytes How many bytes each may have
   * @param joins Whether a message may consist of datagrams that the kernel has joined
   * @param seen Whether programs see the memory, and may transfer it
   */
  constructor(
    capacity: number,
    messageBytes: number,
    joins: boolean,
    seen: boolean,
  ) {
    this.capacity = capacity;
    this.messageBytes = messageBytes;
    this.#whole = seen ? null : pageAligned(capacity * messageBytes);
    this.#headers = new MessageHeaders(system().msghdr, capacity);
    this.#iovecs = new BigUint64Array(new ArrayBuffer(capacity * IOVEC_BYTES));
    this.#names = wordsFor(capacity, SOCKADDR_STORAGE_BYTES);
    this.#control = joins ? wordsFor(capacity, CONTROL_BYTES) : null;
    this.#sizes = joins ? new SegmentSizes() : null;
    this.#connect();
    this.#grow(FIRST_ROOM);
  }

  /** Points the structs at each other. */
  #connect(): void {
    const [iovecs, names] = [addressOf(this.#iovecs), addressOf(this.#names)];
    const control = this.#control === null ? null : addressOf(this.#control);
    for (let index = 0; index < this.capacity; index++) {
      const iovec = iovecs + BigInt(index * IOVEC_BYTES);
      this.#headers.setPieces(index, iovec, 1);
      const name = names + BigInt(index * SOCKADDR_STORAGE_BYTES);
      this.#headers.setName(index, name, SOCKADDR_STORAGE_BYTES);
      if (control === null) continue;
      const room = control + BigInt(index * CONTROL_BYTES);
      this.#headers.setControl(index, room, CONTROL_BYTES);
    }
  }

  /**
   * Receives messages, as recvmmsg(2) does. Call `reset()` before the next receive.
   *
   * @returns how many messages are in the batch; `WOULD_BLOCK` (-1) if there is none yet
   * @throws {SystemError} as `Socket.recv`
   */
  receive(fd: number): number {
    const { recvmmsg } = libc();
    const headers = this.#headers.from(0);
    for (;;) {
      const count = recvmmsg !== null
        ? recvmmsg(fd, headers, this.#memory.length, 0, null)
        : winsock === null
        ? libc().recvmsg(fd, headers, 0)
        : receiveWindowsMessage(winsock, fd, headers, this.messageBytes, 0);
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
    if (count === this.#memory.length) this.#grow(2 * count);
    for (let index = 0; index < count; index++) {
      this.#headers.setNameLength(index, SOCKADDR_STORAGE_BYTES);
      if (this.#control === null) continue;
      this.#headers.setControlLength(index, CONTROL_BYTES);
    }
  }

  /** Replaces memory that was transferred by a program that has seen it. */
  renew(): void {
    for (let index = 0; index < this.#memory.length; index++) {
      if (this.#memory[index]!.length === 0) this.#place(index);
    }
  }

  /** The bytes of the message at `index`, which the next receive overwrites. */
  received(index: number): Uint8Array<ArrayBuffer> {
    const length = this.#headers.length(index);
    const view = this.#views[index]!;
    if (view.length === length) return view;
    const { buffer, byteOffset } = this.#memory[index]!;
    return this.#views[index] = new Uint8Array(buffer, byteOffset, length);
  }

  /** Whether the message at `index` was longer than its memory (MSG_TRUNC). */
  isTruncated(index: number): boolean {
    return (this.#headers.flags(index) & this.#truncated) !== 0;
  }

  /** The source of the message at `index`. */
  source(index: number): SocketAddress {
    const length = this.#headers.nameLength(index);
    return addressAt(
      this.#names,
      index * (SOCKADDR_STORAGE_BYTES >> 2),
      length,
    );
  }

  /**
   * The length of the datagrams that the kernel has joined, of which the last may be
   * shorter; 0 if the message is a single one.
   */
  segmentSize(index: number): number {
    if (this.#control === null) return 0;
    const length = this.#headers.controlLength(index);
    if (length === 0) return 0;
    return this.#sizes!.find(
      this.#control,
      index * (CONTROL_BYTES >> 2),
      length,
    );
  }

  /** Makes room for more messages, up to the capacity: few sockets need all of it. */
  #grow(count: number): void {
    const room = Math.min(count, this.capacity);
    for (let index = this.#memory.length; index < room; index++) {
      this.#place(index);
    }
  }

  /** Gives the struct at `index` a place that nothing else has seen. */
  #place(index: number): void {
    const start = index * this.messageBytes;
    const memory = this.#whole?.subarray(start, start + this.messageBytes) ??
      pageAligned(this.messageBytes);
    this.#memory[index] = this.#views[index] = memory;
    const { address, length } = system().iovec;
    this.#iovecs[2 * index + address] = addressOf(memory);
    this.#iovecs[2 * index + length] = BigInt(this.messageBytes);
  }
}

function wordsFor(count: number, bytes: number): Int32Array<ArrayBuffer> {
  return new Int32Array(new ArrayBuffer(count * bytes));
}
