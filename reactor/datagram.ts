/**
 * Datagram sockets: messages of UDP and of Unix sockets, each whole and on its own.
 *
 * A socket is registered for the events of this table, and unregistered without any.
 *
 * | event | while |
 * | --- | --- |
 * | `EVENT_READ`, to receive | `onMessage` or `onSegments` is set, it is not paused, and no message is held back |
 * | `EVENT_READ`, for errors | it does not receive, `onError` is set, and no datagram is known to wait |
 * | `EVENT_WRITE` | messages are queued, and the sender does not rest (`datagram_sender.ts`) |
 *
 * @module
 */

import { bytesOf } from "../backends/ffi/memory.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../backends/selector.ts";
import { incomingFor } from "./datagram_batch.ts";
import { flushOutbox } from "./datagram_outbox.ts";
import { DatagramReceiver } from "./datagram_receiver.ts";
import { DatagramSender } from "./datagram_sender.ts";
import type { DatagramSocket } from "./datagram_socket.ts";
import { DESCRIBE, Endpoint, loopOf } from "./endpoint.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** How long after a refusal the system is asked again to watch a socket, in milliseconds. */
const RETRY = 100;

/** A message to be sent, as `sendMany` takes it. */
export interface OutgoingMessage {
  /** The message: an `ArrayBuffer`, or any view of one. */
  readonly data: BufferSource;
  /** The destination. A connected socket needs none. */
  readonly address?: SocketAddress;
}

/** The callbacks of a `Datagram`, which are properties of it. */
export interface DatagramCallbacks<Address extends SocketAddress> {
  /**
   * Called with each message, which the program may keep and transfer, and its source.
   * Many messages share the object of a source, which is frozen.
   */
  onMessage(
    data: Uint8Array<ArrayBuffer>,
    address: Address,
    datagram: Datagram<Address>,
  ): void;
  /**
   * Called instead of `onMessage` if it is set, with messages of one source that arrived
   * together. With `offload: true` they may be many, else they are one.
   *
   * @param data The bytes of the messages, one after another
   * @param segmentSize The bytes of each message; the last may be shorter
   */
  onSegments(
    data: Uint8Array<ArrayBuffer>,
    segmentSize: number,
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
 * Its callbacks are `onMessage`, `onSegments`, `onError`, `onDrain` and `onClose`, see
 * `DatagramCallbacks`.
 *
 * A socket with a callback for messages or `onError` keeps `run()` alive. Without them,
 * it is not watched, and `run()` may return. The system keeps messages until its buffer
 * is full, and the next `send()` reports an error.
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
  #onError: DatagramCallbacks<Address>["onError"] | null | undefined = null;
  readonly #socket: Socket;
  readonly #receiver: DatagramReceiver<Datagram<Address>>;
  readonly #sender: DatagramSender;
  /** Whether a datagram is known to wait that is not to be received now. */
  #unread = false;
  /** Asks again after the system has refused to watch the socket; null since it agreed. */
  #retry: Timer | null = null;

  /** Called by `Reactor.datagram`. The socket is this object's from now on. */
  constructor(loop: Loop, created: DatagramSocket) {
    super(loop);
    const { socket, maximumQueued, reuseBuffer, joins, splits } = created;
    this.#socket = socket;
    this.#receiver = new DatagramReceiver(
      loop,
      incomingFor(loop, joins, reuseBuffer),
      { target: this, failed: (error) => this.#report(error) },
    );
    this.#sender = new DatagramSender(loop, socket, maximumQueued, splits, {
      changed: () => this.#updateInterest(),
      failed: (error) => {
        loop.dispatcher.observer?.datagramRefused(this, error);
        loop.callSoon(() => this.#report(error));
      },
      drained: () => {
        const onDrain = (): void => this.onDrain?.(this);
        loop.callSoon(loop.dispatcher.named(onDrain, this.onDrain));
      },
    });
  }

