/**
 * Datagram sockets: messages of UDP and of Unix sockets, each whole and on its own.
 *
 * A socket is registered for the events of this table, and unregistered without any.
 *
 * | event | while |
 * | --- | --- |
 * | `EVENT_READ`, to receive | `onMessage` is set, it is not paused, and no message is held back |
 * | `EVENT_READ`, for errors | it does not receive, `onError` is set, and no datagram is known to wait |
 * | `EVENT_WRITE` | messages are queued, and the sender does not rest (`datagram_sender.ts`) |
 *
 * @module
 */

import { bytesOf } from "../backends/ffi/memory.ts";
import type { MessageBatch } from "../backends/ffi/message_batch.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../backends/selector.ts";
import {
  copyOfMessage,
  LastSource,
  returnIncoming,
  takeIncoming,
} from "./datagram_batch.ts";
import { DatagramSender } from "./datagram_sender.ts";
import { Endpoint, loopOf } from "./endpoint.ts";
import { callbackName, DESCRIBE } from "./endpoint_state.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** How long after a refusal the system is asked again to watch a socket, in milliseconds. */
const RETRY = 100;

/** A message of the same batch as the one at which the program paused. */
interface HeldMessage {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly address: SocketAddress;
}

/** A message to be sent, as `sendMany` takes it. */
export interface OutgoingMessage {
  /** The message: an `ArrayBuffer`, or any view of one. */
  readonly data: BufferSource;
  /** The destination. A connected socket needs none. */
  readonly address?: SocketAddress;
}

/** The callbacks of a `Datagram`, which are properties of it. */
export interface DatagramCallbacks<Address extends SocketAddress> {
  /** Called with each message, which the program may keep and transfer, and its source. */
  onMessage(
    data: Uint8Array<ArrayBuffer>,
    address: Address,
    datagram: Datagram<Address>,
  ): void;
  /**
   * Called with the error of a message that the system refuses, and with the error that
   * an ICMP message reported. A connected socket reports a closed port so, as
   * `Deno.errors.ConnectionRefused`. If the system refuses to watch the socket, it is
   * called once, and watching is tried again. Default: errors go to `onError` of the
   * reactor.
   */
  onError(error: Error, datagram: Datagram<Address>): void;
  /**
   * Called when the queue is empty, after `send()` returned false or threw because too
   * much was queued.
   */
  onDrain(datagram: Datagram<Address>): void;
  /** Called when the socket is closed, after all other callbacks. */
  onClose(datagram: Datagram<Address>): void;
}

