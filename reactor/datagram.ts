/**
 * Messages, each whole and on its own: UDP, and the datagrams of Unix.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { bytesOf, copyOf } from "../backends/ffi/memory.ts";
import { MessageBatch, sendToEncoded } from "../backends/ffi/message_batch.ts";
import { keptAddress } from "../backends/ffi/received_address.ts";
import { isSystemError } from "../backends/ffi/errors.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../backends/selector.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";
import { MessageQueue } from "./send_queue.ts";
import { Copies } from "./receive_buffer.ts";
import type { Timer } from "./timers.ts";

/**
 * Room for the largest datagram of UDP, 65,507 bytes over IPv4. One of Unix may
 * be larger: it is sent on its own, and received in vain.
 */
const LARGEST_DATAGRAM = 64 * 1024;

/** How many datagrams one call receives or sends, and one turn takes off one socket. */
const BATCH = 32;

/** Below this many queued bytes `send()` returns true. */
const HIGH_WATER_MARK = 256 * 1024;

/**
 * How long sending is suspended when the network has no room (ENOBUFS), or the peer
 * of a Unix socket, in milliseconds. The socket is writable all the while, so no
 * selector says when.
 */
const BACK_OFF = 10;

/** How long until the system is asked again to watch a socket, in milliseconds. */
const RETRY = 100;

/**
 * How often in a row, before the message is told to `onError` instead. Some never fit:
 * on Linux those whose fragments take more than twice the send buffer.
 */
const MOST_BACK_OFFS = 100;

/** A message that came in one batch with the one at which somebody paused. */
interface Held {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly address: SocketAddress;
}

/** A message to be sent, as `sendMany` takes it. */
export interface OutgoingMessage {
  /** The message: an `ArrayBuffer`, or any view of one. */
  readonly data: BufferSource;
  /** Whom to; a connected socket needs none. */
  readonly address?: SocketAddress;
}

/** Shared by all datagram sockets of a thread: each uses them within one call. */
let incoming: MessageBatch | undefined;
let outgoing: MessageBatch | undefined;
let copies: Copies | undefined;

function newBatch(): MessageBatch {
  return new MessageBatch(BATCH, LARGEST_DATAGRAM);
}

/**
 * A datagram socket, driven by callbacks. Several messages are received, and
 * several of the queued are sent, with one system call where the system has one
 * for it (Linux, FreeBSD, NetBSD).
 *
 * @example A datagram to oneself
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const datagram = reactor.datagram({ hostname: "127.0.0.1", port: 0 });
 * datagram.onMessage = (data) => {
 *   assertEquals(data, new Uint8Array([1, 2, 3]));
 *   datagram.close();
 * };
 * datagram.send(new Uint8Array([1, 2, 3]), datagram.address);
 * reactor.run();
 * ```
 *
 * @typeParam Address `InternetAddress` for UDP, `UnixAddress` for a Unix socket
 */
