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
import { isSystemError } from "../backends/ffi/errors.ts";
import { copyOf } from "../backends/ffi/memory.ts";
import type { MessageBatch } from "../backends/ffi/message_batch.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import {
  BATCH,
  type LastSource,
  MESSAGE_BYTES,
  outgoingBatch,
} from "./datagram_batch.ts";
import type { Loop } from "./loop.ts";
import { MessageQueue } from "./send_queue.ts";
import type { Timer } from "./timers.ts";

/** Below this many queued bytes `send()` returns true. */
const HIGH_WATER_MARK = 256 * 1024;

/** How long a rest takes, in milliseconds. */
const REST = 10;

/**
 * How many rests in a row a message gets. Some never fit: on Linux those whose fragments
 * take more than twice the send buffer.
 */
const MAXIMUM_RESTS = 100;

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
export class DatagramSender {
  readonly #loop: Loop;
  readonly #socket: Socket;
  readonly #source: LastSource;
  readonly #maximumQueued: number;
  readonly #owner: SenderOwner;
  readonly #queue = new MessageQueue();
  #state = State.Idle;
  #drainPending = false;
  /** Ends a rest. */
  #rest: Timer | null = null;
  /** How many rests there were since a message was sent. */
  #rests = 0;
  #referenced = true;

  constructor(
    loop: Loop,
    socket: Socket,
    source: LastSource,
    maximumQueued: number,
    owner: SenderOwner,
  ) {
    this.#loop = loop;
    this.#socket = socket;
    this.#source = source;
    this.#maximumQueued = maximumQueued;
    this.#owner = owner;
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
    this.#referenced = referenced;
    if (referenced) this.#rest?.ref();
    else this.#rest?.unref();
  }

  /**
   * Sends a message, or queues a copy of it.
   *
   * @returns whether less than the high water mark is queued
   * @throws {RangeError} if more than the maximum is queued
   */
  send(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): boolean {
    this.#checkRoom();
    if (this.#queue.length > 0 || !this.#trySend(data, address)) {
      this.#enqueue(data, address);
      this.#settle();
    }
    return this.#isBelowHighWater();
  }

  /**
   * Queues a copy of a message, which `flush()` sends.
   *
   * @throws as `send`
   */
  enqueue(data: Uint8Array<ArrayBuffer>, address: SocketAddress | null): void {
    if (this.#isFull()) this.#flush();
    this.#checkRoom();
    this.#enqueue(data, address);
  }

  /**
   * Sends queued messages while there is room.
   *
   * @returns as `send`
   */
  flush(): boolean {
    this.#flush();
    return this.#isBelowHighWater();
  }

  /** Sends queued messages. Called when the socket is writable, or a rest is over. */
  resume(): void {
    const { length } = this.#queue;
    this.#flush();
    if (this.#state !== State.Writing || this.#queue.length < length) return;
    // Writable, but without room: the system does not report when there is some.
    this.#startRest();
    this.#settle();
  }

  /** Discards the queue. */
  close(): void {
    this.#loop.queued.count(-this.#queue.bytes, -this.#queue.memory);
    this.#queue.clear();
    this.#rest?.cancel();
    this.#state = State.Idle;
  }

  /** @returns false if there was no room */
  #trySend(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): boolean {
    try {
      return this.#source.send(this.#socket, data, address) !== WOULD_BLOCK;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (this.#restAfter(error)) return false;
      this.#owner.failed(error);
      return true;
    }
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
  ): void {
    const { memory } = this.#queue;
    this.#queue.push({ data: copyOf(data), address });
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
    try {
      const batch = outgoingBatch();
      const count = this.#prepare(batch);
      const sent = count > 0
        ? batch.send(this.#socket.fd, count)
        : this.#sendFirst();
      if (sent !== WOULD_BLOCK) this.#dequeue(sent);
      return sent;
    } catch (error) {
      if (this.#restAfter(error)) return WOULD_BLOCK;
      this.#dequeue(1);
      this.#owner.failed(error);
      return 1;
    }
  }

  /**
   * Puts the front of the queue into a batch, up to the first message that is malformed
   * or too large.
   *
   * @returns how many messages; 0 if the first is too large for a batch
   * @throws if the first is malformed
   */
  #prepare(batch: MessageBatch): number {
    const most = Math.min(this.#queue.length, BATCH);
    for (let index = 0; index < most; index++) {
      const { data, address } = this.#queue.at(index);
      if (data.length > MESSAGE_BYTES) return index;
      try {
        batch.prepare(index, data, address, this.#socket.domain);
      } catch (error) {
        // The messages before it are sent first: its error is not theirs.
        if (index > 0) return index;
        throw error;
      }
    }
    return most;
  }

  #sendFirst(): number {
    const { data, address } = this.#queue.at(0);
    const count = this.#source.send(this.#socket, data, address);
    return count === WOULD_BLOCK ? WOULD_BLOCK : 1;
  }

  /** Takes messages off the queue that are sent, or refused. */
  #dequeue(count: number): void {
    this.#rests = 0;
    const { bytes, memory } = this.#queue;
    this.#queue.drop(count);
    const after = this.#queue;
    this.#loop.queued.count(after.bytes - bytes, after.memory - memory);
  }

  /**
   * Starts a rest if the network has no room, except after too many rests.
   *
   * @returns false if the error is to be reported
   */
  #restAfter(error: unknown): boolean {
    const full = isSystemError(error) && error.code === "ENOBUFS";
    if (!full || this.#rests === MAXIMUM_RESTS) return false;
    this.#rests++;
    this.#startRest();
    return true;
  }

  #startRest(): void {
    this.#state = State.Resting;
    this.#rest = this.#loop.callLater(REST, () => {
      this.#rest = null;
      this.#state = State.Writing;
      this.resume();
    });
    if (!this.#referenced) this.#rest.unref();
  }

  #settle(): void {
    if (this.#state !== State.Resting) {
      this.#state = this.#queue.length > 0 ? State.Writing : State.Idle;
    }
    this.#owner.changed();
  }
}
