/**
 * A connection as Deno has it: promises and streams instead of callbacks.
 *
 * It works in pull mode: a call receives or sends at once, and waits for readiness only
 * if it would block. Where the selector reports edges, a connection registers once to
 * read and once more to write, and a wait costs no call. An edge follows only a call
 * that would have blocked: a connection remembers which calls may succeed.
 *
 * @module
 */

import { WOULD_BLOCK } from "../../backends/ffi/descriptor.ts";
import { uint8ArrayError } from "../../backends/ffi/memory.ts";
import type { Socket } from "../../backends/ffi/socket.ts";
import {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
} from "../../backends/selector.ts";
import { Endpoint, loopOf } from "../endpoint.ts";
import { checkTime, IdleWatch } from "../idle_watch.ts";
import { interrupted } from "../interrupted.ts";
import type { Loop } from "../loop.ts";
import { DESTROY } from "../owned.ts";
import { peerAddress } from "../connection.ts";
import { EDGE_READ, socketTransport } from "../transport.ts";
import { UNSERVED } from "../turn_waits.ts";
import { ConnReads, ConnWrites, END } from "./conn_calls.ts";
import { denoAddr, localAddrOf } from "./address.ts";
import { connectionClosed } from "./errors.ts";
import type { ReadRequest } from "../request_queue.ts";
import {
  readableOf,
  type Sink,
  type Source,
  writableOf,
} from "../web_streams.ts";

type AnyConn = Conn<Deno.NetAddr | Deno.UnixAddr>;

/** Called by the streams of a connection. */
let readBy: (conn: AnyConn, request: ReadRequest) => void;
let writeNow: (
  conn: AnyConn,
  bytes: Uint8Array<ArrayBuffer>,
) => number | Promise<number>;

const INPUT = EVENT_READ | EVENT_PRIORITY | EVENT_HANG_UP;

/**
 * A connection that is used like one of `Deno.connect` or `Deno.listen`, on the
 * reactor: the methods, the streams and the errors are the same. It needs
 * `serve()`. Its type is that of a `Deno.TcpConn` or a `Deno.UnixConn`.
 *
 * @example The streams
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = listener.addr;
 * const client: Deno.TcpConn = await reactor.net.connect({ port });
 * const server = await listener.accept();
 * await server.write(new TextEncoder().encode("hello"));
 * server.close();
 * assertEquals(await new Response(client.readable).text(), "hello");
 * ```
 *
 * @typeParam Address `Deno.NetAddr` or `Deno.UnixAddr`
 */
export class Conn<
  Address extends Deno.NetAddr | Deno.UnixAddr = Deno.NetAddr,
