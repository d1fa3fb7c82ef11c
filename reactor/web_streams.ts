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

/** Asks a source for one chunk at a time. */
class ByteSource implements UnderlyingByteSource {
  readonly type = "bytes";
  readonly #source: Source;
  #controller: ReadableByteStreamController | null = null;
  /** One read at a time, because its answer asks for the next one. */
  #reading = false;
  readonly #request: ReadRequest;

  constructor(source: Source) {
    this.#source = source;
    const buffer = received ??= new Uint8Array(new ArrayBuffer(RECEIVED_BYTES));
    this.#request = this.#requestFor(buffer, (count) => {
      // Made from a view, the memory is not cleared before it is copied into.
      this.#controller!.enqueue(new Uint8Array(buffer.subarray(0, count)));
    });
  }

  start(controller: ReadableByteStreamController): void {
    this.#controller = controller;
  }

  pull(controller: ReadableByteStreamController): void {
    if (this.#reading) return;
    this.#reading = true;
    const { byobRequest } = controller;
    this.#source.read(
      byobRequest === null ? this.#request : this.#requestInto(byobRequest),
    );
  }

  cancel(): void {
    this.#source.close();
  }

  #requestInto(byobRequest: ReadableStreamBYOBRequest): ReadRequest {
    const { buffer, byteOffset, byteLength } = byobRequest.view!;
    const memory = new Uint8Array(
      buffer as ArrayBuffer,
      byteOffset,
      byteLength,
    );
    return this.#requestFor(memory, (count) => byobRequest.respond(count));
  }

  #requestFor(
    buffer: Uint8Array<ArrayBuffer>,
    deliver: (count: number) => void,
  ): ReadRequest {
    return {
      buffer,
      length: buffer.length,
      resolve: (count) => {
        this.#reading = false;
        if (count === null) this.#end();
        else deliver(count);
      },
      reject: (error) => {
        this.#source.close();
        this.#controller!.error(error);
      },
    };
  }

  #end(): void {
    this.#source.close();
    this.#controller!.close();
    this.#controller!.byobRequest?.respond(0);
  }
}

/** A stream whose writes resolve when the system has taken the bytes. */
export function writableOf(
  sink: Sink,
): WritableStream<Uint8Array<ArrayBufferLike>> {
  const fail = (
    error: unknown,
    controller: WritableStreamDefaultController,
  ): never => {
    controller.error(error);
    sink.abort(error);
    throw error;
  };
  return new WritableStream({
    write(chunk, controller): void | Promise<void> {
      try {
        const bytes = bytesOf(chunk, "write");
        const { length } = bytes;
        const count = sink.write(bytes);
        if (count === length) return;
        return writeRest(sink, bytes, length, count)
          .catch((error) => fail(error, controller));
      } catch (error) {
        fail(error, controller);
      }
    },
    close: () => sink.close(),
    abort: (reason) => sink.abort(reason),
  });
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
