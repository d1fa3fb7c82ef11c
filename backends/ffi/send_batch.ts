/**
 * Messages that one call sends: sendmmsg(2) on Linux, FreeBSD and NetBSD. Other systems
 * send one, Windows by WSASendTo.
 *
 * Copies of the messages lie one after another in the same memory. So datagrams of one
 * size to one peer can become a single message, which the kernel splits.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { WOULD_BLOCK, wouldBlock } from "./descriptor.ts";
import { addressOf, libc } from "./libc.ts";
import { pageAligned } from "./memory.ts";
import { addressWords } from "./received_address.ts";
import { mostSegmentBytes, SegmentControls } from "./segmentation.ts";
import { SOCKADDR_STORAGE_BYTES } from "./socket_address.ts";
import { quietly } from "./socket_fd.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";
import { sendWindowsMessage } from "./windows_message.ts";
import { winsock } from "./winsock.ts";

/** A message begins a cache line. */
const ALIGNMENT = 64;

const NAME_WORDS = SOCKADDR_STORAGE_BYTES >> 2;

/** Messages that wait in one memory for the call that sends them. */
export class SendBatch {
  /** How many messages are in the batch. */
  count = 0;
  readonly #capacity: number;
  readonly #memory: Uint8Array<ArrayBuffer>;
  /** The address of the memory, in two halves. */
  readonly #low: number;
  readonly #high: number;
  readonly #headers: MessageHeaders;
  readonly #iovecs: Uint32Array<ArrayBuffer>;
  readonly #addressWord = 2 * system().iovec.address;
  readonly #lengthWord = 2 * system().iovec.length;
  readonly #names: Int32Array<ArrayBuffer>;
  readonly #namesAddress: bigint;
  readonly #control: SegmentControls | null;
  /** By message: where it begins in the memory, its bytes, and the bytes of a datagram. */
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #sizes: Int32Array;
  /** The end of the last message. */
  #end = 0;

  /**
   * Makes room for messages.
   *
   * @param capacity How many messages
   * @param bytes How many bytes of all of them
   */
  constructor(capacity: number, bytes: number) {
    this.#capacity = capacity;
    this.#memory = pageAligned(bytes);
    const address = addressOf(this.#memory);
    this.#low = Number(address & 0xffff_ffffn);
    this.#high = Number(address >> 32n);
    this.#headers = new MessageHeaders(system().msghdr, capacity);
    this.#iovecs = new Uint32Array(new ArrayBuffer(capacity * IOVEC_BYTES));
    this.#names = new Int32Array(
      new ArrayBuffer(capacity * SOCKADDR_STORAGE_BYTES),
    );
    this.#namesAddress = addressOf(this.#names);
    this.#control = SegmentControls.create(capacity);
    this.#starts = new Int32Array(capacity);
    this.#lengths = new Int32Array(capacity);
    this.#sizes = new Int32Array(capacity);
    this.#connect();
  }