export class Datagram<Address extends SocketAddress = SocketAddress>
  implements Owned {
  /**
   * Called with what could not be sent, what an ICMP message reported, and once if
   * the system refuses to watch the socket: that is tried again. The socket stays open.
   */
  onError: ((error: Error, datagram: Datagram) => void) | null = null;
  /** Called when the queue is empty after `send()` returned false, or refused a message. */
  onDrain: ((datagram: Datagram) => void) | null = null;
  /** Called when the socket is closed, as the last. */
  onClose: ((datagram: Datagram) => void) | null = null;
  readonly #loop: Loop;
  readonly #socket: Socket;
  readonly #maximumQueued: number;
  #onMessage:
    | ((
      data: Uint8Array<ArrayBuffer>,
      address: SocketAddress,
      datagram: Datagram,
    ) => void)
    | null = null;
  /**
   * Where the reactor keeps this socket.
   *
   * @ignore
   */
  [PLACE]: number = -1;
  #interest = 0;
  #paused = false;
  #referenced = true;
  readonly #queue = new MessageQueue();
  #owesDrain = false;
  /** While nothing is sent for a moment. */
  #backOff: Timer | null = null;
  /** How many moments there were since something was sent. */
  #backOffs = 0;
  /** After the system has refused to watch the socket, until it no longer does. */
  #retry: Timer | null = null;
  #held: Held[] = [];
  /** Whom the last message was from: the next is often from the same. */
  #lastBytes = new Uint8Array(0);
  #lastAddress: SocketAddress = { path: "" };

  /**
   * Made by `Reactor.datagram`.
   *
   * @param socket The socket, which is this object's from now on
   * @param maximumQueued The bytes above which a message is refused. Default: no limit
   */
  constructor(loop: Loop, socket: Socket, maximumQueued: number = Infinity) {
    this.#loop = loop;
    this.#socket = socket;
    this.#maximumQueued = maximumQueued;
    loop.own(this);
  }

  /** The descriptor; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** The socket, for options that have no method here. */
  get socket(): Socket {
    return this.#socket;
  }

  /**
   * Where it is; with port 0 the port that the system chose.
   *
   * @throws {Deno.errors.BadResource} once closed
   */
  get address(): Address {
    return this.#socket.localAddress as Address;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#socket.fd === -1;
  }

  /** How many bytes wait to be sent. */
  get bufferedAmount(): number {
    return this.#queue.bytes;
  }

  /**
   * Called with each message, which is the callback's to keep and to transfer, and
   * whom it is from.
   */
  get onMessage():
    | ((
      data: Uint8Array<ArrayBuffer>,
      address: SocketAddress,
      datagram: Datagram,
    ) => void)
    | null {
    return this.#onMessage;
  }

  set onMessage(
    callback:
      | ((
        data: Uint8Array<ArrayBuffer>,
        address: SocketAddress,
        datagram: Datagram,
      ) => void)
      | null,
  ) {
    this.#onMessage = callback;
    this.#updateReading();
  }

  /**
   * Sends a message, or queues a copy of it if there is no room. What the system
   * refuses, as a message that is too large, is told to `onError`; so is one for which
   * the network has had no room (`ENOBUFS`) for about a second.
   *
   * @param data The message: an `ArrayBuffer`, or any view of one
   * @param address Whom to; a connected socket needs none
   * @returns false if 256 KiB or more are queued, or more than `maximumQueued`:
   *   `onDrain` follows
   * @throws {TypeError} if it is given anything but bytes, or if the address is
   *   malformed or of another domain: of a queued message, `onError` is told so
   * @throws {RangeError} if its port or the length of its path is out of range, likewise
   * @throws {RangeError} if more than `maximumQueued` is queued, here or in all the
   *   reactor: this message is not, and `onDrain` follows
   */
  send(data: BufferSource, address?: SocketAddress): boolean {
    const bytes = bytesOf(data, "send");
    if (this.closed) return false;
    this.#checkRoom();
    if (this.#queue.length > 0 || !this.#trySend(bytes, address ?? null)) {
      this.#enqueue(bytes, address ?? null);
    }
    return this.#belowHighWater();
  }

  /**
   * Sends several messages, many with one call: sendmmsg(2), where the system has it.
   * There may be more of them than `maximumQueued`, if the system takes them.
   *
   * @param messages The messages, each with whom it is to
   * @returns as `send`
   * @throws {TypeError} if the data of a message is anything but bytes: of an array
   *   none is sent then, of another iterable those before it are queued already
   * @throws {RangeError} if more than `maximumQueued` is queued, likewise
   */
  sendMany(messages: Iterable<OutgoingMessage>): boolean {
    // An array is looked through before; what another iterable yields is not there yet.
    if (Array.isArray(messages)) {
      for (const { data } of messages) bytesOf(data, "send");
    }
    if (this.closed) return false;
    for (const { data, address } of messages) {
      const bytes = bytesOf(data, "send");
      if (this.#isFull()) this.#flush();
      this.#checkRoom();
      this.#enqueue(bytes, address ?? null);
    }
    this.#flush();
    return this.#belowHighWater();
  }

  /**
   * Fixes the peer: messages go to it, and come from it alone. Called again, it
   * fixes another.
   *
   * @throws as `Socket.connect`
   */
  connect(address: SocketAddress): void {
    this.#socket.connect(address);
  }

  /** Receives no more until `resume()`; what the system has no room for is lost. */
  pause(): void {
    this.#paused = true;
    this.#updateReading();
  }

  /** Receives again. */
  resume(): void {
    this.#paused = false;
    this.#updateReading();
  }

  /** Keeps `run()` going, and the process open, as at the beginning. */
  ref(): void {
    if (this.#referenced) return;
    this.#referenced = true;
    this.#backOff?.ref();
    this.#retry?.ref();
    if (this.#interest !== 0) this.#loop.countUnreferenced(-1);
  }

  /** Lets `run()` return and the process end although the socket is open. */
  unref(): void {
    if (!this.#referenced) return;
    this.#referenced = false;
    this.#backOff?.unref();
    this.#retry?.unref();
    if (this.#interest !== 0) this.#loop.countUnreferenced(1);
  }

  /** Closes the socket. What is queued is dropped; closing again does nothing. */
  close(): void {
    if (this.closed) return;
    this.#loop.countQueued(-this.#queue.bytes, -this.#queue.memory);
    this.#queue.clear();
    this.#backOff?.cancel();
    this.#retry?.cancel();
    this.#onMessage = null;
    this.#held = [];
    this.#leave();
    this.#socket.close();
    this.#loop.disown(this);
    this.#loop.callSoon(() => this.onClose?.(this));
  }

  /**
   * As `close()`.
   *
   * @ignore
   */
  [DESTROY](): void {
    this.close();
  }

  /** Closes the socket at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    const datagram = fileobj as Datagram;
    if ((events & EVENT_READ) !== 0) datagram.#receive();
    if ((events & EVENT_WRITE) !== 0 && !datagram.closed) datagram.#retrySend();
  };

  #receive(): void {
    const batch = incoming ?? newBatch();
    // A callback may run another reactor, which then needs a batch of its own.
    incoming = undefined;
    try {
      const count = batch.receive(this.#socket.fd);
      for (let index = 0; index < count; index++) this.#take(batch, index);
      batch.reset(count);
    } catch (error) {
      this.#tell(error);
    } finally {
      incoming = batch;
    }
  }

  /** Delivers a message, or holds it back for whoever paused at one before it. */
  #take(batch: MessageBatch, index: number): void {
    if (this.closed) return;
    if (batch.isTruncated(index)) {
      const error = new RangeError(
        `Cannot receive a datagram of more than ${batch.messageBytes} bytes`,
      );
      return this.#loop.guard(() => this.#tell(error));
    }
    const data = (copies ??= new Copies()).of(batch.received(index));
    const address = this.#addressOf(batch, index);
    if (this.#held.length === 0 && this.#reads()) this.#deliver(data, address);
    else this.#held.push({ data, address });
  }

  #deliver(data: Uint8Array<ArrayBuffer>, address: SocketAddress): void {
    try {
      this.#onMessage!(data, address, this);
    } catch (error) {
      this.#loop.report(error);
    }
  }

  /** Decoding an address costs as much as receiving one more message: once will do. */
  #addressOf(batch: MessageBatch, index: number): SocketAddress {
    const length = batch.addressLength(index);
    const bytes = batch.address(index);
    if (
      length !== this.#lastBytes.length || !startsWith(bytes, this.#lastBytes)
    ) {
      this.#lastBytes = bytes.slice(0, length);
      // Frozen: who it stands for may not change under those who hold it.
      this.#lastAddress = Object.freeze(keptAddress(this.#lastBytes));
    }
    return this.#lastAddress;
  }

  /** @returns false if there was no room */
  #trySend(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): boolean {
    try {
      return this.#sendNow(data, address) !== WOULD_BLOCK;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (this.#suspend(error)) return false;
      this.#loop.callSoon(() => this.#tell(error));
      return true;
    }
  }

  /** An answer goes where the last message came from: that address is encoded already. */
  #sendNow(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): number {
    if (address === null) return this.#socket.send(data);
    if (address !== this.#lastAddress) {
      return this.#socket.sendTo(data, address);
    }
    const bytes = this.#lastBytes;
    return sendToEncoded(this.#socket.fd, data, bytes, bytes.length);
  }

  #isFull(): boolean {
    return this.#queue.memory > this.#maximumQueued;
  }

  /**
   * Refuses a message there and then: to be told later, each that is refused would
   * have to be remembered, which is what the limit is against.
   */
  #checkRoom(): void {
    // Where nothing is queued yet, there is nothing whose end `onDrain` could tell.
    const refusal = this.#queue.length > 0 ? this.#loop.refusal() : null;
    if (refusal === null && !this.#isFull()) return;
    this.#owesDrain = true;
    throw refusal ??
      new RangeError(`Cannot queue more than ${this.#maximumQueued} bytes`);
  }

  #belowHighWater(): boolean {
    if (this.#queue.bytes < HIGH_WATER_MARK && !this.#isFull()) return true;
    this.#owesDrain = true;
    return false;
  }

  #enqueue(
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): void {
    const { memory } = this.#queue;
    this.#queue.push({ data: copyOf(data), address });
    this.#loop.countQueued(data.length, this.#queue.memory - memory);
    this.#updateInterest();
  }

  /**
   * Sends because there is room. If there is none after all, there will be no news of
   * it either: a Unix socket without a fixed peer is writable whatever the peer has
   * room for (unix(7)). So the next attempt is a moment later.
   */
  #retrySend(): void {
    const { length } = this.#queue;
    this.#flush();
    if (this.closed || length === 0 || this.#queue.length < length) return;
    if (this.#backOff !== null) return;
    this.#rest();
    this.#updateInterest();
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#backOff === null) {
      const count = this.#sendSome();
      if (count === WOULD_BLOCK) break;
    }
    this.#updateInterest();
    if (this.#queue.length > 0 || !this.#owesDrain) return;
    this.#owesDrain = false;
    this.#loop.callSoon(() => this.onDrain?.(this));
  }

  /** One call's worth of the queue. The message that the system refuses is told and left out. */
  #sendSome(): number {
    outgoing ??= newBatch();
    try {
      const count = this.#prepare(outgoing);
      const sent = count > 0
        ? outgoing.send(this.#socket.fd, count)
        : this.#sendFirst();
      if (sent !== WOULD_BLOCK) this.#dequeue(sent);
      return sent;
    } catch (error) {
      if (this.#suspend(error)) return WOULD_BLOCK;
      this.#dequeue(1);
      this.#loop.callSoon(() => this.#tell(error));
      return 1;
    }
  }

  /**
   * Puts the front of the queue into a batch, as far as it is well-formed and fits.
   *
   * @returns how many messages; 0 if the first is too large for a batch
   * @throws if the first is malformed
   */
  #prepare(batch: MessageBatch): number {
    const most = Math.min(this.#queue.length, BATCH);
    for (let index = 0; index < most; index++) {
      const { data, address } = this.#queue.at(index);
      if (data.length > batch.messageBytes) return index;
      try {
        batch.prepare(index, data, address, this.#socket.domain);
      } catch (error) {
        // Those before it go first, or they would pay for it.
        if (index > 0) return index;
        throw error;
      }
    }
    return most;
  }

  #sendFirst(): number {
    const { data, address } = this.#queue.at(0);
    return this.#sendNow(data, address) === WOULD_BLOCK ? WOULD_BLOCK : 1;
  }

  /**
   * Lets the network catch up, if that is what an error asks for, and did not too often.
   *
   * @returns false if it is to be told
   */
  #suspend(error: unknown): boolean {
    const full = isSystemError(error) && error.code === "ENOBUFS";
    if (!full || this.#backOffs === MOST_BACK_OFFS) return false;
    this.#backOffs++;
    this.#rest();
    return true;
  }

  /** Sends nothing for a moment. */
  #rest(): void {
    this.#backOff = this.#loop.callLater(BACK_OFF, () => {
      this.#backOff = null;
      this.#retrySend();
    });
    if (!this.#referenced) this.#backOff.unref();
  }

  /** Takes off what is sent, or given up. */
  #dequeue(count: number): void {
    this.#backOffs = 0;
    const { bytes, memory } = this.#queue;
    this.#queue.drop(count);
    const after = this.#queue;
    this.#loop.countQueued(after.bytes - bytes, after.memory - memory);
  }

  #tell(error: unknown): void {
    if (this.onError !== null) this.onError(error as Error, this);
    else this.#loop.reportSometimes(error);
  }

  #reads(): boolean {
    return this.#onMessage !== null && !this.#paused && !this.closed;
  }

  #updateReading(): void {
    this.#updateInterest();
    if (this.#held.length === 0 || !this.#reads()) return;
    this.#loop.callSoon(() => this.#deliverHeld());
  }

  #deliverHeld(): void {
    while (this.#held.length > 0 && this.#reads()) {
      const { data, address } = this.#held.shift()!;
      this.#deliver(data, address);
    }
    this.#updateInterest();
  }

  #updateInterest(): void {
    // What is held back comes before what is still to be received.
    const reads = this.#held.length === 0 && this.#reads();
    const wanted = (reads ? EVENT_READ : 0) |
      (this.#queue.length > 0 && this.#backOff === null ? EVENT_WRITE : 0);
    if (wanted === this.#interest || this.#retry?.active) return;
    try {
      this.#changeInterest(wanted);
      this.#retry = null;
    } catch (error) {
      this.#askAgain(error);
    }
  }

  #changeInterest(wanted: number): void {
    const before = this.#interest;
    // A change that the system refuses ends the registration.
    this.#interest = 0;
    try {
      if (wanted === 0) this.#loop.withdraw(this);
      else if (before === 0) {
        this.#loop.register(this, wanted, Datagram.#onReady);
      } else this.#loop.modify(this, wanted, Datagram.#onReady);
      this.#interest = wanted;
    } finally {
      this.#countUnreferenced(before);
    }
  }

  /** A socket that nothing watches would be deaf for ever; the refusal is told once. */
  #askAgain(error: unknown): void {
    if (this.#retry === null) this.#loop.callSoon(() => this.#tell(error));
    this.#retry = this.#loop.callLater(RETRY, () => this.#updateInterest());
    if (!this.#referenced) this.#retry.unref();
  }

  /** Ends the registration: the descriptor is closed next. */
  #leave(): void {
    const before = this.#interest;
    if (before === 0) return;
    this.#interest = 0;
    this.#loop.forget(this);
    this.#countUnreferenced(before);
  }

  #countUnreferenced(before: number): void {
    const registered = this.#interest !== 0;
    if (this.#referenced || registered === (before !== 0)) return;
    this.#loop.countUnreferenced(registered ? 1 : -1);
  }
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  for (let index = 0; index < start.length; index++) {
    if (bytes[index] !== start[index]) return false;
  }
  return true;
}
