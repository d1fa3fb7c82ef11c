/**
 * A stream between two peers: bytes that come, bytes that go, and how it ends.
 *
 * @module
 */

import { WOULD_BLOCK } from "../backends/ffi/descriptor.ts";
import { bytesOf, checkRoom, copyOf } from "../backends/ffi/memory.ts";
import { keptPeer, type Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  MODE_EDGE,
} from "../backends/selector.ts";
import { IdleWatch } from "./idle_watch.ts";
import { interrupted } from "./interrupted.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";
import type { OptionNames } from "../backends/options.ts";
import {
  owningBuffer,
  type ReceiveBuffer,
  reusedBuffer,
} from "./receive_buffer.ts";
import { WriteQueue } from "./send_queue.ts";

/** What a connection may queue, and how it receives. */
export interface ConnectionOptions {
  /** `write()` returns false while more bytes than this are queued: 64 KiB, if left out. */
  readonly highWaterMark?: number;
  /** `onDrain` is called when no more than this are left: a quarter, if left out. */
  readonly lowWaterMark?: number;
  /**
   * A write is refused, and the connection aborted, while more bytes than this are
   * queued: 16 MiB, if left out. What each write has queued, or each chunk of a
   * list, is counted with 256 bytes beside its own.
   */
  readonly maximumQueued?: number;
  /**
   * `onData` gets a part of one buffer that is written over after it returns, for
   * who looks at the bytes, or passes them on at once: `false`, if left out. All
   * connections of the reactor that ask for it share the buffer, and `chunk.buffer`
   * shows what any of them has received before; no other reactor's.
   */
  readonly reuseBuffer?: boolean;
}

/** Their names. */
export const CONNECTION_OPTIONS: OptionNames<ConnectionOptions> = {
  highWaterMark: true,
  lowWaterMark: true,
  maximumQueued: true,
  reuseBuffer: true,
};

/** Options with nothing left out; connections of one listener share them. */
export interface ConnectionLimits {
  /** Above it, `write()` returns false. */
  readonly highWaterMark: number;
  /** Down to it, `onDrain` is called. */
  readonly lowWaterMark: number;
  /** Above it, with 256 bytes for each chunk beside its own, a write aborts the connection. */
  readonly maximumQueued: number;
  /** What receives, and whether `onData` gets chunks of its own. */
  readonly buffer: ReceiveBuffer;
  /** Called when a connection has ended. */
  readonly released: () => void;
}

function nothing(): void {}

/**
 * Checks the water marks, and fills in what was left out.
 *
 * @param released Called when a connection has ended
 * @throws {RangeError} if a mark is not a number from 0, or the low one above the high
 */
export function connectionLimits(
  loop: Loop,
  options: ConnectionOptions,
  released: () => void = nothing,
): ConnectionLimits {
  const { highWaterMark = 64 * 1024 } = options;
  const { lowWaterMark = Math.floor(highWaterMark / 4) } = options;
  const { maximumQueued = 16 * 1024 * 1024 } = options;
  if (!(highWaterMark >= 0) || !(lowWaterMark >= 0)) {
    throw new RangeError(
      `Cannot use water marks of ${lowWaterMark} and ${highWaterMark} bytes`,
    );
  }
  if (lowWaterMark > highWaterMark) {
    throw new RangeError(
      `Cannot use a low water mark of ${lowWaterMark} bytes above the high one of ${highWaterMark}`,
    );
  }
  if (!(maximumQueued >= 0)) {
    throw new RangeError(`Cannot queue ${maximumQueued} bytes at the most`);
  }
  const buffer = options.reuseBuffer ? reusedBuffer(loop) : owningBuffer();
  return { highWaterMark, lowWaterMark, maximumQueued, buffer, released };
}

/** What is written: text, which is sent as UTF-8, or bytes in a buffer or any view. */
export type Chunk = string | ArrayBufferLike | ArrayBufferView;

const encoder = new TextEncoder();

function chunkBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  return typeof chunk === "string"
    ? encoder.encode(chunk)
    : bytesOf(chunk, "write");
}

/** A connect that is under way, as the connection sees it. */
export interface Attempt {
  /** Gives it up. */
  cancel(): void;
}

/** What a connection has beside its callbacks, if it is not one of the many. */
class Extras {
  /** Called when a connection that this side began stands. */
  onConnect: ((connection: Connection) => void) | null = null;
  /** Called once the socket can be read: for who receives into memory of his own. */
  onReadable: (() => void) | null = null;
  /** Called once nothing is queued and the socket has room. */
  onWritable: (() => void) | null = null;
  /** Ends a connection on which nothing happens. */
  idle: IdleWatch | null = null;
  /** Ends a connection on which nothing is received. */
  silence: IdleWatch | null = null;
  /** What `opened` has given out. */
  opened: PromiseWithResolvers<Connection> | null = null;
  /** What is under way to connect this connection. */
  attempt: Attempt | null = null;
  /** What ended the connection. */
  error: Error | undefined = undefined;
}