  /** Points the structs at each other. */
  #connect(): void {
    const iovecs = addressOf(this.#iovecs);
    for (let index = 0; index < this.#capacity; index++) {
      const iovec = iovecs + BigInt(index * IOVEC_BYTES);
      this.#headers.setPieces(index, iovec, 1);
      if (this.#control === null) continue;
      this.#headers.setControl(index, this.#control.address(index), 0);
    }
  }

  /**
   * Copies a message to the end of the batch.
   *
   * @param data The message
   * @param addressLength The length of its destination, which is in `addressBytes`; 0
   *   on a connected socket
   * @param joins Whether it may become a part of the message before it
   * @returns false if there is no room
   */
  add(
    data: Uint8Array<ArrayBuffer>,
    addressLength: number,
    joins: boolean,
  ): boolean {
    const index = this.count;
    if (joins && index > 0 && this.#join(index - 1, data, addressLength)) {
      return true;
    }
    const start = (this.#end + ALIGNMENT - 1) & -ALIGNMENT;
    if (index === this.#capacity || !this.#hasRoom(start, data)) return false;
    this.#memory.set(data, start);
    this.#end = start + data.length;
    this.#starts[index] = start;
    this.#sizes[index] = data.length;
    this.#setLength(index, data.length);
    const low = this.#low + start;
    const word = 4 * index + this.#addressWord;
    this.#iovecs[word] = low;
    this.#iovecs[word + 1] = this.#high + (low > 0xffff_ffff ? 1 : 0);
    this.#setName(index, addressLength);
    if (this.#control !== null) this.#headers.setControlLength(index, 0);
    this.count++;
    return true;
  }

  /**
   * Sends messages, as sendmmsg(2) does.
   *
   * @param first The index of the first
   * @returns how many were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {SystemError} as `Socket.sendTo`, of the first message that was not taken
   */
  send(fd: number, first: number): number {
    const { sendmmsg } = libc();
    const headers = this.#headers.from(first);
    const count = this.count - first;
    for (;;) {
      const sent = sendmmsg !== null
        ? sendmmsg(fd, headers, count, quietly(0))
        : winsock === null
        ? libc().sendmsg(fd, headers, quietly(0))
        : sendWindowsMessage(winsock, fd, headers, 0);
      if (sent >= 0) return sendmmsg !== null ? sent : 1;
      if (wouldBlock("sendmmsg", -sent)) return WOULD_BLOCK;
    }
  }

  /** The bytes of the message at `index`. */
  message(index: number): Uint8Array<ArrayBuffer> {
    const start = this.#starts[index]!;
    return this.#memory.subarray(start, start + this.#lengths[index]!);
  }

  /** The bytes of each datagram of the message at `index`; the last may be shorter. */
  segmentSize(index: number): number {
    return this.#sizes[index]!;
  }

  /** Removes all messages. */
  clear(): void {
    this.count = 0;
    this.#end = 0;
  }

  /** Makes a message one more datagram of the last message, if that is possible. */
  #join(
    last: number,
    data: Uint8Array<ArrayBuffer>,
    addressLength: number,
  ): boolean {
    const size = this.#sizes[last]!;
    const length = this.#lengths[last]!;
    if (data.length === 0 || data.length > size) return false;
    // A shorter datagram is always the last one.
    if (length % size !== 0) return false;
    if (length + data.length > mostSegmentBytes(size)) return false;
    if (!this.#isNamed(last, addressLength)) return false;
    if (!this.#hasRoom(this.#end, data)) return false;
    this.#memory.set(data, this.#end);
    this.#end += data.length;
    this.#setLength(last, length + data.length);
    this.#control!.setSize(last, size);
    this.#headers.setControlLength(last, this.#control!.length);
    return true;
  }

  #hasRoom(start: number, data: Uint8Array<ArrayBuffer>): boolean {
    return start + data.length <= this.#memory.length;
  }

  #setLength(index: number, length: number): void {
    this.#lengths[index] = length;
    this.#iovecs[4 * index + this.#lengthWord] = length;
  }

  #setName(index: number, length: number): void {
    if (length === 0) return this.#headers.clearName(index);
    if (this.#headers.hasName(index)) {
      this.#headers.setNameLength(index, length);
    } else {
      const place = BigInt(index * SOCKADDR_STORAGE_BYTES);
      this.#headers.setName(index, this.#namesAddress + place, length);
    }
    const start = index * NAME_WORDS;
    for (let word = 0; 4 * word < length; word++) {
      this.#names[start + word] = addressWords[word]!;
    }
  }

  /** Whether the address in `addressBytes` is the destination of a message. */
  #isNamed(index: number, length: number): boolean {
    if (this.#headers.nameLength(index) !== length) return false;
    const start = index * NAME_WORDS;
    for (let word = 0; 4 * word < length; word++) {
      if (this.#names[start + word] !== addressWords[word]) return false;
    }
    return true;
  }
}
