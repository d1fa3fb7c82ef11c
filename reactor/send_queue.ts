/**
 * Data that waits to be sent: of a stream because its peer does not read, of a
 * datagram socket because the system has no room.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";

/** The places of sent items are cut off the front when there are this many. */
const MANY = 1024;

/**
 * The memory of an item in addition to its bytes. In the heap 210 were measured for
 * a chunk of one byte, and 262 for a datagram of four. Without them in the count,
 * tiny items would fill the memory long before their bytes reach a limit.
 */
const OVERHEAD = 256;

/** Items in the order in which they are sent. */
abstract class SendQueue<Item> {
  /** How many bytes are left. */
  bytes = 0;
  protected items: Item[] = [];
  /** Index of the first item that is not sent yet. */
  protected first = 0;
  readonly #sent: Item;

  /** @param sent Takes the place of each sent item */
  protected constructor(sent: Item) {
    this.#sent = sent;
  }

  /** How many items are left, with one that was sent in part. */
  get length(): number {
    return this.items.length - this.first;
  }

  /** About how many bytes of memory the items take. */
  get memory(): number {
    return this.bytes + this.length * OVERHEAD;
  }

  /** Discards all items. */
  clear(): void {
    this.items = [];
    this.first = 0;
    this.bytes = 0;
  }

  /** Releases the memory of the first item; its place is cut off later. */
  protected release(): void {
    this.items[this.first++] = this.#sent;
  }

  /** Cuts off the places of released items. */
  protected trim(): void {
    if (this.length === 0) return this.clear();
    // Moves only the shorter part, so each item moves once on average.
    if (this.first <= MANY || this.first < this.length) return;
    this.items = this.items.slice(this.first);
    this.first = 0;
  }
}

const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** A file that takes several pieces of memory with one call. */
export type PieceSink = Pick<Socket, "sendPieces">;

/** The chunks of a stream. */
export class WriteQueue extends SendQueue<Uint8Array<ArrayBuffer>> {
  /** How many bytes of the first chunk are sent. */
  #offset = 0;

  constructor() {
    super(NO_BYTES);
  }

  /** Appends bytes that nothing else changes from now on. */
  push(chunk: Uint8Array<ArrayBuffer>): void {
    if (chunk.length === 0) return;
    this.items.push(chunk);
    this.bytes += chunk.length;
  }

  /**
   * Sends as much as there is room for, many chunks with one call. A call that ends
   * within a chunk has filled the room: another one would only report that.
   */
  flush(sink: PieceSink): void {
    while (this.bytes > 0) {
      const count = sink.sendPieces(this.items, this.first, this.#offset);
      if (count === WOULD_BLOCK) return;
      this.#advance(count);
      if (this.#offset > 0) return;
    }
  }

  #advance(count: number): void {
    this.bytes -= count;
    let left = count + this.#offset;
    while (this.length > 0 && left >= this.items[this.first]!.length) {
      left -= this.items[this.first]!.length;
      this.release();
    }
    this.#offset = left;
    this.trim();
  }
}

/** A message that waits for room. */
export interface QueuedMessage {
  /** The bytes of the message. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The receiver; null on a connected socket. */
  readonly address: SocketAddress | null;
  /** The bytes of each datagram, of which the last may be shorter: all bytes for one. */
  readonly segmentSize: number;
}

const NO_MESSAGE: QueuedMessage = {
  data: NO_BYTES,
  address: null,
  segmentSize: 0,
};

/** The messages of a datagram socket. */
export class MessageQueue extends SendQueue<QueuedMessage> {
  constructor() {
    super(NO_MESSAGE);
  }

  /** Appends a message that nothing else changes from now on. */
  push(message: QueuedMessage): void {
    this.items.push(message);
    this.bytes += message.data.length;
  }

  /** The message at an index, from 0 to `length` - 1. */
  at(index: number): QueuedMessage {
    return this.items[this.first + index]!;
  }

  /** Removes bytes from the front of the first message, fewer than it has. */
  shorten(count: number): void {
    const message = this.items[this.first]!;
    const data = message.data.subarray(count);
    this.items[this.first] = { ...message, data };
    this.bytes -= count;
  }

  /** Removes messages from the front, no more than there are. */
  drop(count: number): void {
    for (let dropped = 0; dropped < count; dropped++) {
      this.bytes -= this.items[this.first]!.data.length;
      this.release();
    }
    this.trim();
  }
}
