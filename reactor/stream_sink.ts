/**
 * The writing half of a stream behind a Web Stream. A write resolves when the queue is
 * short again, and the close when the queue is sent.
 *
 * @module
 */

import { type TurnBound, UNSERVED } from "./turn_waits.ts";
import { type Sink, writableOf } from "./web_streams.ts";

/** The stream of a sink. */
export interface WrittenStream {
  /** Writes or queues bytes, as `Stream.write` does. */
  write(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** The error of a write after the end; null while writes are possible. */
  endError(): Error | null;
  /**
   * Flushes, and ends the writing half.
   *
   * @returns whether that is done
   * @throws the error that has ended the stream, if one has
   */
  end(): boolean;
  /** Ends the stream at once. */
  abort(error: Error | undefined): void;
  /** Called when a write begins to wait. */
  waits(): void;
}

/** Serves the `writable` of a stream. */
export class StreamSink implements Sink, TurnBound {
  /** The Web Stream. */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  readonly #stream: WrittenStream;
  /** The write or the close that waits: a Web Stream makes one at a time. */
  #waiting: PromiseWithResolvers<void> | null = null;
  #closing = false;

  constructor(stream: WrittenStream) {
    this.#stream = stream;
    this.writable = writableOf(this);
  }

  /** Aborts at once: a write that waits for a slow peer would hold up `abort()`. */
  open(aborted: AbortSignal): void {
    aborted.addEventListener("abort", () => this.abort(aborted.reason));
  }

  write(bytes: Uint8Array<ArrayBuffer>): number | Promise<number> {
    const { length } = bytes;
    this.#checkOpen();
    if (this.#stream.write(bytes)) return length;
    this.#checkOpen();
    return this.#wait().then(() => length);
  }

  close(): void | Promise<void> {
    this.#closing = true;
    if (!this.#stream.end()) return this.#wait();
  }

  abort(reason: unknown): void {
    this.#stream.abort(reason instanceof Error ? reason : undefined);
  }

  /** Called when the queue has fallen to the low water mark. */
  drained(): void {
    if (!this.#closing) this.flushed();
  }

  /** Called when the queue is sent after the last write. */
  flushed(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** Fails the write or the close that waits. */
  fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    this.fail(error);
  }

  #checkOpen(): void {
    const error = this.#stream.endError();
    if (error !== null) throw error;
  }

  #wait(): Promise<void> {
    this.#stream.waits();
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }
}
