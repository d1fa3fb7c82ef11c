/**
 * A connection of a reactor as a stream of `node:stream`, with the methods of
 * `net.Socket` that the drivers call.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { Connection, ConnectOptions, Reactor } from "../../mod.ts";

type Done = (error?: Error | null) => void;

/** A stream that is connecting, or connected. */
export class ConnectionDuplex extends Duplex {
  connecting = true;
  readonly #connection: Connection;
  /** Called when the queue is empty. */
  #written: Done | null = null;
  /** Called when the connection is closed. */
  #destroyed: Done | null = null;

  constructor(reactor: Reactor, target: ConnectOptions) {
    super({ decodeStrings: true });
    this.#connection = reactor.connect(target, (connection) => {
      this.connecting = false;
      connection.onData = (chunk) => this.#receive(chunk);
      this.emit("connect");
    });
    this.#connection.onEnd = () => this.push(null);
    this.#connection.onDrain = () => this.#drained();
    this.#connection.onClose = (error) => this.#closed(error);
  }

  #receive(chunk: Uint8Array<ArrayBuffer>): void {
    const { buffer, byteOffset, length } = chunk;
    if (this.push(Buffer.from(buffer, byteOffset, length))) return;
    this.#connection.pause();
  }

  #drained(): void {
    const written = this.#written;
    this.#written = null;
    written?.();
  }

  #closed(error: Error | undefined): void {
    const destroyed = this.#destroyed;
    this.#destroyed = null;
    if (destroyed === null) this.destroy(error);
    else destroyed();
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#send(chunk as Uint8Array<ArrayBuffer>, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    const list = chunks.map(({ chunk }) => chunk as Uint8Array<ArrayBuffer>);
    this.#send(list, done);
  }

  #send(
    data: Uint8Array<ArrayBuffer> | Uint8Array<ArrayBuffer>[],
    done: Done,
  ): void {
    const connection = this.#connection;
    if (connection.write(data)) done();
    else if (!connection.closed) this.#written = done;
    else done(connection.error ?? new Error("Connection is closed"));
  }

  override _final(done: Done): void {
    this.#connection.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    if (this.#connection.closed) return done(error);
    this.#destroyed = () => done(error);
    this.#connection.close();
  }

  /** Does nothing, since the stream is connecting already: `pg` calls it. */
  connect(): this {
    return this;
  }

  setNoDelay(): this {
    // Connections of the reactor have TCP_NODELAY by default.
    return this;
  }

  setKeepAlive(enabled?: boolean): this {
    if (!this.connecting) this.#connection.setKeepAlive(enabled);
    return this;
  }
}
