/**
 * The sending half of a datagram socket: a message is sent at once, or queued.
 *
 * | state | waits for | next |
 * | --- | --- | --- |
 * | `Idle` | `send()` | `Writing` if the system has no room |
 * | `Writing` | `EVENT_WRITE` | `Idle` when the queue is empty, `Resting` if a writable socket has no room |
 * | `Resting` | a timer | `Writing`, or `Idle` when the queue is empty |
 *
 * It rests because two shortages leave a socket writable, so no selector reports their
 * end. One is that of the network interface (`ENOBUFS`). The other is that of the peer
 * of a Unix socket that is not connected (unix(7)).
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { encodeDestination } from "../backends/ffi/address_book.ts";
import { isSystemError } from "../backends/ffi/errors.ts";
import { copyOf } from "../backends/ffi/memory.ts";
import type { SendBatch } from "../backends/ffi/send_batch.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type {
  SocketAddress,
  SocketDomain,
} from "../backends/ffi/socket_address.ts";
import { sendEncoded } from "../backends/ffi/socket_message.ts";
import {
  emptyBatch,
  flushOutbox,
  type Gatherer,
  isGathered,
  outboxOf,
} from "./datagram_outbox.ts";
import { SenderRest } from "./datagram_rest.ts";
import { DatagramSegments } from "./datagram_segments.ts";
import type { Loop } from "./loop.ts";
import { MessageQueue } from "./send_queue.ts";

/** Below this many queued bytes `send()` returns true. */
const HIGH_WATER_MARK = 256 * 1024;

enum State {
  Idle,
  Writing,
  Resting,
}

/** The datagram socket that a sender belongs to. */
export interface SenderOwner {
  /** Called when `wantsWrite` may have changed. */
  changed(): void;
  /** Called with the error of a message that is not sent; within a method too. */
  failed(error: unknown): void;
  /** Called when the queue is empty after `send()` returned false; within a method too. */
  drained(): void;
}

/** Sends messages in their order, and queues those that the system does not take. */
export class DatagramSender implements Gatherer {
  readonly #loop: Loop;
  readonly #socket: Socket;
  readonly #domain: SocketDomain;
  readonly #maximumQueued: number;
  readonly #owner: SenderOwner;
  readonly #segments: DatagramSegments;
  readonly #rest: SenderRest;
  readonly #queue = new MessageQueue();
  #state = State.Idle;
  #drainPending = false;