  /** The descriptor; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** The socket, for options that have no method here. */
  get socket(): Socket {
    // An option is for later messages, and sends of the program's own come later.
    flushOutbox(this.#sender);
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
    return this.#receiver.onMessage;
  }

  set onMessage(
    callback: DatagramCallbacks<Address>["onMessage"] | null | undefined,
  ) {
    this.#receiver.onMessage = callback;
    this.#updateReading();
  }

  /** As in `DatagramCallbacks`. Setting it starts to receive. */
  get onSegments():
    | DatagramCallbacks<Address>["onSegments"]
    | null
    | undefined {
    return this.#receiver.onSegments;
  }

  set onSegments(
    callback: DatagramCallbacks<Address>["onSegments"] | null | undefined,
  ) {
    this.#receiver.onSegments = callback;
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
   * Replies are gathered: messages that a callback sends leave together, when the
   * messages of one receive have been delivered, or after about a millisecond.
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
        const bytes = bytesOf(data, "send");
        // The program runs between two messages, and may have closed the socket.
        if (this.closed) return false;
        this.#sender.add(bytes, address ?? null);
      }
    } catch (error) {
      this.#sender.flush();
      throw error;
    }
    return !this.closed && this.#sender.flush();
  }

  /**
   * Sends bytes as messages of one size: up to 64 with one call where the kernel splits
   * them, else one by one. The receiver sees no difference. `send()` has the effects and errors of each.
   *
   * @param data The bytes of the messages, one after another
   * @param segmentSize The bytes of each message; the last may be shorter
   * @param address As for `send`
   * @returns as `send`
   * @throws {RangeError} if the size is not a whole number of at least 1; empty data
   *   is one empty message whatever its size
   * @throws as `send`
   */
  sendSegments(
    data: BufferSource,
    segmentSize: number,
    address?: SocketAddress,
  ): boolean {
    const bytes = bytesOf(data, "send");
    if (
      bytes.length > 0 && !(Number.isInteger(segmentSize) && segmentSize > 0)
    ) {
      throw new RangeError(`Cannot send messages of ${segmentSize} bytes`);
    }
    if (this.closed) return false;
    return bytes.length <= segmentSize
      ? this.#sender.send(bytes, address ?? null)
      : this.#sender.sendSegments(bytes, segmentSize, address ?? null);
  }

  /**
   * Sets the only peer, as connect(2) does: messages are sent to it, and received from
   * it alone. A second call sets another peer.
   *
   * @throws as `Socket.connect`
   */
  connect(address: SocketAddress): void {
    this.socket.connect(address);
  }

  /** Stops receiving until `resume()`. The system drops messages once its buffer is full. */
  pause(): void {
    this.#receiver.paused = true;
    this.#updateReading();
  }

  /** Receives again. */
  resume(): void {
    this.#receiver.paused = false;
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
    this.#receiver.close();
    this.leave();
    this.#socket.close();
    const onClose = (): void => this.onClose?.(this);
    const { dispatcher } = loopOf(this);
    loopOf(this).callSoon(dispatcher.named(onClose, this.onClose));
  }

  /** Called by `reactor.describe()`. */
  override [DESCRIBE](): [
    callback: string,
    bytesQueued: number,
    paused: boolean,
  ] {
    return ["", this.bufferedAmount, this.#receiver.paused];
  }

  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    const datagram = fileobj as Datagram;
    if ((events & EVENT_READ) !== 0) {
      if (datagram.#receives()) datagram.#receiver.receive(datagram.fd);
      else datagram.#checkError();
    }
    if ((events & EVENT_WRITE) !== 0 && !datagram.closed) {
      datagram.#sender.resume();
    }
  };

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

  /** Whether messages are received: held messages are delivered first. */
  #receives(): boolean {
    return !this.#receiver.holds && this.#receiver.reading;
  }

  #updateReading(): void {
    this.#unread = false;
    this.#updateInterest();
    if (!this.#receiver.holds || !this.#receiver.reading) return;
    loopOf(this).callSoon(() => {
      this.#receiver.deliverHeld();
      this.#updateInterest();
    });
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