// How a connection stands, one bit for each answer.
const CONNECTING = 1 << 0;
/** `pause()` was called. */
const PAUSED = 1 << 1;
/** The peer's end of file was read. */
const READ_ENDED = 1 << 2;
/** `end()` was called: no more is written, and the queue is the last of it. */
const ENDING = 1 << 3;
/** The peer was told that no more comes. */
const WRITE_ENDED = 1 << 4;
/** `close()` was called: closed as soon as the queue is empty. */
const CLOSING = 1 << 5;
const CLOSED = 1 << 6;
/** `write()` has returned false, and `onDrain` is owed. */
const OWES_DRAIN = 1 << 7;
const CORKED = 1 << 8;
/** It is driven by promises: whoever has it closes it, even after both sides have ended. */
const MANUAL = 1 << 9;
/** READ is asked for although nobody waits just now: whoever read once reads again. */
const LISTENS = 1 << 10;
/** `run()` and the process do not stay for its sake. */
const UNREFERENCED = 1 << 11;
/** Closed, and nobody was there to be told. */
const UNTOLD = 1 << 12;
/** The caller receives into memory of its own, when it likes: nothing is dropped. */
const RECEIVED_INTO = 1 << 13;

/** What is received is asked for as a state, not as news. */
const BY_LEVEL = 1 << 14;

/** The loop counts the registration as one that keeps nothing open. */
const COUNTED = 1 << 16;

/** Bytes were refused: none may follow them, and the connection is about to be aborted. */
const REFUSED = 1 << 15;

/**
 * News of what there is to receive, and of all that could be behind it: what a
 * TCP connection asks for where the selector has it. As long as it is
 * `EVENT_READ` alone, a receive that got less than it asked for has got
 * everything, and the kernel need not look once more, as it does after each
 * event of a level-triggered registration: 1 to 3 % of a small message.
 */
const NEWS = EVENT_READ | EVENT_PRIORITY | EVENT_HANG_UP | MODE_EDGE;

/**
 * A connection, driven by callbacks. They are called with the connection as the
 * last argument, so one function can serve all.
 *
 * Nothing is called back from within a method, only from the loop. Bytes are
 * received while `onData` is set and the connection is not paused; without
 * `onData` they wait, until this side has ended: then they are dropped, so that
 * the peer's end is heard and the connection closed.
 *
 * @example An echo
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * reactor.listen({ hostname: "127.0.0.1", port: 0 }, (connection) => {
 *   connection.onData = (chunk) => {
 *     if (!connection.write(chunk)) connection.pause();
 *   };
 *   connection.onDrain = () => connection.resume();
 * });
 * reactor.runOnce();
 * ```
 */
export class Connection implements Owned {
  /**
   * Called when the peer has sent its last byte. If it is not set, this side ends
   * too, once its queue is sent.
   */
  onEnd: ((connection: Connection) => void) | null = null;
  /** Called when the queue has fallen to the low water mark after `write()` returned false. */
  onDrain: ((connection: Connection) => void) | null = null;
  #onData:
    | ((chunk: Uint8Array<ArrayBuffer>, connection: Connection) => void)
    | null = null;
  #onClose:
    | ((error: Error | undefined, connection: Connection) => void)
    | null = null;
  #loop: Loop;
  #socket: Socket | null;
  #limits: ConnectionLimits;
  #state: number;
  #interest = 0;
  /**
   * Where the reactor keeps this connection.
   *
   * @ignore
   */
  [PLACE]: number = -1;
  #queue: WriteQueue | null = null;
  /** This side's address, once it was asked for. */
  #localAddress: SocketAddress | null = null;
  /** What few connections have: ten thousand idle ones need no room for it. */
  #extras: Extras | null = null;

  /**
   * Made by `Reactor.listen` and `Reactor.connect`.
   *
   * @param socket The connected socket; null while connecting
   * @param limits Shared by the connections of one listener
   */
  constructor(loop: Loop, socket: Socket | null, limits: ConnectionLimits) {
    this.#loop = loop;
    this.#socket = socket;
    this.#limits = limits;
    this.#state = socket === null ? CONNECTING : 0;
    loop.own(this);
  }

  /** The descriptor; -1 while connecting, and once closed. */
  get fd(): number {
    return this.#socket === null ? -1 : this.#socket.fd;
  }

  /**
   * The socket, for options that have no method here. Its bytes are this
   * connection's.
   *
   * @throws {Deno.errors.NotConnected} while connecting
   */
  get socket(): Socket {
    if (this.#socket === null) {
      throw new Deno.errors.NotConnected("Connection is not connected");
    }
    return this.#socket;
  }