> extends Endpoint {
  readonly #socket: Socket;
  /** Whether edges are reported, so that the registration can stay. */
  readonly #usesEdge: boolean;
  readonly #reads: ConnReads;
  readonly #writes: ConnWrites;
  /** Level-triggered only: a reader is likely to read again, so its interest stays. */
  #keepsReadInterest = false;
  /** Whether the pending calls are tried again in the next iteration. */
  #scheduled = false;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #localAddr: Address | undefined;
  #remoteAddr: Address | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;

  /**
   * Called by `reactor.net`.
   *
   * @param socket A connected socket, which is the connection's from now on
   */
  constructor(loop: Loop, socket: Socket) {
    super(loop);
    this.#socket = socket;
    this.#reads = new ConnReads(socket);
    this.#writes = new ConnWrites(socket);
    this.#usesEdge = (loop.selector.supported & EDGE_READ) === EDGE_READ &&
      socketTransport.drains(socket);
    loop.dispatcher.observer?.connectionOpened(this);
  }

  /** The descriptor; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** The socket, for options that Deno has no name for. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Whether the connection was closed, or has ended because of an error. */
  get closed(): boolean {
    return this.#ended;
  }

  /** The error that ended the connection, if an error did. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** The address of this side. */
  get localAddr(): Address {
    return this.#localAddr ??= denoAddr(this.#socket.localAddress) as Address;
  }

  /** The address of the peer. */
  get remoteAddr(): Address {
    return this.#remoteAddr ??= denoAddr(peerAddress(this.#socket)) as Address;
  }

  /**
   * Reads the next bytes.
   *
   * @param p Memory for the bytes; if it is empty, nothing is read and 0 returned
   * @returns the number of bytes, null at end of file
   * @throws {TypeError} if it is not a `Uint8Array`, or its buffer was transferred or
   *   shrunk before bytes came: they are left for the next read
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws {Deno.errors.TimedOut} if an idle timeout has ended the connection
   * @throws {Deno.errors.NotSupported} if nothing runs the reactor within a second
   * @throws {SystemError} `Deno.errors.ConnectionReset` and others
   */
  read(p: Uint8Array): Promise<number | null> {
    const wrong = uint8ArrayError(p, "read into") ?? this.#endError();
    if (wrong !== null) return Promise.reject(wrong);
    if (p.length === 0) return Promise.resolve(0);
    const buffer = p as Uint8Array<ArrayBuffer>;
    return new Promise((resolve, reject) =>
      this.#readBy({ buffer, length: buffer.length, resolve, reject })
    );
  }

  /**
   * Writes some of the bytes: all of them, unless the peer is slow.
   *
   * @param p Bytes, which are sent from this memory: leave it alone until then
   * @returns how many were taken
   * @throws {TypeError} if it is not a `Uint8Array`, or its buffer was transferred or
   *   shrunk before the bytes were sent: none was taken
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws {Deno.errors.TimedOut} if an idle timeout has ended the connection
   * @throws {SystemError} `Deno.errors.BrokenPipe`, `Deno.errors.ConnectionReset` and others
   */
  write(p: Uint8Array): Promise<number> {
    const wrong = uint8ArrayError(p, "write");
    if (wrong !== null) return Promise.reject(wrong);
    if (p.length === 0 && !this.#ended) return Promise.resolve(0);
    try {
      const count = this.#writeNow(p as Uint8Array<ArrayBuffer>);
      return typeof count === "number" ? Promise.resolve(count) : count;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Half-closes the connection, after the pending writes.
   *
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws the error that has ended the connection, if one has
   */
  async closeWrite(): Promise<void> {
    const wrong = this.#endError();
    if (wrong !== null) throw wrong;
    if (this.#writes.length === 0) this.#writes.shutDown();
    else await this.#enqueue(END);
  }

  /**
   * Sends an end of file and closes. Pending calls fail with `Deno.errors.Interrupted`.
   *
   * @throws {Deno.errors.BadResource} if it was closed before
   */
  close(): void {
    this.#checkOpen();
    this.#writes.endBeforeClose();
    this.#closed = true;
    this.#finish(undefined);
  }

  /**
   * Closes the connection at once. A TCP peer gets a reset instead of an end of file.
   *
   * @param error The error of pending and later calls. Default: as after `close()`
   */
  abort(error?: Error): void {
    if (this.#ended) return;
    socketTransport.reset(this.#socket);
    this.#finish(error);
  }

  /**
   * Ends the connection with `Deno.errors.TimedOut` after a time without a byte in
   * either direction, which may be exceeded by a quarter.
   *
   * @param milliseconds The time; 0 for none, which is the default
   * @throws {RangeError} if the time is negative or not a number
   */
  setIdleTimeout(milliseconds: number): void {
    checkTime(milliseconds, "an idle timeout");
    this.#reads.idle?.stop();
    const idle = milliseconds === 0 || this.#ended
      ? null
      : new IdleWatch(loopOf(this), milliseconds, () => {
        const message = "Connection was idle for too long";
        this.abort(new Deno.errors.TimedOut(message));
      });
    if (this.unreferenced) idle?.unref();
    this.#reads.idle = this.#writes.idle = idle;
  }

  /** Sends small writes at once instead of gathering them. Default: true. */
  setNoDelay(noDelay: boolean = true): void {
    this.#checkOpen();
    this.#socket.setOption("noDelay", noDelay);
  }

  /** Makes the system probe a silent peer. Default: true. */
  setKeepAlive(keepAlive: boolean = true): void {
    this.#checkOpen();
    this.#socket.setOption("keepAlive", keepAlive);
  }

  /** Lets pending calls keep the process alive. This is the default. */
  override ref(): void {
    super.ref();
    this.#reads.idle?.ref();
  }

  /** Lets the process end although calls are pending. */
  override unref(): void {
    super.unref();
    this.#reads.idle?.unref();
  }

  /** The received bytes as a stream. Its end or its cancellation closes the connection. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(new Ends(this as AnyConn));
  }

  /** A stream of bytes to send. To close or to abort it closes the connection. */
  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf(new Ends(this as AnyConn));
  }

  /** Closes the connection at the end of a `using` scope. */
  override [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  /** Called by the loop when it is closed. */
  override [DESTROY](error?: Error): void {
    this.abort(error);
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    this.#failCalls(() => error);
    this.#updateInterest();
  }

  static readonly #onReady = (fileobj: FileObject, events: number): void => {
    (fileobj as unknown as Conn).#ready(events);
  };

  #ready(events: number): void {
    if ((events & INPUT) !== 0) this.#readyToRead(events);
    if ((events & EVENT_WRITE) !== 0) this.#write();
  }

  #readyToRead(events: number): void {
    this.#reads.mayRead = true;
    // No edge follows for an end of file that is here, nor behind urgent data.
    if ((events & (INPUT & ~EVENT_READ)) !== 0) this.#reads.mayStopShort = true;
    if (this.#reads.length > 0) return this.#read();
    if (this.#usesEdge) return;
    // Nothing reads any more: level-triggered readiness would wake every wait.
    this.#keepsReadInterest = false;
    this.#updateInterest();
  }

  /** Serves a read at once if bytes may be there, or else in its turn. */
  #readBy(request: ReadRequest): void {
    const wrong = this.#endError();
    if (wrong !== null) return request.reject(wrong);
    this.#reads.push(request);
    if (this.#reads.length > 1) return;
    if (!this.#reads.mayRead) this.#updateInterest();
    else if (loopOf(this).promises.mayResolve()) this.#read();
    else this.#trySoon();
  }

  #read(): void {
    this.#reads.serve();
    this.#updateInterest();
  }

  /** Sends the bytes that the system takes at once, unless other writes come first. */
  #writeNow(buffer: Uint8Array<ArrayBuffer>): number | Promise<number> {
    const wrong = this.#endError();
    if (wrong !== null) throw wrong;
    if (this.#writes.length > 0) return this.#enqueue(buffer);
    if (!loopOf(this).promises.mayResolve()) {
      this.#trySoon();
      return this.#enqueue(buffer);
    }
    const count = this.#writes.send(buffer, buffer.length);
    if (count !== WOULD_BLOCK) return count;
    const written = this.#enqueue(buffer);
    this.#updateInterest();
    return written;
  }

  #enqueue(buffer: Uint8Array<ArrayBuffer>): Promise<number> {
    const { length } = buffer;
    return new Promise((resolve, reject) => {
      this.#writes.push({ buffer, length, resolve, reject });
    });
  }

  #write(): void {
    this.#writes.serve();
    this.#updateInterest();
  }

  /** Tries calls in the next iteration that were not tried, so that no edge follows. */
  #trySoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    loopOf(this).awaitTurn(this);
    loopOf(this).callSoon(() => {
      this.#scheduled = false;
      this.#read();
      this.#write();
    });
  }

  #updateInterest(): void {
    if (this.#ended) return;
    const waits = this.#reads.length > 0 || this.#writes.length > 0;
    this.setStandby(!waits);
    if (waits) loopOf(this).awaitTurn(this);
    if (!waits && this.#usesEdge) return;
    try {
      this.watch(this.#wantedEvents(), Conn.#onReady);
    } catch (error) {
      // Without a registration, no call would ever settle.
      this.#finish(error as Error);
    }
  }

  #wantedEvents(): number {
    const writes = this.#writes.length > 0 ? EVENT_WRITE : 0;
    // Once registered, an edge-triggered interest stays.
    if (this.#usesEdge) return this.interest | EDGE_READ | writes;
    if (this.#reads.length > 0) this.#keepsReadInterest = true;
    return (this.#keepsReadInterest ? EVENT_READ : 0) | writes;
  }

  /** Ends the connection: the descriptor is free at once, pending calls fail. */
  #finish(error: Error | undefined): void {
    if (this.#ended) return;
    loopOf(this).dispatcher.observer?.connectionClosing(this, error);
    this.#ended = true;
    this.#error = error;
    // Deno's connections know their addresses after the end.
    this.#localAddr ??= localAddrOf(this.#socket) as Address | undefined;
    this.leave();
    this.#reads.idle?.stop();
    this.#socket.close();
    this.#failCalls(() => error ?? interrupted());
  }

  #failCalls(errorOf: () => Error): void {
    loopOf(this).forgetTurn(this);
    for (const calls of [this.#reads, this.#writes]) calls.fail(errorOf);
  }

  /** The error of a call after the end; null while the connection is open. */
  #endError(): Error | null {
    if (!this.#ended) return null;
    return (this.#closed ? undefined : this.#error) ?? connectionClosed();
  }

  #checkOpen(): void {
    if (this.#closed) throw connectionClosed();
  }

  static {
    readBy = (conn, request): void => conn.#readBy(request);
    writeNow = (conn, bytes): number | Promise<number> => conn.#writeNow(bytes);
  }
}

/** The other end of a stream of a connection. */
class Ends implements Source, Sink {
  readonly #conn: AnyConn;

  constructor(conn: AnyConn) {
    this.#conn = conn;
  }

  read(request: ReadRequest): void {
    readBy(this.#conn, request);
  }

  write(bytes: Uint8Array<ArrayBuffer>): number | Promise<number> {
    return writeNow(this.#conn, bytes);
  }

  close(): void {
    this.#conn[Symbol.dispose]();
  }

  abort(): void {
    this.#conn[Symbol.dispose]();
  }
}