  /** @param segmented Whether the kernel splits messages of the socket */
  constructor(
    loop: Loop,
    socket: Socket,
    maximumQueued: number,
    segmented: boolean,
    owner: SenderOwner,
  ) {
    this.#loop = loop;
    this.#socket = socket;
    this.#domain = socket.domain;
    this.#maximumQueued = maximumQueued;
    this.#segments = new DatagramSegments(socket, segmented);
    this.#owner = owner;
    this.#rest = new SenderRest(loop, () => {
      this.#state = State.Writing;
      this.resume();
    });
  }

  /** How many bytes are queued. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Whether it waits for `EVENT_WRITE`. */
  get wantsWrite(): boolean {
    return this.#state === State.Writing;
  }

  /** Whether a rest keeps the loop alive. */
  setReferenced(referenced: boolean): void {
    this.#rest.setReferenced(referenced);
  }

  /**
   * Sends a message, gathers it, or queues a copy of it.
   *
   * @returns whether less than the high water mark is queued
   * @throws {RangeError} if more than the maximum is queued
   * @throws if the address is malformed, unless the message is queued
   */
  send(data: Uint8Array<ArrayBuffer>, address: SocketAddress | null): boolean {
    this.#checkRoom();
    if (isGathered(this.#loop, data)) this.#gather(data, address);
    else this.#sendNow(data, address);
    return this.#isBelowHighWater();
  }

  /**
   * Sends bytes as datagrams of one size, of which the last may be shorter, or queues a
   * copy of them.
   *
   * @returns as `send`
   * @throws as `send`
   */
  sendSegments(
    data: Uint8Array<ArrayBuffer>,
    size: number,
    address: SocketAddress | null,
  ): boolean {
    this.#checkRoom();
    flushOutbox(this);
    const sent = this.#queue.length > 0
      ? 0
      : this.#trySegments(data, size, address);
    if (sent < data.length) this.#enqueue(data.subarray(sent), address, size);
    this.#settle();
    return this.#isBelowHighWater();
  }

  /**
   * Adds a message to those that `flush()` sends. A malformed address is reported.
   *
   * @throws {RangeError} as `send`
   */
  add(data: Uint8Array<ArrayBuffer>, address: SocketAddress | null): void {
    if (this.#isFull()) this.#flush();
    this.#checkRoom();
    try {
      this.#gather(data, address);
    } catch (error) {
      this.#owner.failed(error);
    }
  }

  /**
   * Sends added messages, and queued ones while there is room.
   *
   * @returns as `send`
   */
  flush(): boolean {
    flushOutbox(this);
    this.#flush();
    return this.#isBelowHighWater();
  }

  /** Sends queued messages. Called when the socket is writable, or a rest is over. */
  resume(): void {
    const { memory } = this.#queue;
    this.#flush();
    // Datagrams of a message count too, which may be the only one in the queue.
    if (this.#state !== State.Writing || this.#queue.memory < memory) return;
    // Writable, but without room: the system does not report when there is some.
    this.#state = State.Resting;
    this.#rest.start();
    this.#settle();
  }

  /** Sends gathered messages, and discards the queue. */
  close(): void {
    flushOutbox(this);
    this.#loop.queued.count(-this.#queue.bytes, -this.#queue.memory);
    this.#queue.clear();
    this.#rest.cancel();
    this.#state = State.Idle;
  }

  /** Sends the messages in the outbox, which are this sender's. */
  flushGathered(): void {
    const outbox = outboxOf(this);
    const { batch, addresses } = outbox;
    let first = 0;
    while (first < batch.count && this.#queue.length === 0) {
      const sent = this.#sendGathered(batch, first, addresses[first]!);
      if (sent === WOULD_BLOCK) break;
      first += sent;
    }
    for (; first < batch.count; first++) {
      const size = batch.segmentSize(first);
      this.#enqueue(batch.message(first), addresses[first]!, size);
    }
    outbox.clear();
    if (this.#queue.length > 0) this.#settle();
  }

  /** @returns how many messages were taken; `WOULD_BLOCK` to queue the first */
  #sendGathered(
    batch: SendBatch,
    first: number,
    address: SocketAddress | null,
  ): number {
    try {
      return batch.send(this.#socket.fd, first);
    } catch (error) {
      const message = batch.message(first);
      const size = batch.segmentSize(first);
      const taken = this.#recover(error, message.length, size);
      if (taken === WOULD_BLOCK) return WOULD_BLOCK;
      const sent = taken +
        this.#trySegments(message.subarray(taken), size, address);
      if (sent < message.length) {
        this.#enqueue(message.subarray(sent), address, size);
      }
      return 1;
    }
  }

  /** Sends a message, or queues a copy of it. */
  #sendNow(data: Uint8Array<ArrayBuffer>, address: SocketAddress | null): void {
    flushOutbox(this);
    if (this.#queue.length === 0) {
      try {
        if (this.#sendOne(data, address) !== WOULD_BLOCK) return;
      } catch (error) {
        if (this.#recover(error, data.length, data.length) !== WOULD_BLOCK) {
          return;
        }
      }
    }
    this.#enqueue(data, address, data.length);
    this.#settle();
  }

  /** Copies a message to the outbox. One without room there is sent, or queued. */
  #gather(data: Uint8Array<ArrayBuffer>, address: SocketAddress | null): void {
    const joins = this.#segments.allows(data.length);
    for (let attempt = 0; attempt < 2 && this.#queue.length === 0; attempt++) {
      const { batch, addresses } = outboxOf(this);
      const index = batch.count;
      if (batch.add(data, this.#encode(address), joins)) {
        if (batch.count > index) addresses[index] = address;
        return;
      }
      this.flushGathered();
    }
    this.#sendNow(data, address);
  }

  /** Writes a destination into the room for addresses, and returns its length. */
  #encode(address: SocketAddress | null): number {
    return address === null ? 0 : encodeDestination(address, this.#domain);
  }

  /** @returns as `Socket.send` */
  #sendOne(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): number {
    const { fd } = this.#socket;
    return address === null
      ? this.#socket.send(data)
      : sendEncoded(fd, data, encodeDestination(address, this.#domain));
  }

  /** @returns how many bytes were taken, or refused: all of them unless there is no room */
  #trySegments(
    data: Uint8Array<ArrayBuffer>,
    size: number,
    address: SocketAddress | null,
  ): number {
    let start = 0;
    while (start < data.length) {
      const left = data.length - start;
      const joined = left > size && this.#segments.allows(size);
      let taken;
      try {
        taken = joined
          ? this.#segments.send(data, start, size, address)
          : this.#sendOne(data.subarray(start, start + size), address);
      } catch (error) {
        taken = this.#recover(
          error,
          joined ? left : Math.min(size, left),
          size,
        );
      }
      if (taken === WOULD_BLOCK) return start;
      start += taken;
    }
    return start;
  }

  /**
   * Handles the error of a message: its first datagram is dropped, except if all are to
   * be sent again.
   *
   * @param length The bytes of the message
   * @param size The bytes of each of its datagrams
   * @returns how many bytes are dropped; `WOULD_BLOCK` to send later
   * @throws an error that is not the system's
   */
  #recover(error: unknown, length: number, size: number): number {
    if (!isSystemError(error)) throw error;
    if (length > size && this.#segments.isRefusal(error, size)) return 0;
    if (this.#restAfter(error)) return WOULD_BLOCK;
    this.#owner.failed(error);
    return Math.min(length, size);
  }

  #isFull(): boolean {
    return this.#queue.memory > this.#maximumQueued;
  }

  /**
   * Refuses a message at once. To report the refusal later, the sender would have to
   * remember each refused message, which is the memory that the limit saves.
   */
  #checkRoom(): void {
    // With an empty queue no `onDrain` would follow, so the message is admitted.
    const refusal = this.#queue.length > 0 ? this.#loop.queued.refusal() : null;
    if (refusal === null && !this.#isFull()) return;
    this.#drainPending = true;
    throw refusal ??
      new RangeError(`Cannot queue more than ${this.#maximumQueued} bytes`);
  }

  #isBelowHighWater(): boolean {
    if (this.#queue.bytes < HIGH_WATER_MARK && !this.#isFull()) return true;
    this.#drainPending = true;
    return false;
  }

  #enqueue(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
    segmentSize: number,
  ): void {
    const { memory } = this.#queue;
    this.#queue.push({ data: copyOf(data), address, segmentSize });
    this.#loop.queued.count(data.length, this.#queue.memory - memory);
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#state !== State.Resting) {
      if (this.#sendSome() === WOULD_BLOCK) break;
    }
    this.#settle();
    if (this.#queue.length > 0 || !this.#drainPending) return;
    this.#drainPending = false;
    this.#owner.drained();
  }

  /** Sends the front of the queue with one call. A refused message is dropped. */
  #sendSome(): number {
    const { data, address, segmentSize } = this.#queue.at(0);
    try {
      if (segmentSize < data.length) return this.#sendQueuedSegments();
      const batch = emptyBatch();
      const sent = this.#prepare(batch) > 0
        ? batch.send(this.#socket.fd, 0)
        : Math.min(this.#sendOne(data, address), 1);
      if (sent !== WOULD_BLOCK) this.#dequeue(sent);
      return sent;
    } catch (error) {
      if (this.#restAfter(error)) return WOULD_BLOCK;
      this.#dequeue(1);
      this.#owner.failed(error);
      return 1;
    }
  }

  /** Sends datagrams of the first queued message. */
  #sendQueuedSegments(): number {
    const { data, address, segmentSize } = this.#queue.at(0);
    const sent = this.#trySegments(data, segmentSize, address);
    if (sent === data.length) this.#dequeue(1);
    else if (sent > 0) this.#shorten(sent);
    return sent === data.length ? 1 : WOULD_BLOCK;
  }

  /**
   * Puts the front of the queue into a batch, up to the first message that is malformed,
   * too large, or several datagrams.
   *
   * @returns how many messages; 0 if the first is too large for a batch
   * @throws if the first is malformed
   */
  #prepare(batch: SendBatch): number {
    for (let index = 0; index < this.#queue.length; index++) {
      const { data, address, segmentSize } = this.#queue.at(index);
      if (segmentSize < data.length) return index;
      try {
        if (!batch.add(data, this.#encode(address), false)) return index;
      } catch (error) {
        // The messages before it are sent first: its error is not theirs.
        if (index > 0) return index;
        throw error;
      }
    }
    return this.#queue.length;
  }

  /** Takes messages off the queue that are sent, or refused. */
  #dequeue(count: number): void {
    this.#rest.forget();
    const { bytes, memory } = this.#queue;
    this.#queue.drop(count);
    this.#count(bytes, memory);
  }

  /** Takes sent datagrams off the first message. */
  #shorten(count: number): void {
    this.#rest.forget();
    const { bytes, memory } = this.#queue;
    this.#queue.shorten(count);
    this.#count(bytes, memory);
  }

  /** Counts the difference to an earlier state of the queue. */
  #count(bytes: number, memory: number): void {
    const after = this.#queue;
    this.#loop.queued.count(after.bytes - bytes, after.memory - memory);
  }

  /** Rests if the network has no room. Returns false if the error is to be reported. */
  #restAfter(error: unknown): boolean {
    if (!this.#rest.startAfter(error)) return false;
    this.#state = State.Resting;
    return true;
  }

  #settle(): void {
    if (this.#state !== State.Resting) {
      this.#state = this.#queue.length > 0 ? State.Writing : State.Idle;
    }
    this.#owner.changed();
  }
}
