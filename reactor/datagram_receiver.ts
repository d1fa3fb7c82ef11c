/**
 * The receiving half of a datagram socket: delivers the messages of a receive, and holds
 * back those that follow a pause.
 *
 * @module
 */

import { copyOf } from "../backends/ffi/memory.ts";
import type { ReceiveBatch } from "../backends/ffi/receive_batch.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import type { Incoming } from "./datagram_batch.ts";
import {
  beginGathering,
  endGathering,
  flushOverdue,
} from "./datagram_outbox.ts";
import type { Loop } from "./loop.ts";

/** Messages of the same batch as the one at which the program paused. */
interface HeldMessage {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly segmentSize: number;
  readonly address: SocketAddress;
}

/** The datagram socket that a receiver belongs to. */
export interface ReceiverOwner<Target> {
  /** The last argument of the callbacks. */
  readonly target: Target;
  /** Called with the error of a receive. */
  failed(error: unknown): void;
}

/** The callbacks of a receiver. */
interface ReceiverCallbacks<Target> {
  onMessage(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress,
    target: Target,
  ): void;
  onSegments(
    data: Uint8Array<ArrayBuffer>,
    segmentSize: number,
    address: SocketAddress,
    target: Target,
  ): void;
}

/** Receives messages, and calls back. */
export class DatagramReceiver<Target> {
  onMessage: ReceiverCallbacks<Target>["onMessage"] | null | undefined = null;
  /** Called instead of `onMessage` if it is set. */
  onSegments: ReceiverCallbacks<Target>["onSegments"] | null | undefined = null;
  paused = false;
  readonly #loop: Loop;
  readonly #incoming: Incoming;
  readonly #owner: ReceiverOwner<Target>;
  #held: HeldMessage[] = [];
  #closed = false;

  constructor(loop: Loop, incoming: Incoming, owner: ReceiverOwner<Target>) {
    this.#loop = loop;
    this.#incoming = incoming;
    this.#owner = owner;
  }

  /** Whether a callback is to be called with messages. */
  get reading(): boolean {
    if (this.paused || this.#closed) return false;
    return !!this.onMessage || !!this.onSegments;
  }

  /** Whether messages are held back, which are delivered before others. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** Receives messages with one call, and delivers them. */
  receive(fd: number): void {
    const batch = this.#incoming.take();
    let count = 0;
    try {
      count = batch.receive(fd);
      // A single reply leaves at once.
      const areMany = count > 1 || (count === 1 && batch.segmentSize(0) > 0);
      if (areMany) beginGathering(this.#loop);
      for (let index = 0; index < count; index++) this.#take(batch, index);
    } catch (error) {
      this.#owner.failed(error);
    } finally {
      endGathering();
      batch.reset(count);
      this.#incoming.giveBack(batch);
    }
  }

  /** Delivers messages that were held back, until a callback pauses again. */
  deliverHeld(): void {
    if (!this.reading) return;
    const held = this.#held;
    this.#held = [];
    for (const { data, segmentSize, address } of held) {
      this.#pass(data, segmentSize, address);
    }
  }

  /** Discards held messages, and calls no callback any more. */
  close(): void {
    this.#closed = true;
    this.#held = [];
  }

  #take(batch: ReceiveBatch, index: number): void {
    if (this.#closed) return;
    if (batch.isTruncated(index)) {
      const error = new RangeError(
        `Cannot receive a datagram of more than ${batch.messageBytes} bytes`,
      );
      return this.#loop.guard(() => this.#owner.failed(error));
    }
    const bytes = batch.received(index);
    const size = batch.segmentSize(index);
    this.#pass(bytes, size === 0 ? bytes.length : size, batch.source(index));
  }

  /** Delivers a message, or holds it back after a callback has paused. */
  #pass(
    bytes: Uint8Array<ArrayBuffer>,
    size: number,
    address: SocketAddress,
  ): void {
    if (!this.#delivers()) return this.#hold(bytes, size, address);
    if (bytes.length <= size || this.onSegments) {
      return this.#deliver(this.#incoming.whole(bytes), size, address);
    }
    const { length } = bytes;
    for (let start = 0; start < length; start += size) {
      if (!this.#delivers()) {
        return this.#hold(bytes.subarray(start), size, address);
      }
      const end = Math.min(start + size, length);
      this.#deliver(this.#incoming.part(bytes, start, end), size, address);
    }
  }

  #delivers(): boolean {
    return this.#held.length === 0 && this.reading;
  }

  #deliver(
    data: Uint8Array<ArrayBuffer>,
    size: number,
    address: SocketAddress,
  ): void {
    const { target } = this.#owner;
    try {
      if (this.onSegments) this.onSegments(data, size, address, target);
      else this.onMessage!(data, address, target);
    } catch (error) {
      this.#loop.reports.report(error);
    }
    flushOverdue();
  }

  #hold(
    bytes: Uint8Array<ArrayBuffer>,
    segmentSize: number,
    address: SocketAddress,
  ): void {
    if (this.#closed) return;
    this.#held.push({ data: copyOf(bytes), segmentSize, address });
  }
}