  /** Whether a connect is under way. */
  get connecting(): boolean {
    return this.#is(CONNECTING) && !this.#is(CLOSED);
  }

  /**
   * Resolves when the connection stands, and is rejected with what ended it before:
   * `Deno.errors.Interrupted`, if nothing but a close did. It needs `serve()`.
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * await using reactor = new Reactor();
   * reactor.serve();
   * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
   * const client = await reactor.connect(server.address).opened;
   * assertEquals(client.remoteAddress, server.address);
   * ```
   */
  get opened(): Promise<Connection> {
    if (this.closed) return Promise.reject(this.error ?? interrupted());
    if (!this.#is(CONNECTING)) return Promise.resolve(this);
    return (this.#needExtras().opened ??= Promise.withResolvers()).promise;
  }

  /** Whether the connection has ended, in whatever way. */
  get closed(): boolean {
    return this.#is(CLOSED);
  }

  /** Whether bytes are given to `onData` as they come. */
  get reading(): boolean {
    return this.#onData !== null && !this.#is(PAUSED | READ_ENDED | CLOSED);
  }

  /** Whether the peer has sent its last byte, and it was received. */
  get readEnded(): boolean {
    return this.#is(READ_ENDED);
  }

  /** How many bytes wait to be sent; they alone, whatever memory they take. */
  get bufferedAmount(): number {
    return this.#queue === null ? 0 : this.#queue.bytes;
  }

  /**
   * This side's address. After the end it is known if it was asked for before, or if
   * an error ended the connection.
   *
   * @throws {Deno.errors.NotConnected} while connecting, and if that has failed
   * @throws {Deno.errors.BadResource} after the end, if it is not known
   */
  get localAddress(): SocketAddress {
    if (this.#localAddress !== null) return this.#localAddress;
    // Frozen: all who ask share it.
    return this.#localAddress = Object.freeze(this.socket.localAddress);
  }

  /**
   * The peer's address; it outlives the peer, and the connection.
   *
   * @throws {Deno.errors.NotConnected} while connecting, and if that has failed
   */
  get remoteAddress(): SocketAddress {
    const { socket } = this;
    try {
      return socket.remoteAddress;
    } catch (error) {
      const kept = keptPeer(socket);
      if (kept === null) throw error;
      return kept;
    }
  }

  /**
   * Called with the bytes that come, in order. The chunk is the callback's to
   * keep and to transfer, and its buffer has room for nothing else, unless the
   * connection was made with `reuseBuffer`. Without a callback no bytes are
   * received, until `end()` is done: what comes from then on is dropped. Who sets
   * it later gets what comes later.
   */
  get onData():
    | ((chunk: Uint8Array<ArrayBuffer>, connection: Connection) => void)
    | null {
    return this.#onData;
  }

  set onData(
    callback:
      | ((chunk: Uint8Array<ArrayBuffer>, connection: Connection) => void)
      | null,
  ) {
    this.#onData = callback;
    this.#updateInterest();
  }

  /**
   * Called with the end of the connection, once, as the last: with the error if one
   * ended it. Who sets it after the end is told in the next turn.
   */
  get onClose():
    | ((error: Error | undefined, connection: Connection) => void)
    | null {
    return this.#onClose;
  }

  set onClose(
    callback:
      | ((error: Error | undefined, connection: Connection) => void)
      | null,
  ) {
    this.#onClose = callback;
    if (callback === null || !this.#is(UNTOLD) || this.#loop.closed) return;
    this.#state &= ~UNTOLD;
    this.#loop.callSoon(() => this.#tellClosed());
  }

  /** Called when a connection that this side began stands. */
  get onConnect(): ((connection: Connection) => void) | null {
    return this.#extras === null ? null : this.#extras.onConnect;
  }

  set onConnect(callback: ((connection: Connection) => void) | null) {
    this.#needExtras().onConnect = callback;
  }

  /**
   * Sends bytes, or queues what the socket does not take. The caller may use the
   * memory again when this returns. After the end of the connection it does nothing.
   * Above `maximumQueued` it aborts the connection, and `onClose` is told a
   * `RangeError`.
   *
   * @param data Text, which is sent as UTF-8, or bytes in a buffer or any view, or a
   *   list of such chunks, which is sent with one call
   * @returns false if more is queued than the high water mark: `onDrain` follows
   * @throws {TypeError} if it is given anything else, or a buffer that was
   *   transferred away; of a list nothing is sent then
   */
  write(data: Chunk | readonly Chunk[]): boolean {
    if (Array.isArray(data)) return this.#writeList(data);
    const bytes = chunkBytes(data);
    if (this.#state !== 0 || this.#queue !== null) return this.#append(bytes);
    return this.#send(bytes);
  }

  /**
   * Gathers what is written from now on, until `uncork()`, into one call.
   */
  cork(): void {
    this.#state |= CORKED;
  }

  /** Sends what was gathered since `cork()`. */
  uncork(): void {
    this.#state &= ~CORKED;
    if (!this.#is(CONNECTING | CLOSED)) this.#flushGuarded();
  }

  /**
   * Sends what is queued, then tells the peer that no more comes. The peer may
   * go on sending; the connection closes when both sides have ended. For that the
   * peer is heard also without `onData`, and what it still sends is dropped. Not
   * so while the connection is paused, after `keepOpen()`, and for who receives by
   * himself, with `receiveInto()` or `whenReadable()`.
   *
   * A peer that never ends keeps the connection open: `setIdleTimeout()` ends one
   * that is silent, `close()` or `abort()` one that is not.
   *
   * @param data Last bytes, or text
   * @throws {TypeError} as `write`
   */
  end(data?: Chunk): void {
    if (data !== undefined) this.write(data);
    if (this.#is(ENDING | CLOSED)) return;
    this.#state = this.#state & ~CORKED | ENDING;
    if (!this.#is(CONNECTING)) this.#flushGuarded();
  }

  /**
   * Receives no more, sends what is queued, and closes. A connect is given up if
   * nothing waits for it.
   *
   * With input of a TCP peer unread, or still to come, the system closes with a
   * reset (RFC 1122, section 4.2.2.13): the peer gets `Deno.errors.ConnectionReset`
   * instead of an end, and the tail of what was sent to it may be lost. Who answers
   * and leaves calls `end()` instead, which hears the peer to its end and then
   * closes; with `setIdleTimeout()`, if the peer may be silent for ever.
   */
  close(): void {
    if (this.#is(CLOSED | CLOSING)) return;
    this.#state = this.#state & ~CORKED | CLOSING | ENDING;
    if (!this.#is(CONNECTING)) this.#flushGuarded();
    else if (this.bufferedAmount === 0) this.#finish(undefined);
  }

  /**
   * Closes at once. What is queued is dropped, and a TCP peer is told so by a
   * reset instead of an end of file.
   *
   * @param error What `onClose` is to be told
   */
  abort(error?: Error): void {
    if (this.#is(CLOSED)) return;
    if (this.#socket !== null && this.#socket.domain !== "unix") {
      this.#socket.resetOnClose();
    }
    this.#finish(error);
  }

  /**
   * As `abort()`: what the reactor calls when it is closed.
   *
   * @ignore
   */
  [DESTROY](error?: Error): void {
    // A connection that stood has come to an end; a connect has come to nothing.
    if (!this.connecting) return this.abort(error);
    this.abort(error ?? new Deno.errors.Interrupted("Reactor was closed"));
  }

  /**
   * Receives no more until `resume()`, nor drops anything: the peer's end is not
   * heard either. The peer notices when its own queues are full.
   */
  pause(): void {
    this.#state |= PAUSED;
    this.#updateInterest();
  }

  /** Receives again. */
  resume(): void {
    this.#state &= ~PAUSED;
    if (this.#extras?.silence) this.#extras.silence.active = true;
    this.#updateInterest();
  }

  /**
   * Ends the connection with `Deno.errors.TimedOut` after a time without a byte in
   * either direction; it may take a quarter longer.
   *
   * @param milliseconds 0 for never, as at the beginning
   * @throws {RangeError} if the time is negative or not a number
   */
  setIdleTimeout(milliseconds: number): void {
    checkTime(milliseconds, "an idle timeout");
    this.#extras?.idle?.stop();
    const idle = milliseconds === 0 || this.closed
      ? null
      : new IdleWatch(this.#loop, milliseconds, () => {
        this.#timeOut("Connection was idle for too long");
      });
    if (this.#is(UNREFERENCED)) idle?.unref();
    this.#needExtras().idle = idle;
  }

  /**
   * Ends the connection with `Deno.errors.TimedOut` after a time in which nothing
   * was received, whatever is sent meanwhile; it may take a quarter longer. While
   * it is paused, no time counts.
   *
   * @param milliseconds 0 for never, as at the beginning
   * @throws {RangeError} if the time is negative or not a number
   */
  setReadTimeout(milliseconds: number): void {
    checkTime(milliseconds, "a read timeout");
    this.#extras?.silence?.stop();
    const silence = milliseconds === 0 || this.closed
      ? null
      : new IdleWatch(this.#loop, milliseconds, () => {
        if (!this.#is(PAUSED)) this.#timeOut("Nothing was received in time");
      });
    if (this.#is(UNREFERENCED)) silence?.unref();
    this.#needExtras().silence = silence;
  }

  /**
   * TCP: sends small writes at once instead of gathering them, true if left out.
   *
   * @throws {Deno.errors.NotConnected} while connecting
   * @throws {Deno.errors.BadResource} once closed
   */
  setNoDelay(enabled: boolean = true): void {
    this.socket.setOption("noDelay", enabled);
  }

  /**
   * Has the system probe a silent peer, true if left out.
   *
   * @throws {Deno.errors.NotConnected} while connecting
   * @throws {Deno.errors.BadResource} once closed
   */
  setKeepAlive(enabled: boolean = true): void {
    this.socket.setOption("keepAlive", enabled);
  }

  /**
   * Receives into memory of the caller: for connections without `onData`. From the
   * first call on nothing is dropped after `end()`: the caller hears the peer's
   * end, and closes.
   *
   * @param buffer An `ArrayBuffer`, or any view of one
   * @returns how many bytes, 0 at end of file, `WOULD_BLOCK` (-1) if there is nothing yet
   * @throws {TypeError} if it is no buffer, or one that was transferred away
   * @throws {RangeError} if it is empty
   * @throws {Deno.errors.NotConnected} while connecting
   * @throws {Deno.errors.BadResource} once closed, unless an error ended the
   *   connection: then that error
   * @throws {SystemError} `Deno.errors.ConnectionReset` and others
   */
  receiveInto(buffer: BufferSource): number {
    checkRoom(buffer);
    const socket = this.#openSocket();
    if (this.#is(READ_ENDED)) return 0;
    this.#state |= RECEIVED_INTO;
    const count = socket.recv(buffer);
    if (count === 0) this.#state |= READ_ENDED;
    else if (count > 0) this.#noteReceived();
    return count;
  }

  /**
   * Calls back once, when there is something to receive; null calls it off. It is
   * for who uses `receiveInto()`, and after `end()` as that.
   */
  whenReadable(callback: (() => void) | null): void {
    this.#needExtras().onReadable = callback;
    if (callback !== null) this.#state |= LISTENS | RECEIVED_INTO;
    this.#updateInterest();
    this.#count();
  }

  /**
   * Sends what the socket takes now, and queues nothing: for who waits by himself.
   *
   * @param data Bytes, as `write` takes them
   * @param length How many of them: all, if left out
   * @returns how many bytes, `WOULD_BLOCK` (-1) if there is no room, or others are first
   * @throws {TypeError} as `write`
   * @throws {RangeError} if the length is not within the data
   * @throws as `receiveInto`, and `Deno.errors.BrokenPipe`
   */
  sendNow(data: BufferSource, length?: number): number {
    const bytes = bytesOf(data, "send");
    const socket = this.#openSocket();
    if (this.bufferedAmount > 0) return WOULD_BLOCK;
    const count = socket.send(bytes, length);
    if (count > 0) this.#noteActivity();
    return count;
  }

  /** Calls back once, when nothing is queued and there is room; null calls it off. */
  whenWritable(callback: (() => void) | null): void {
    this.#needExtras().onWritable = callback;
    this.#updateInterest();
  }

  /**
   * Whether a promise may be resolved at once by what the socket has or takes.
   *
   * @ignore
   */
  mayGoOn(): boolean {
    return this.#loop.mayGoOn();
  }

  /** Stays open until it is closed, even after both sides have ended. */
  keepOpen(): void {
    this.#state |= MANUAL;
    this.#updateInterest();
  }

  /** Keeps `run()` going, and the process open, as at the beginning. */
  ref(): void {
    if (!this.#is(UNREFERENCED)) return;
    this.#state &= ~UNREFERENCED;
    this.#extras?.idle?.ref();
    this.#extras?.silence?.ref();
    this.#count();
  }

  /** Lets `run()` return and the process end although the connection is open. */
  unref(): void {
    if (this.#is(UNREFERENCED)) return;
    this.#state |= UNREFERENCED;
    this.#extras?.idle?.unref();
    this.#extras?.silence?.unref();
    this.#count();
  }

  /**
   * Says what is under way to connect this connection.
   *
   * @ignore
   */
  connectingBy(attempt: Attempt): void {
    this.#needExtras().attempt = attempt;
  }

  /**
   * A connect that was begun with this connection has succeeded.
   *
   * @ignore
   */
  connected(socket: Socket): void {
    this.#socket = socket;
    this.#needExtras().attempt = null;
    this.#state &= ~CONNECTING;
    this.#extras?.opened?.resolve(this);
    this.#loop.callSoon(() => {
      if (!this.closed) this.#guard(() => this.#extras?.onConnect?.(this));
    });
    this.#flushGuarded();
  }

  /**
   * Ends the connection with an error, as if the socket had reported it.
   *
   * @ignore
   */
  fail(error: Error): void {
    this.#finish(error);
  }

  /** The one callback of all connections: the connection itself is the file object. */
  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    (fileobj as Connection).#ready(events);
  };

  #ready(events: number): void {
    try {
      if ((events & EVENT_READ) !== 0) this.#receive(events);
      if ((events & EVENT_WRITE) !== 0 && !this.closed) this.#flush();
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  /** Once for each event, so that everybody has a turn before the same one again. */
  #receive(events: number): void {
    if (this.#extras !== null && this.#extras.onReadable !== null) {
      return this.#tellReadable(this.#extras);
    }
    const onData = this.#onData;
    if (onData === null) {
      if (this.#drops()) return this.#drop();
      // Nobody waits any more: the readiness would wake every wait.
      this.#state &= ~LISTENS;
      return this.#updateInterest();
    }
    const { buffer } = this.#limits;
    const chunk = buffer.receive(this.#socket!);
    if (chunk === null) return;
    if (chunk.length === 0) return this.#endReading();
    if (this.#extras !== null) this.#noteReceived();
    // Asked before the callback: another reactor that it runs uses the same buffer.
    const more = events !== EVENT_READ || buffer.full;
    try {
      onData(chunk, this);
    } catch (error) {
      this.#loop.report(error);
      this.abort(error as Error);
    }
    if (more) this.#leaveNews();
  }

  /**
   * There may be more of which no news will come: bytes beyond the buffer, the
   * peer's end, urgent data, at which a receive stops short. From now on the
   * selector repeats what is there.
   */
  #leaveNews(): void {
    if ((this.#interest & MODE_EDGE) === 0) return;
    this.#state |= BY_LEVEL;
    this.#updateInterest();
  }

  /** What comes is of no use to anybody; that it ends is. */
  #drop(): void {
    const count = owningBuffer().discard(this.#socket!);
    if (count === null) return;
    if (count === 0) this.#endReading();
    else this.#noteReceived();
  }

  /** Whether nobody reads, where nothing but the peer's end is waited for. */
  #drops(): boolean {
    const standing = WRITE_ENDED | PAUSED | MANUAL | RECEIVED_INTO;
    return this.#onData === null && (this.#state & standing) === WRITE_ENDED;
  }

  #tellReadable(extras: Extras): void {
    const callback = extras.onReadable!;
    extras.onReadable = null;
    callback();
    this.#count();
  }

  #tellWritable(extras: Extras): void {
    const callback = extras.onWritable!;
    extras.onWritable = null;
    callback();
  }

  /** The peer has ended: whoever is not told ends too. */
  #endReading(): void {
    if (this.#is(READ_ENDED)) return;
    this.#state |= READ_ENDED;
    if (this.onEnd !== null) this.#guard(() => this.onEnd?.(this));
    else if (this.#onData !== null) this.end();
    this.#closeIfEnded();
    if (!this.closed) this.#updateInterest();
  }

  /** Straight to the socket: most writes are taken whole, and nothing is queued. */
  #send(data: Uint8Array<ArrayBuffer>): boolean {
    const { length } = data;
    if (length === 0) return true;
    let count: number;
    try {
      count = this.#socket!.send(data, length);
    } catch (error) {
      this.#finish(error as Error);
      return false;
    }
    if (this.#extras !== null && count > 0) this.#noteActivity();
    if (count === length) return true;
    return this.#enqueue(data, count === WOULD_BLOCK ? 0 : count);
  }

  /** A write that cannot go to the socket as it is. */
  #append(data: Uint8Array<ArrayBuffer>): boolean {
    if (this.#is(ENDING | WRITE_ENDED | CLOSED | REFUSED)) return false;
    const direct = (this.#state & (CONNECTING | CORKED)) === 0 &&
      this.bufferedAmount === 0;
    if (direct) return this.#send(data);
    const queue = this.#queue;
    if (queue !== null && queue.memory > this.#limits.maximumQueued) {
      this.#failLater(
        new RangeError(
          `Cannot queue more than ${this.#limits.maximumQueued} bytes`,
        ),
      );
      return false;
    }
    return this.#enqueue(data, 0);
  }

  #writeList(list: readonly Chunk[]): boolean {
    const chunks = Array.from(list, chunkBytes);
    const corked = this.#is(CORKED);
    const owed = this.#state & OWES_DRAIN;
    this.cork();
    for (const chunk of chunks) this.write(chunk);
    // The chunks are one write: what counts is how much of it is left.
    this.#state = this.#state & ~OWES_DRAIN | owed;
    if (!corked) this.uncork();
    return !this.#is(ENDING | REFUSED) && this.#belowHighWater();
  }

  /**
   * Queues a copy: the memory stays the caller's.
   *
   * @returns what `write()` does
   */
  #enqueue(data: Uint8Array<ArrayBuffer>, sent: number): boolean {
    const refusal = this.#loop.refusal();
    if (refusal !== null) {
      this.#state |= REFUSED;
      this.#failLater(refusal);
      return false;
    }
    const queue = this.#queue ??= new WriteQueue();
    const { memory } = queue;
    queue.push(copyOf(data, sent));
    this.#loop.countQueued(data.length - sent, queue.memory - memory);
    this.#updateInterest();
    return this.#belowHighWater();
  }

  #belowHighWater(): boolean {
    if (this.bufferedAmount <= this.#limits.highWaterMark) {
      // To wait for room may have been refused.
      return !this.#is(CLOSED);
    }
    this.#state |= OWES_DRAIN;
    return false;
  }

  /** Sends what is queued, and does what was to be done once it is sent. */
  #flush(): void {
    const queue = this.#queue;
    if (queue !== null && !this.#is(CORKED)) {
      const { bytes, memory } = queue;
      try {
        queue.flush(this.#socket!);
      } finally {
        // Some may have gone before an error came.
        this.#loop.countQueued(queue.bytes - bytes, queue.memory - memory);
      }
      if (queue.bytes < bytes) this.#noteActivity();
      if (queue.bytes === 0) this.#queue = null;
    }
    if (this.bufferedAmount === 0) this.#flushed();
    const extras = this.#extras;
    if (extras !== null && extras.onWritable !== null && this.#queue === null) {
      this.#tellWritable(extras);
    }
    this.#updateInterest();
    if (
      this.#is(OWES_DRAIN) && !this.#is(CLOSED) &&
      this.bufferedAmount <= this.#limits.lowWaterMark
    ) this.#payDrain();
  }

  #payDrain(): void {
    this.#loop.callSoon(() => {
      // Filled again meanwhile: then it is owed until that is sent, too.
      const due = this.#is(OWES_DRAIN) && !this.#is(CLOSED) &&
        this.bufferedAmount <= this.#limits.lowWaterMark;
      if (!due) return;
      this.#state &= ~OWES_DRAIN;
      this.#guard(() => this.onDrain?.(this));
    });
  }

  #flushed(): void {
    if (this.#is(REFUSED)) return;
    if (this.#is(CLOSING)) return this.#finish(undefined);
    if (!this.#is(ENDING) || this.#is(WRITE_ENDED)) return;
    this.#state |= WRITE_ENDED;
    this.#closeIfEnded();
    // To close says as much as a shutdown, with one call less.
    if (!this.closed) this.#socket!.shutdown("write");
  }

  /** What a method does may fail, and then it is the loop that tells. */
  #flushGuarded(): void {
    try {
      this.#flush();
    } catch (error) {
      this.#finish(error as Error);
    }
  }

  /** A callback that throws ends its own connection, and no other. */
  #guard(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#loop.report(error);
      this.abort(error as Error);
    }
  }

  #closeIfEnded(): void {
    const ended = READ_ENDED | WRITE_ENDED;
    if ((this.#state & ended) === ended && !this.#is(MANUAL)) {
      this.#finish(undefined);
    }
  }

  #failLater(error: Error): void {
    this.#loop.callSoon(() => this.abort(error));
  }

  #timeOut(message: string): void {
    this.abort(new Deno.errors.TimedOut(message));
  }

  #noteActivity(): void {
    const idle = this.#extras === null ? null : this.#extras.idle;
    if (idle !== null) idle.active = true;
  }

  #noteReceived(): void {
    const extras = this.#extras;
    if (extras === null) return;
    if (extras.idle !== null) extras.idle.active = true;
    if (extras.silence !== null) extras.silence.active = true;
  }

  /** The end: the descriptor is free at once, the callback comes from the loop. */
  #finish(error: Error | undefined): void {
    if (this.#is(CLOSED)) return;
    this.#state |= CLOSED;
    if (error !== undefined) this.#needExtras().error = error;
    if (error !== undefined || this.#is(MANUAL)) this.#keepLocalAddress();
    this.#leave();
    if (this.#queue !== null) {
      this.#loop.countQueued(-this.#queue.bytes, -this.#queue.memory);
      this.#queue = null;
    }
    this.#extras?.idle?.stop();
    this.#extras?.silence?.stop();
    this.#extras?.attempt?.cancel();
    this.#extras?.opened?.reject(error ?? interrupted());
    this.#socket?.close();
    this.#loop.disown(this);
    this.#limits.released();
    // Nobody to tell is the rule for those who came and went.
    if (this.#onClose !== null || this.#isWaitedFor()) {
      this.#loop.callSoon(() => this.#tellClosed());
    } else this.#state |= UNTOLD;
  }

  /** It is a call to the system, which the many that end orderly are spared. */
  #keepLocalAddress(): void {
    if (this.#socket === null) return;
    try {
      void this.localAddress;
    } catch {
      // The descriptor was closed behind our back.
    }
  }

  #isWaitedFor(): boolean {
    const extras = this.#extras;
    return extras !== null &&
      (extras.onReadable !== null || extras.onWritable !== null);
  }

  /** The last that is called, and then nothing is held on to. */
  #tellClosed(): void {
    const onClose = this.#onClose;
    const { onReadable, onWritable, error } = this.#needExtras();
    this.#extras = new Extras();
    this.#extras.error = error;
    this.#onData =
      this.onEnd =
      this.onDrain =
      this.#onClose =
        null;
    if (onClose === null) this.#state |= UNTOLD;
    // Who waits may throw at what ended the wait; the others hear of it all the same.
    if (onReadable !== null) this.#loop.guard(onReadable);
    if (onWritable !== null) this.#loop.guard(onWritable);
    onClose?.(error, this);
  }

  #needExtras(): Extras {
    return this.#extras ??= new Extras();
  }

  /** What ended the connection, if it was an error. */
  get error(): Error | undefined {
    return this.#extras?.error;
  }

  /**
   * Asks the selector for what is wanted now, if that is another thing than before.
   * A connection that cannot be waited for would be silent for ever: it ends.
   */
  #updateInterest(): void {
    const wanted = this.#wantedEvents();
    if (wanted === this.#interest) return;
    try {
      this.#changeInterest(wanted);
    } catch (error) {
      this.#refused(error as Error);
    }
  }

  /** The system's refusal is heard even where the end of a connection is not listened for. */
  #refused(error: Error): void {
    const waits = this.#isWaitedFor();
    this.#finish(error);
    if (waits) return;
    this.#loop.callSoon(() => {
      if (this.#is(UNTOLD)) this.#loop.report(error);
    });
  }

