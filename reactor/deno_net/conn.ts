/**
 * A connection as Deno has them: promises and streams instead of callbacks.
 *
 * @module
 */

import { WOULD_BLOCK } from "../../backends/ffi/descriptor.ts";
import { uint8ArrayError } from "../../backends/ffi/memory.ts";
import { denoAddr } from "./address.ts";
import { readableOf, type ReadRequest, writableOf } from "./conn_streams.ts";
import type { Connection } from "../connection.ts";
import { interrupted } from "../interrupted.ts";

/** A write that has not come to its end. */
interface WriteRequest {
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** How long the buffer was when the call was made. */
  readonly length: number;
  readonly resolve: (count: number) => void;
  readonly reject: (error: unknown) => void;
}

/** In the place of a write's bytes: no more comes, which the peer is to be told. */
const END: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * A connection that is used like one of `Deno.connect` or `Deno.listen`, on the
 * reactor: the methods, the streams and the errors are the same. It needs
 * `serve()`. It is a `Deno.TcpConn` or a `Deno.UnixConn` by type.
 *
 * @example The streams
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
 * const client: Deno.TcpConn = await reactor.net.connect({
 *   port: listener.addr.port,
 * });
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
> implements Disposable {
  /** The connection underneath, for what Deno has no name for. */
  readonly connection: Connection;
  readonly #reads: ReadRequest[] = [];
  readonly #writes: WriteRequest[] = [];
  readonly #onReadable = (): void => this.#read();
  readonly #onWritable = (): void => this.#write();
  #closed = false;
  /** Whether the last read took all there was: then the next need not look first. */
  #drained = false;
  #localAddr: Address | undefined;
  #remoteAddr: Address | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;

  /**
   * Made by `reactor.net`.
   *
   * @param connection A connection without callbacks, which is this object's from now on
   */
  constructor(connection: Connection) {
    this.connection = connection;
    connection.keepOpen();
  }

  /** This side's address. */
  get localAddr(): Address {
    return this.#localAddr ??= denoAddr(
      this.connection.localAddress,
    ) as Address;
  }

  /** The peer's address. */
  get remoteAddr(): Address {
    return this.#remoteAddr ??= denoAddr(
      this.connection.remoteAddress,
    ) as Address;
  }

  /**
   * Reads what comes next.
   *
   * @param p Where the bytes go; with none in it, it reads nothing and returns 0
   * @returns the number of bytes, null at end of file
   * @throws {TypeError} if it is no `Uint8Array`, or if its buffer was transferred or
   *   shrunk before something came: that is left for the next read
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws {Deno.errors.TimedOut} if an idle timeout has ended the connection
   * @throws {SystemError} `Deno.errors.ConnectionReset` and others
   */
  read(p: Uint8Array): Promise<number | null> {
    const ended = uint8ArrayError(p, "read into") ?? this.#ended();
    if (ended !== null) return Promise.reject(ended);
    if (p.length === 0) return Promise.resolve(0);
    const buffer = p as Uint8Array<ArrayBuffer>;
    return new Promise((resolve, reject) =>
      this.#readBy({ buffer, length: buffer.length, resolve, reject })
    );
  }

  /**
   * Writes some of the bytes: all, unless the peer is slow.
   *
   * @param p The bytes; they are sent from where they are, so leave them until then
   * @returns how many were taken
   * @throws {TypeError} if it is no `Uint8Array`, or if its buffer was transferred or
   *   shrunk before the bytes were sent: none was taken
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws {Deno.errors.TimedOut} if an idle timeout has ended the connection
   * @throws {SystemError} `Deno.errors.BrokenPipe`, `Deno.errors.ConnectionReset` and others
   */
  write(p: Uint8Array): Promise<number> {
    const wrong = uint8ArrayError(p, "write");
    if (wrong !== null) return Promise.reject(wrong);
    if (p.length === 0 && this.#ended() === null) return Promise.resolve(0);
    try {
      const count = this.#writeNow(p as Uint8Array<ArrayBuffer>);
      return typeof count === "number" ? Promise.resolve(count) : count;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Tells the peer that no more comes, once the writes that are pending are done.
   *
   * @throws {Deno.errors.BadResource} if the connection is closed
   * @throws {Deno.errors.Interrupted} if it is closed meanwhile
   * @throws what has ended the connection, if an error did
   */
  async closeWrite(): Promise<void> {
    const ended = this.#ended();
    if (ended !== null) throw ended;
    const ending = this.#enqueue(END);
    if (this.#writes.length === 1) this.#write();
    await ending;
  }

  /**
   * Closes the connection: what is pending fails with `Deno.errors.Interrupted`.
   *
   * @throws {Deno.errors.BadResource} if it is closed already
   */
  close(): void {
    this.#checkOpen();
    this.#closed = true;
    this.connection.close();
    this.#settle(interrupted);
  }

  /** Sends small writes at once instead of gathering them, true if left out. */
  setNoDelay(noDelay: boolean = true): void {
    this.#checkOpen();
    this.connection.setNoDelay(noDelay);
  }

  /** Has the system probe a silent peer, true if left out. */
  setKeepAlive(keepAlive: boolean = true): void {
    this.#checkOpen();
    this.connection.setKeepAlive(keepAlive);
  }

  /** Lets pending reads keep the process open, as at the beginning. */
  ref(): void {
    this.connection.ref();
  }

  /** Lets the process end although reads are pending. */
  unref(): void {
    this.connection.unref();
  }

  /** What comes, as a stream of bytes. At its end, or cancelled, it closes the connection. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf({
      read: (request) => this.#readBy(request),
      close: () => this.closeOnce(),
    });
  }

  /** What goes, as a stream. Closed or aborted, it closes the connection. */
  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf({
      write: (bytes) => this.#writeNow(bytes),
      close: () => this.closeOnce(),
    });
  }

  /** Closes the connection, unless it is closed already. */
  closeOnce(): void {
    if (!this.#closed) this.close();
  }

  /** Closes the connection at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.closeOnce();
  }

  /** Serves a read at once, if something is there, or else in its turn. */
  #readBy(request: ReadRequest): void {
    const ended = this.#ended();
    if (ended !== null) return request.reject(ended);
    this.#reads.push(request);
    if (this.#reads.length > 1) return;
    if (!this.#drained && this.connection.mayGoOn()) this.#read();
    else this.#awaitReadable();
  }

  /** Serves the reads in their order, as far as there is something. */
  #read(): void {
    if (this.connection.closed) return this.#end();
    while (this.#reads.length > 0) {
      const { buffer, length, resolve, reject } = this.#reads[0]!;
      let count: number;
      try {
        if (buffer.length < length) throw goneError("read into");
        count = this.#receive(buffer);
      } catch (error) {
        this.#reads.shift();
        reject(error);
        continue;
      }
      if (count === WOULD_BLOCK) return this.#awaitReadable();
      this.#reads.shift();
      resolve(count === 0 ? null : count);
    }
  }

  #receive(buffer: Uint8Array<ArrayBuffer>): number {
    const count = this.connection.receiveInto(buffer);
    this.#drained = count > 0 && count < buffer.length;
    return count;
  }

  #awaitReadable(): void {
    this.connection.whenReadable(this.#onReadable);
  }

  /** Sends at once what the socket takes, unless others are first. */
  #writeNow(buffer: Uint8Array<ArrayBuffer>): number | Promise<number> {
    const ended = this.#ended();
    if (ended !== null) throw ended;
    if (this.#writes.length === 0 && this.connection.mayGoOn()) {
      const count = this.connection.sendNow(buffer);
      if (count !== WOULD_BLOCK) return count;
    }
    return this.#enqueue(buffer);
  }

  #awaitWritable(): void {
    this.connection.whenWritable(this.#onWritable);
  }

  #enqueue(buffer: Uint8Array<ArrayBuffer>): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ buffer, length: buffer.length, resolve, reject });
      if (this.#writes.length === 1) this.#awaitWritable();
    });
  }

  /** Serves the writes in their order, as far as there is room. */
  #write(): void {
    if (this.connection.closed) return this.#end();
    while (this.#writes.length > 0) {
      const { buffer, length, resolve, reject } = this.#writes[0]!;
      let count: number;
      try {
        if (buffer.length < length) throw goneError("write");
        count = buffer === END
          ? this.#shutDown()
          : this.connection.sendNow(buffer, length);
      } catch (error) {
        this.#writes.shift();
        reject(error);
        continue;
      }
      if (count === WOULD_BLOCK) {
        return this.#awaitWritable();
      }
      this.#writes.shift();
      resolve(count);
    }
  }

  /** @returns 0, or `WOULD_BLOCK` while the connection itself has more to send */
  #shutDown(): number {
    if (this.connection.bufferedAmount > 0) return WOULD_BLOCK;
    try {
      this.connection.socket.shutdown("write");
    } catch (error) {
      // A peer that is gone needs no word of it; Deno sees it so, too.
      if (!(error instanceof Deno.errors.NotConnected)) throw error;
    }
    return 0;
  }

  /** The connection has ended beneath: what is pending ends as it did. */
  #end(): void {
    const { error } = this.connection;
    this.#settle(() => error ?? interrupted());
  }

  /** Fails everything that is pending. */
  #settle(errorOf: () => Error): void {
    const pending = [...this.#reads, ...this.#writes];
    this.#reads.length = this.#writes.length = 0;
    for (const { reject } of pending) reject(errorOf());
  }

  /** What a call is told after the end: what caused it, unless the caller did. */
  #ended(): Error | null {
    if (!this.#closed && !this.connection.closed) return null;
    return (this.#closed ? undefined : this.connection.error) ?? closedError();
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}

/** A buffer may be transferred or resized while a call waits: it would read as the end. */
function goneError(verb: string): Error {
  return new TypeError(
    `Cannot ${verb} a buffer that was transferred or shrunk meanwhile`,
  );
}

function closedError(): Error {
  return new Deno.errors.BadResource("Connection is closed");
}
