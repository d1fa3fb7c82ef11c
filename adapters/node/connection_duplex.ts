/**
 * A connection as a stream of Node.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Server } from "node:net";
import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { checkOptions } from "../../backends/ffi/options.ts";
import type { Connection } from "../../reactor/connection.ts";
import { type NodeAddress, nodeAddress } from "./addresses.ts";
import { DirectReads } from "./direct_reads.ts";
import { DirectHandle } from "./direct_writes.ts";
import {
  type ConnectionDuplexOptions,
  DUPLEX_OPTIONS,
} from "./duplex_options.ts";
import { destroyedError, nodeError } from "./errors.ts";
import {
  encoded,
  type EncodedChunk,
  type Gathered,
  gathered,
  lengthOf,
} from "./gather.ts";
import { IdleTimer } from "./idle_timer.ts";
import { pushEnd } from "./received_end.ts";
import { refuseWrites } from "./refused_writes.ts";
import { isBeneathTls } from "./secure_streams.ts";
import { errorToEmit, noteThrown } from "./thrown_errors.ts";

/** Called with the error of an operation, or with nothing after success. */
type Done = (error?: Error | null) => void;

/** Gives the socket of a server the handle to which `node:http` writes directly. */
export let addDirectHandle: (duplex: ConnectionDuplex) => void;

/** Gives the socket of a server the fast path to the parser of `node:http`. */
export let addDirectReads: (duplex: ConnectionDuplex) => void;

/**
 * A connection of a reactor as a `stream.Duplex`, with the members of `net.Socket`
 * that servers and clients for Node use. It needs `serve()`, because Node's streams use
 * Deno's event loop.
 *
 * It differs from `net.Socket` in few points. The callback of a write is called when
 * the system has taken all bytes. Addresses are known after the end, too. An error that
 * a listener throws while bytes are received ends the connection alone, and goes to the
 * `onError` of the reactor.
 */
export class ConnectionDuplex extends Duplex {
  /** The time of `setTimeout()`, in milliseconds. */
  timeout: number | undefined = undefined;
  /** The server that accepted the connection. */
  server: Server | null = null;
  /** Only `node:http` uses it. */
  protected _handle: object | null = null;
  readonly #connection: Connection;
  readonly #idle: IdleTimer = new IdleTimer(() => this.#idled());
  /** The fast path of received bytes. */
  #direct: DirectReads | null = null;
  #remote: NodeAddress | null = null;
  #local: NodeAddress | null = null;
  #received = 0;
  #dispatched = 0;
  /** Whether receiving is suspended until the next `_read()`. */
  #paused = false;
  /** Called when the system has taken the write under way. */
  #written: Done | null = null;
  /** How many bytes of it were left at the last idle time. */
  #left = 0;
  /** Options that were set while connecting. */
  #deferred: (() => void)[] = [];

  /**
   * Takes a connection over, with all of its callbacks.
   *
   * @param connection An established connection, or one that is still connecting. The
   *   stream copies received bytes, so `reuseBuffer` saves a copy
   * @throws {TypeError} if an option is unknown
   */
  constructor(
    connection: Connection,
    options: ConnectionDuplexOptions = {},
  ) {
    checkOptions(options, DUPLEX_OPTIONS);
    const { allowHalfOpen = false, pauseOnCreate = false } = options;
    super({ allowHalfOpen, decodeStrings: false, emitClose: false });
    this.#connection = connection;
    connection.onEnd = () => pushEnd(this);
    connection.onClose = (error) => this.#closed(error);
    if (!allowHalfOpen) this.once("end", refuseWrites);
    if (pauseOnCreate) {
      this.pause();
      this.#pause();
    }
    if (connection.connecting) connection.onConnect = () => this.#connected();
    else this.#noteAddresses();
    connection.onData = (chunk) => {
      try {
        this.#receive(chunk);
      } catch (error) {
        throw noteThrown(error);
      }
    };
  }

  /** Whether the connection is not established yet. */
  get connecting(): boolean {
    return this.#connection.connecting && !this.destroyed;
  }

  /** Whether the connection is not established yet, or not any more. */
  get pending(): boolean {
    return this.connecting || this.destroyed;
  }

