/**
 * What a datagram socket has still to send, because the system has no room.
 *
 * @module
 */

import type { SocketAddress } from "../backends/ffi/socket_address.ts";

/** Places of sent messages are cut off the front when there are this many. */
const MANY = 1024;

/**
 * What is kept for each message beside its bytes: 262 were measured for one of four
 * bytes. Left out, messages of four bytes, or of none, would fill the memory long
 * before their bytes do.
 */
const BYTES_BESIDE = 256;

/** A message that waits for room. */
export interface QueuedMessage {
  /** The message. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Whom to; null for a connected socket. */
  readonly address: SocketAddress | null;
}

/** Messages in the order in which they are to be sent. */
export class MessageQueue {
  /** How many bytes the messages have. */
  bytes = 0;
  #messages: QueuedMessage[] = [];
  /** The first message that is not sent yet. */
  #first = 0;

  /** How many messages are left. */
  get length(): number {
    return this.#messages.length - this.#first;
  }

  /** About how many bytes of memory they take. */
  get memory(): number {
    return this.bytes + this.length * BYTES_BESIDE;
  }

  /** Appends a message, which is this queue's from now on. */
  push(message: QueuedMessage): void {
    this.#messages.push(message);
    this.bytes += message.data.length;
  }

  /** The message at a place, from 0, the first, to `length` - 1. */
  at(index: number): QueuedMessage {
    return this.#messages[this.#first + index]!;
  }

  /** Takes messages off the front, no more than there are. */
  drop(count: number): void {
    for (const end = this.#first + count; this.#first < end; this.#first++) {
      this.bytes -= this.#messages[this.#first]!.data.length;
      // What is sent is let go of at once, though its place is kept for a while.
      this.#messages[this.#first] = SENT;
    }
    // Only what is short by comparison is moved: each message once, on average.
    if (this.#first > MANY && this.#first >= this.length) this.#trim();
    else if (this.length === 0) this.clear();
  }

  /** Drops all messages. */
  clear(): void {
    this.#messages = [];
    this.#first = 0;
    this.bytes = 0;
  }

  #trim(): void {
    this.#messages = this.#messages.slice(this.#first);
    this.#first = 0;
  }
}

const SENT: QueuedMessage = { data: new Uint8Array(0), address: null };