  #changeInterest(wanted: number): void {
    const before = this.#interest;
    // A change that the system refuses ends the registration.
    this.#interest = 0;
    try {
      // With nothing wanted, a hang-up would wake every wait: the fd is taken out.
      if (wanted === 0) this.#loop.withdraw(this);
      else if (before === 0) {
        this.#loop.register(this, wanted, Connection.#onReady);
      } else this.#loop.modify(this, wanted, Connection.#onReady);
      this.#interest = wanted;
    } finally {
      this.#count();
    }
  }

  /** Ends the registration: the descriptor is closed next. */
  #leave(): void {
    if (this.#interest === 0) return;
    this.#interest = 0;
    this.#loop.forget(this);
    this.#count();
  }

  /** Has the loop count the registration as one that keeps nothing open, or as one that does. */
  #count(): void {
    const unreferenced = this.#interest !== 0 &&
      (this.#is(UNREFERENCED) || this.#onlyListens());
    if (unreferenced === this.#is(COUNTED)) return;
    this.#state ^= COUNTED;
    this.#loop.countUnreferenced(unreferenced ? 1 : -1);
  }

  /** Whether it is registered for the sake of a read that is still to come. */
  #onlyListens(): boolean {
    return this.#is(LISTENS) && this.#onData === null &&
      (this.#interest & EVENT_WRITE) === 0 &&
      (this.#extras === null || this.#extras.onReadable === null);
  }

  /** The socket, as long as it can be used. */
  #openSocket(): Socket {
    if (this.#is(CLOSED) && this.error !== undefined) throw this.error;
    return this.socket;
  }

  #wantedEvents(): number {
    if (this.#socket === null || this.#is(CONNECTING | CLOSED)) return 0;
    const reads = this.#is(LISTENS) ||
      (this.#onData !== null ? !this.#is(PAUSED) : this.#drops());
    const writes = (this.#queue !== null && !this.#is(CORKED)) ||
      (this.#extras !== null && this.#extras.onWritable !== null);
    if (!reads || this.#is(READ_ENDED | CLOSING)) {
      return writes ? EVENT_WRITE : 0;
    }
    if (writes) return EVENT_READ | EVENT_WRITE;
    return this.#hearsNews() ? NEWS : EVENT_READ;
  }

  /**
   * Whether news alone do. Not for who receives by himself, and not with the Unix
   * domain, where a receive stops behind a descriptor that was passed.
   */
  #hearsNews(): boolean {
    return this.#onData !== null && !this.#is(LISTENS | BY_LEVEL) &&
      (this.#loop.selector.supported & NEWS) === NEWS &&
      this.#socket!.domain !== "unix";
  }

  #is(bits: number): boolean {
    return (this.#state & bits) !== 0;
  }
}

function checkTime(milliseconds: number, name: string): void {
  if (milliseconds >= 0) return;
  throw new RangeError(`Cannot use ${name} of ${milliseconds} milliseconds`);
}