  /** "opening", "open", "readOnly", "writeOnly" or "closed". */
  get readyState(): string {
    if (this.connecting) return "opening";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  /** How many bytes were received. */
  get bytesRead(): number {
    return this.#received;
  }

  /** How many bytes were written, those that wait included. */
  get bytesWritten(): number {
    let count = this.#dispatched;
    const { writableBuffer } = this as unknown as {
      writableBuffer?: EncodedChunk[];
    };
    for (const { chunk, encoding } of writableBuffer ?? []) {
      count += Buffer.byteLength(chunk, encoding);
    }
    return count;
  }

  /** How much waits to be sent: as `writableLength`. */
  get bufferSize(): number {
    return this.writableLength;
  }

  /** The IP address of the peer; undefined while connecting, and for a Unix socket. */
  get remoteAddress(): string | undefined {
    return this.#remote?.address;
  }

  /** The port of the peer. */
  get remotePort(): number | undefined {
    return this.#remote?.port;
  }

  /** "IPv4" or "IPv6". */
  get remoteFamily(): string | undefined {
    return this.#remote?.family;
  }

  /** The IP address of this side. */
  get localAddress(): string | undefined {
    return this.#local?.address;
  }

  /** The port of this side. */
  get localPort(): number | undefined {
    return this.#local?.port;
  }

  /** "IPv4" or "IPv6". */
  get localFamily(): string | undefined {
    return this.#local?.family;
  }

  /** Returns the address of this side: `{ address, family, port }`, or `{}`. */
  address(): Partial<NodeAddress> {
    return { ...this.#local };
  }

  /**
   * Does nothing, because the stream is connecting or connected: `pg` calls it. A
   * function as the last argument is called when the connection is established.
   */
  connect(...args: unknown[]): this {
    const listener = args.at(-1);
    if (typeof listener === "function") {
      this.once("connect", listener as () => void);
    }
    return this;
  }

  /** Sends small writes at once (`TCP_NODELAY`). The reactor's default is true. */
  setNoDelay(enabled: boolean = true): this {
    return this.#configure((tcp) => tcp.setNoDelay(Boolean(enabled)));
  }

  /**
   * Makes the system probe a silent peer (`SO_KEEPALIVE`).
   *
   * @param initialDelay Milliseconds of silence before the first probe. Default: 0,
   *   that of the system
   */
  setKeepAlive(enabled: boolean = false, initialDelay: number = 0): this {
    return this.#configure((tcp) => {
      tcp.setKeepAlive(Boolean(enabled));
      const seconds = Math.floor(initialDelay / 1000);
      if (enabled && seconds > 0) {
        tcp.socket.setOption("keepAliveIdle", seconds);
      }
    });
  }

  /**
   * Emits "timeout" after a time without activity, and again after each further such
   * time. The connection stays open: a listener may destroy it.
   *
   * @param milliseconds The time; 0 for none, which is the default
   * @param onTimeout A listener for the next "timeout"; with 0 it is removed
   * @throws {TypeError} if the time is not a number
   * @throws {RangeError} if it is negative or not finite
   */
  setTimeout(milliseconds: number, onTimeout?: () => void): this {
    this.#idle.set(this.destroyed ? 0 : milliseconds);
    this.timeout = milliseconds;
    if (onTimeout === undefined) return this;
    if (milliseconds > 0) this.once("timeout", onTimeout);
    else this.off("timeout", onTimeout);
    return this;
  }

  /** Keeps the process alive while the connection is open. This is the default. */
  ref(): this {
    this.#connection.ref();
    return this;
  }

  /** Lets the process end although the connection is open. */
  unref(): this {
    this.#connection.unref();
    return this;
  }

  /** Ends this side, and destroys the stream when all is sent. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Closes at once, beneath `node:tls` after the bytes that it still encrypts. */
  override destroy(error?: Error): this {
    if (!isBeneathTls(this)) return super.destroy(error);
    queueMicrotask(() => super.destroy(error));
    return this;
  }

  /** Destroys the stream, and resets the connection of a TCP peer. */
  resetAndDestroy(): this {
    this.#detach();
    this.#connection.abort();
    return this.destroy();
  }

  /** Called by the stream: receives again. */
  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  /** Called by the stream: sends a chunk. */
  override _write(
    chunk: Uint8Array | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.#send(encoded(chunk, encoding), done);
  }

