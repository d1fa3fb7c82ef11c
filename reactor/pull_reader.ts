/**
 * The reading half of a stream in pull mode: it receives only when a chunk is asked
 * for, straight into the memory of the request.
 *
 * @module
 */

import { type ReadRequest, RequestQueue } from "./request_queue.ts";
import { type TurnBound, UNSERVED } from "./turn_waits.ts";
import { readableOf, type Source } from "./web_streams.ts";

/** The stream of a reader. */
export interface PulledStream {
  /** Receives the bytes that are there, as `Transport.receive` does. */
  receive(memory: Uint8Array<ArrayBuffer>): number;
  /** The error of a read after the end; null while the stream is open. */
  endError(): Error | null;
  /** Whether the end of file was received. */
  readEnded(): boolean;
  /** Called when a read begins to wait. */
  waits(): void;
  /** Called when the wanted events may have changed. */
  changed(): void;
  /** Called once, at the end of file. */
  ended(): void;
  /** Called with the error of a receive. */
  failed(error: unknown): void;
  /** Called when the readable stream was cancelled. */
  cancelled(): void;
}

/** Serves the `readable` of a stream. */
export class PullReader extends RequestQueue<number | null>
  implements Source, TurnBound {
  /** The Web Stream. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Whether nothing reads any more. */
  isCancelled = false;
  readonly #stream: PulledStream;
  /** A reader is likely to read again: its interest stays until an event. */
  #keepsInterest = false;
  #ended = false;
  #error: unknown = null;

  constructor(stream: PulledStream) {
    super();
    this.#stream = stream;
    this.readable = readableOf(this);
  }

  /** Whether no read is pending. */
  get isIdle(): boolean {
    return this.length === 0;
  }

  /** Whether the stream should wait for input. */
  get wantsInput(): boolean {
    return !this.isCancelled && (!this.isIdle || this.#keepsInterest);
  }

  /** Adds a read, which the next event serves. */
  read(request: ReadRequest): void {
    if (this.#stream.readEnded()) return request.resolve(null);
    const error = this.#stream.endError();
    if (error !== null) return request.reject(error);
    this.push(request);
    this.#keepsInterest = true;
    this.#stream.waits();
    this.#stream.changed();
  }

  /** Serves the pending reads after an event. */
  override serve(): void {
    if (this.isIdle) this.#keepsInterest = false;
    super.serve();
    if (this.#error !== null) this.#stream.failed(this.#error);
    else if (this.#ended) this.#stream.ended();
    else this.#stream.changed();
  }

  /** Cancels reading. The end of file and an error are for the stream to handle. */
  close(): void {
    const over = this.#ended || this.#error !== null ||
      this.#stream.readEnded();
    if (over || this.isCancelled) return;
    this.isCancelled = true;
    this.#stream.cancelled();
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    this.fail(() => error);
    this.#stream.changed();
  }

  protected override get verb(): string {
    return "read into";
  }

  protected override resultOf(count: number): number | null {
    return count === 0 ? null : count;
  }

  /** The end of file and an error hold for all reads that are pending. */
  protected override transfer(buffer: Uint8Array<ArrayBuffer>): number {
    if (this.#error !== null) throw this.#error;
    if (this.#ended) return 0;
    try {
      const count = this.#stream.receive(buffer);
      if (count === 0) this.#ended = true;
      return count;
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }
}

/** The error of a stream that is read in both ways. */
export function readTwiceError(): Error {
  return new TypeError("Cannot read a stream by `readable` and by `onData`");
}