/**
 * A datagram socket, driven by callbacks. It receives several messages with one system
 * call where the system has one for that (Linux, FreeBSD, NetBSD), and sends several of
 * the queued ones.
 *
 * Its callbacks are `onMessage`, `onError`, `onDrain` and `onClose`, see
 * `DatagramCallbacks`.
 *
 * A socket with `onMessage` or `onError` keeps `run()` alive. Without both, it is not
 * watched, and `run()` may return. The system keeps messages until its buffer is full,
 * and the next `send()` reports an error.
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
  extends Endpoint {
  /** As in `DatagramCallbacks`. */
  onDrain: DatagramCallbacks<Address>["onDrain"] | null | undefined = null;
  /** As in `DatagramCallbacks`. */
  onClose: DatagramCallbacks<Address>["onClose"] | null | undefined = null;
  #onMessage: DatagramCallbacks<Address>["onMessage"] | null | undefined = null;
  #onError: DatagramCallbacks<Address>["onError"] | null | undefined = null;
  readonly #socket: Socket;
  readonly #source = new LastSource();
  readonly #sender: DatagramSender;
  #paused = false;
  #held: HeldMessage[] = [];
  /** Whether a datagram is known to wait that is not to be received now. */
  #unread = false;
  /** Asks again after the system has refused to watch the socket; null since it agreed. */
  #retry: Timer | null = null;

  /**
   * Called by `Reactor.datagram`.
   *
   * @param socket The socket, which is this object's from now on
   * @param maximumQueued The bytes above which `send()` throws. Default: no limit
   */
  constructor(loop: Loop, socket: Socket, maximumQueued: number = Infinity) {
    super(loop);
    this.#socket = socket;
    this.#sender = new DatagramSender(
      loop,
      socket,
      this.#source,
      maximumQueued,
      {
        changed: () => this.#updateInterest(),
        failed: (error) => {
          loop.dispatcher.observer?.datagramRefused(this, error);
          loop.callSoon(() => this.#report(error));
        },
        drained: () => loop.callSoon(() => this.onDrain?.(this)),
      },
    );
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
   * The address of the socket; with port 0 the port that the system chose.
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

  /** How many bytes are queued. */
  get bufferedAmount(): number {
    return this.#sender.bytes;
  }

  /** As in `DatagramCallbacks`. Setting it starts to receive. */
  get onMessage(): DatagramCallbacks<Address>["onMessage"] | null | undefined {
    return this.#onMessage;
  }

  set onMessage(
    callback: DatagramCallbacks<Address>["onMessage"] | null | undefined,
  ) {
    this.#onMessage = callback;
    this.#updateReading();
  }

  /** As in `DatagramCallbacks`. Setting it starts to watch for errors. */
  get onError(): DatagramCallbacks<Address>["onError"] | null | undefined {
    return this.#onError;
  }

  set onError(
    callback: DatagramCallbacks<Address>["onError"] | null | undefined,
  ) {
    this.#onError = callback;
    this.#updateReading();
  }

  /**
   * Sends a message, or queues a copy of it if the system has no room. If the system
   * refuses a message, `onError` is called with its error. A shortage of the network
   * (`ENOBUFS`) counts as a refusal after about a second.
   *
   * @param data The message: an `ArrayBuffer`, or any view of one
   * @param address Its destination. A connected socket needs none
   * @returns false if 256 KiB or more are queued, or more than `maximumQueued`:
   *   `onDrain` follows
   * @throws {TypeError} if the data is not bytes, or the address is malformed or of
   *   another domain. The address of a queued message is reported to `onError` instead
   * @throws {RangeError} if the port or the length of the path is out of range, likewise
   * @throws {RangeError} if more than `maximumQueued` is queued, here or in the whole
   *   reactor: this message is not, and `onDrain` follows
   */
  send(data: BufferSource, address?: SocketAddress): boolean {
    const bytes = bytesOf(data, "send");
    return !this.closed && this.#sender.send(bytes, address ?? null);
  }

  /**
   * Sends several messages, many with one call where the system has sendmmsg(2). More
   * messages than `maximumQueued` may be given, if the system takes them.
   *
   * @param messages The messages and their destinations
   * @returns as `send`
   * @throws {TypeError} if the data of a message is not bytes. If `messages` is an array,
   *   none is sent then; of another iterable, the messages before it are
   * @throws {RangeError} if more than `maximumQueued` is queued, likewise
   */
  sendMany(messages: Iterable<OutgoingMessage>): boolean {
    // Another iterable than an array can be looked through only once.
    if (Array.isArray(messages)) {
      for (const { data } of messages) bytesOf(data, "send");
    }
    if (this.closed) return false;
    try {
      for (const { data, address } of messages) {
        this.#sender.enqueue(bytesOf(data, "send"), address ?? null);
      }
    } catch (error) {
      this.#sender.flush();
      throw error;
    }
    return this.#sender.flush();
  }

  /**
   * Sets the only peer, as connect(2) does: messages are sent to it, and received from
   * it alone. A second call sets another peer.
   *
   * @throws as `Socket.connect`
   */
  connect(address: SocketAddress): void {
    this.#socket.connect(address);
  }

  /** Stops receiving until `resume()`. The system drops messages once its buffer is full. */
  pause(): void {
    this.#paused = true;
    this.#updateReading();
  }

  /** Receives again. */
  resume(): void {
    this.#paused = false;
    this.#updateReading();
  }

  /** Keeps `run()` and the process alive while it is watched. This is the default. */
  override ref(): void {
    super.ref();
    this.#sender.setReferenced(true);
    this.#retry?.ref();
  }

  /** Lets `run()` return and the process end although the socket is open. */
  override unref(): void {
    super.unref();
    this.#sender.setReferenced(false);
    this.#retry?.unref();
  }

  /** Closes the socket and discards its queue. A second call has no effect. */
  close(): void {
    if (this.closed) return;
    this.#sender.close();
    this.#retry?.cancel();
    this.#onMessage = null;
    this.#held = [];
    this.leave();
    this.#socket.close();
    loopOf(this).callSoon(() => this.onClose?.(this));
  }

  /** Called by `reactor.describe()`. */
  override [DESCRIBE](): [
    callback: string,
    bytesQueued: number,
    paused: boolean,
  ] {
    const name = callbackName(this.#onMessage, "onMessage");
    return [name, this.bufferedAmount, this.#paused];
  }

  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    const datagram = fileobj as Datagram;
    if ((events & EVENT_READ) !== 0) {
      if (datagram.#receives()) datagram.#receive();
      else datagram.#checkError();
    }
    if ((events & EVENT_WRITE) !== 0 && !datagram.closed) {
      datagram.#sender.resume();
    }
  };

  #receive(): void {
    const batch = takeIncoming();
    try {
      const count = batch.receive(this.#socket.fd);
      for (let index = 0; index < count; index++) this.#take(batch, index);
      batch.reset(count);
    } catch (error) {
      this.#report(error);
    } finally {
      returnIncoming(batch);
    }
  }

  /** Delivers a message, or holds it back after a callback has paused. */
  #take(batch: MessageBatch, index: number): void {
    if (this.closed) return;
    if (batch.isTruncated(index)) {
      const error = new RangeError(
        `Cannot receive a datagram of more than ${batch.messageBytes} bytes`,
      );
      return loopOf(this).guard(() => this.#report(error));
    }
    const data = copyOfMessage(batch, index);
    const address = this.#source.of(batch, index);
    if (this.#receives()) this.#deliver(data, address);
    else this.#held.push({ data, address });
  }

  #deliver(data: Uint8Array<ArrayBuffer>, address: SocketAddress): void {
    try {
      this.#onMessage!(data, address as Address, this);
    } catch (error) {
      loopOf(this).reports.report(error);
    }
  }

  /** Takes the error off a readable socket. Without one, a datagram has made it readable. */
  #checkError(): void {
    const error = this.#socket.takeError("recv");
    if (error !== null) return this.#report(error);
    this.#unread = true;
    this.#updateInterest();
  }

  #report(error: unknown): void {
    const onError = this.#onError;
    if (onError) onError(error as Error, this);
    else loopOf(this).reports.reportSometimes(error);
  }

  #isReading(): boolean {
    return !!this.#onMessage && !this.#paused && !this.closed;
  }

  /** Whether messages are received: held messages are delivered first. */
  #receives(): boolean {
    return this.#held.length === 0 && this.#isReading();
  }

  #updateReading(): void {
    this.#unread = false;
    this.#updateInterest();
    if (this.#held.length === 0 || !this.#isReading()) return;
    loopOf(this).callSoon(() => this.#deliverHeld());
  }

  #deliverHeld(): void {
    while (this.#held.length > 0 && this.#isReading()) {
      const { data, address } = this.#held.shift()!;
      this.#deliver(data, address);
    }
    this.#updateInterest();
  }

  #updateInterest(): void {
    if (this.closed || this.#retry?.active) return;
    const reads = this.#receives() || (!!this.#onError && !this.#unread);
    const writes = this.#sender.wantsWrite;
    const wanted = (reads ? EVENT_READ : 0) | (writes ? EVENT_WRITE : 0);
    if (wanted === this.interest) return;
    try {
      this.watch(wanted, Datagram.#onReady);
      this.#retry = null;
    } catch (error) {
      this.#retryLater(error);
    }
  }

  /** Without a registration the socket would stay silent: asks again, and reports once. */
  #retryLater(error: unknown): void {
    const loop = loopOf(this);
    if (this.#retry === null) loop.callSoon(() => this.#report(error));
    this.#retry = loop.callLater(RETRY, () => this.#updateInterest());
    if (this.unreferenced) this.#retry.unref();
  }
}
