/**
 * What is still to be sent: of a connection because its peer does not read, of a
 * datagram socket because the system has no room.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";

/** Places of what was sent are cut off the front when there are this many. */
const MANY = 1024;

/**
 * What is kept for each item beside its bytes: 210 were measured in the heap for a
 * chunk of a single byte, and 262 for a datagram of four. Left out, tiny ones would
 * fill the memory long before their bytes do.
 */
const BYTES_BESIDE = 256;

/** Items in the order in which they are to be sent. */
abstract class SendQueue<Item> {
  /** How many bytes are left. */
  bytes = 0;
  protected items: Item[] = [];
  /** The first item that is not sent yet. */
  protected first = 0;
  readonly #sent: Item;

  /** @param sent What takes the place of an item that is sent */
  protected constructor(sent: Item) {
    this.#sent = sent;
  }

  /** How many items are left, one that is sent in part among them. */
  get length(): number {
    return this.items.length - this.first;
  }

  /** About how many bytes of memory they take. */
  get memory(): number {
    return this.bytes + this.length * BYTES_BESIDE;
  }

  /** Drops all items. */
  clear(): void {
    this.items = [];
    this.first = 0;
    this.bytes = 0;
  }

  /** Lets go of the first item at once, though its place is kept for a while. */
  protected letGo(): void {
    this.items[this.first++] = this.#sent;
  }

  /** Cuts off the places of what was let go of. */
  protected trim(): void {
    if (this.length === 0) return this.clear();
    // Only what is short by comparison is moved: each item once, on average.
    if (this.first <= MANY || this.first < this.length) return;
    this.items = this.items.slice(this.first);
    this.first = 0;
  }
}

const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** The chunks of a stream. */
export class WriteQueue extends SendQueue<Uint8Array<ArrayBuffer>> {
  /** How much of the first chunk is sent. */
  #offset = 0;

  constructor() {
    super(NO_BYTES);
  }

  /** Appends bytes, which are this queue's from now on. */
  push(chunk: Uint8Array<ArrayBuffer>): void {
    if (chunk.length === 0) return;
    this.items.push(chunk);
    this.bytes += chunk.length;
  }

  /** Sends as much as there is room for, many chunks with one call. */
  flush(socket: Pick<Socket, "sendPieces">): void {
    while (this.bytes > 0) {
      const count = socket.sendPieces(this.items, this.first, this.#offset);
      if (count === WOULD_BLOCK) return;
      this.#advance(count);
    }
  }

  #advance(count: number): void {
    this.bytes -= count;
    let left = count + this.#offset;
    while (this.length > 0 && left >= this.items[this.first]!.length) {
      left -= this.items[this.first]!.length;
      this.letGo();
    }
    this.#offset = left;
    this.trim();
  }
}

/** A message that waits for room. */
export interface QueuedMessage {
  /** The message. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Whom to; null for a connected socket. */
  readonly address: SocketAddress | null;
}

const NO_MESSAGE: QueuedMessage = { data: NO_BYTES, address: null };

/** The messages of a datagram socket. */
export class MessageQueue extends SendQueue<QueuedMessage> {
  constructor() {
    super(NO_MESSAGE);
  }

  /** Appends a message, which is this queue's from now on. */
  push(message: QueuedMessage): void {
    this.items.push(message);
    this.bytes += message.data.length;
  }

  /** The message at a place, from 0, the first, to `length` - 1. */
  at(index: number): QueuedMessage {
    return this.items[this.first + index]!;
  }

  /** Takes messages off the front, no more than there are. */
  drop(count: number): void {
    for (let dropped = 0; dropped < count; dropped++) {
      this.bytes -= this.items[this.first]!.data.length;
      this.letGo();
    }
    this.trim();
  }
}