  /** Called by the stream: sends the chunks that waited, with one call. */
  override _writev(
    chunks: { chunk: Uint8Array | string; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#send(gathered(chunks), done);
  }

  /** Called by the stream: half-closes. */
  override _final(done: (error?: Error | null) => void): void {
    if (this.connecting) {
      this.once("connect", () => this._final(done));
      return;
    }
    this.#connection.end();
    if (this.#written === null) done();
    else this.#whenWritten(done);
  }

  /** Called by the stream: closes. The peer gets all bytes that the system has taken. */
  override _destroy(
    error: Error | null,
    done: (error?: Error | null) => void,
  ): void {
    this.#detach();
    this.#connection.abort(undefined, false);
    this.#idle.stop();
    this.#settle(error ?? destroyedError());
    done(error);
    nextTick(() => this.emit("close", error !== null));
  }

  #connected(): void {
    this.#noteAddresses();
    for (const configure of this.#deferred.splice(0)) configure();
    this.#idle.note();
    try {
      this.emit("connect");
      this.emit("ready");
    } catch (error) {
      throw noteThrown(error);
    }
    if (this.readable && !this.isPaused()) this.read(0);
  }

  #noteAddresses(): void {
    const { remoteAddress, localAddress } = this.#connection;
    this.#remote = nodeAddress(remoteAddress);
    this.#local = this.#remote === null ? null : nodeAddress(localAddress);
  }

  #receive(chunk: Uint8Array<ArrayBuffer>): void {
    const { length } = chunk;
    this.#received += length;
    this.#idle.note();
    if (this.#direct?.take(chunk)) return;
    // The stream keeps a copy. In the pool of Node it would lead to other connections'
    // bytes, and could not be transferred.
    const copy = Buffer.allocUnsafeSlow(length);
    copy.set(chunk);
    if (this.#emitsData()) this.emit("data", copy);
    else if (!this.push(copy)) this.#pause();
  }

  /**
   * Whether `push()` would do nothing but emit the chunk, and look for more in a tick of
   * its own. The first chunk is always pushed, so that the stream knows that it was read.
   */
  #emitsData(): boolean {
    return this.readableFlowing === true && this.readableLength === 0 &&
      this.readableDidRead && this.readableEncoding === null &&
      this.listenerCount("data") > 0;
  }

  #pause(): void {
    this.#paused = true;
    this.#connection.pause();
  }

  /**
   * Destroys the stream after an error, and with the reactor. After the ends of both
   * sides it destroys itself, once its received bytes were read.
   */
  #closed(error: Error | undefined): void {
    if (error !== undefined) this.destroy(errorToEmit(this, error));
    else if (!this.#connection.readEnded) this.destroy();
  }

  #send(data: Gathered, done: Done): void {
    const connection = this.#connection;
    this.#dispatched += lengthOf(data);
    this.#idle.note();
    const accepted = connection.write(data);
    if (connection.closed) return done(this.#failure());
    // A refused write leaves no queue either, and then the connection ends.
    if (accepted && connection.bufferedAmount === 0) return done();
    this.#left = connection.bufferedAmount;
    this.#whenWritten(done);
    // It is also called at the end.
    connection.whenWritable(() => this.#drained());
  }

  /** Calls back after the write under way, and after a direct write before it. */
  #whenWritten(done: Done): void {
    const before = this.#written;
    this.#written = before === null ? done : (error): void => {
      before(error);
      done(error);
    };
  }

  #drained(): void {
    if (this.#connection.closed) return this.#settle(this.#failure());
    this.#idle.note();
    this.#settle(null);
  }

  /** The error of a write to a connection that has ended. */
  #failure(): Error {
    const { error } = this.#connection;
    return error === undefined ? destroyedError() : nodeError(error);
  }

  /** Calls back for the write under way. */
  #settle(error: Error | null): void {
    const written = this.#written;
    this.#written = null;
    written?.(error);
  }

  /** A write of which a part was sent meanwhile is an activity. */
  #idled(): void {
    const { bufferedAmount } = this.#connection;
    const sends = this.#written !== null && bufferedAmount < this.#left;
    this.#left = bufferedAmount;
    if (!sends) this.emit("timeout");
  }

  /** Lets the end of the connection go unnoticed: the stream has ended already. */
  #detach(): void {
    this.#connection.onData = this.#connection.onEnd = null;
    this.#connection.onClose = this.#connection.onConnect = null;
    if (this.#written !== null) this.#connection.whenWritable(null);
  }

  /** Sets options of TCP, which a Unix socket lacks, as soon as there is a socket. */
  #configure(configure: (connection: Connection) => void): this {
    const apply = (): void => {
      if (this.destroyed || this.#remote === null) return;
      if (!this.#connection.closed) configure(this.#connection);
    };
    if (this.connecting) this.#deferred.push(apply);
    else apply();
    return this;
  }

  static {
    addDirectReads = (duplex): void => {
      duplex.#direct = DirectReads.of(duplex);
    };
    addDirectHandle = (duplex): void => {
      duplex._handle = new DirectHandle((data, done) =>
        duplex.#send(data, done)
      );
    };
  }
}
