/**
 * The two Web Streams of a stream or a connection. They make no promise of their own for
 * a chunk. Once a chunk is asked for, received bytes are enqueued directly. A chunk that
 * the system takes at once is written when `write()` returns.
 *
 * @module
 */

import { bytesOf } from "../backends/ffi/memory.ts";
import type { ReadRequest } from "./request_queue.ts";

/** The other end of a readable stream. */
export interface Source {
  /** Settles the request once bytes are there. */
  read(request: ReadRequest): void;
  /** Called at the end of file, and when the readable stream is cancelled or fails. */
  close(): void;
}

/** The other end of a writable stream. */
export interface Sink {
  /**
   * Called first, with the signal that an abort begins: `abort` has to wait for a write
   * or a close that is under way.
   */
  open?(aborted: AbortSignal): void;
  /** Returns how many bytes were taken, at once or later. */
  write(bytes: Uint8Array<ArrayBuffer>): number | Promise<number>;
  /** Called after the last chunk. */
  close(): void | Promise<void>;
  /** Called when the writable stream is aborted, or has failed. */
  abort(reason: unknown): void;
}

/**
 * Memory for reads without memory of their own. All streams of a thread share it,
 * because the bytes are copied out before anything else runs.
 */
let received: Uint8Array<ArrayBuffer> | undefined;

/**
 * Its size. Chunks of 256 KiB come from fresh pages, which the kernel clears first. At
 * 1 MiB they took 1.06 of the CPU of Deno's own streams; these take 0.79.
 */
const RECEIVED_BYTES = 128 * 1024;

/** A byte stream, which receives only when a chunk is asked for. */
export function readableOf(
  source: Source,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream(new ByteSource(source));
}

/** A stream whose writes resolve when the system has taken the bytes. */
export function writableOf(
  sink: Sink,
): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream(new ByteSink(sink));
}

/**
 * Asks a source for one chunk at a time. It is its own request, with methods instead of
 * functions: a thousand idle streams pay for every object.
 */
class ByteSource implements UnderlyingByteSource, ReadRequest {
  buffer: Uint8Array<ArrayBuffer> = sharedMemory();
  length = 0;
  readonly #source: Source;
  #controller: ReadableByteStreamController | null = null;
  /** The memory of the reader, if it has any. */
  #byobRequest: ReadableStreamBYOBRequest | null = null;
  /** One read at a time, because its answer asks for the next one. */
  #reading = false;

  constructor(source: Source) {
    this.#source = source;
  }

  get type(): "bytes" {
    return "bytes";
  }

  pull(controller: ReadableByteStreamController): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#controller = controller;
    const { byobRequest } = controller;
    this.#byobRequest = byobRequest;
    this.buffer = byobRequest === null ? sharedMemory() : memoryOf(byobRequest);
    this.length = this.buffer.length;
    this.#source.read(this);
  }

  cancel(): void {
    this.#source.close();
  }

  /** Delivers the bytes, or the end of file. */
  resolve(count: number | null): void {
    const byobRequest = this.#byobRequest;
    this.#byobRequest = null;
    this.#reading = false;
    if (count === null) this.#end();
    else if (byobRequest !== null) byobRequest.respond(count);
    else {
      // Made from a view, the memory is not cleared before it is copied into.
      const chunk = new Uint8Array(this.buffer.subarray(0, count));
      this.#controller!.enqueue(chunk);
    }
  }

  reject(error: unknown): void {
    this.#source.close();
    this.#controller!.error(error);
  }

  #end(): void {
    this.#source.close();
    try {
      this.#controller!.close();
    } catch {
      // The end within an element of the reader's view: that has failed the stream.
      return;
    }
    this.#controller!.byobRequest?.respond(0);
  }
}

function sharedMemory(): Uint8Array<ArrayBuffer> {
  return received ??= new Uint8Array(new ArrayBuffer(RECEIVED_BYTES));
}

function memoryOf(
  { view }: ReadableStreamBYOBRequest,
): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = view!;
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

/** Passes chunks on to a sink. */
class ByteSink implements UnderlyingSink<Uint8Array<ArrayBufferLike>> {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  start({ signal }: WritableStreamDefaultController): void {
    this.#sink.open?.(signal);
  }

  write(
    chunk: Uint8Array<ArrayBufferLike>,
    controller: WritableStreamDefaultController,
  ): void | Promise<void> {
    try {
      const bytes = bytesOf(chunk, "write");
      const { length } = bytes;
      const count = this.#sink.write(bytes);
      if (count === length) return;
      return writeRest(this.#sink, bytes, length, count)
        .catch((error) => this.#fail(error, controller));
    } catch (error) {
      this.#fail(error, controller);
    }
  }

  close(): void | Promise<void> {
    return this.#sink.close();
  }

  abort(reason: unknown): void {
    this.#sink.abort(reason);
  }

  #fail(error: unknown, controller: WritableStreamDefaultController): never {
    controller.error(error);
    this.#sink.abort(error);
    throw error;
  }
}

async function writeRest(
  sink: Sink,
  { buffer, byteOffset }: Uint8Array<ArrayBuffer>,
  length: number,
  first: number | Promise<number>,
): Promise<void> {
  for (let sent = await first; sent < length;) {
    // Throws if the buffer was transferred or shrunk meanwhile.
    const rest = new Uint8Array(buffer, byteOffset + sent, length - sent);
    sent += await sink.write(rest);
  }
}
