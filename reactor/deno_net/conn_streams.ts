/**
 * The two Web Streams of a connection. They make no promise of their own for a
 * chunk. Once a chunk is asked for, received bytes are enqueued directly. A chunk that
 * the system takes at once is written when `write()` returns.
 *
 * @module
 */

import { bytesOf } from "../../backends/ffi/memory.ts";
import type { ReadRequest } from "./request_queue.ts";

/** The connection of a readable stream. */
interface Source {
  read(request: ReadRequest): void;
  /** Closes the connection, unless it is closed already. */
  close(): void;
}

/** The connection of a writable stream. */
interface Sink {
  /** Returns how many bytes were taken, at once or later. */
  write(bytes: Uint8Array<ArrayBuffer>): number | Promise<number>;
  /** Closes the connection, unless it is closed already. */
  close(): void;
}

/**
 * Memory for reads without memory of their own. All connections of a thread share
 * it, because the bytes are copied out before anything else runs.
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
  const buffer = received ??= new Uint8Array(new ArrayBuffer(RECEIVED_BYTES));
  let stream: ReadableByteStreamController;
  // One read at a time, because its answer asks for the next one.
  let reading = false;
  const reject = (error: unknown): void => {
    source.close();
    stream.error(error);
  };
  const end = (): void => {
    source.close();
    stream.close();
    stream.byobRequest?.respond(0);
  };
  const request: ReadRequest = {
    buffer,
    length: buffer.length,
    resolve: (count) => {
      reading = false;
      if (count === null) end();
      // Made from a view, the memory is not cleared before it is copied into.
      else stream.enqueue(new Uint8Array(buffer.subarray(0, count)));
    },
    reject,
  };
  return new ReadableStream({
    type: "bytes",
    start(controller): void {
      stream = controller;
    },
    pull(): void {
      if (reading) return;
      reading = true;
      const byob = stream.byobRequest;
      if (byob === null) return source.read(request);
      const { view } = byob;
      source.read({
        buffer: new Uint8Array(
          view!.buffer as ArrayBuffer,
          view!.byteOffset,
          view!.byteLength,
        ),
        length: view!.byteLength,
        resolve: (count) => {
          reading = false;
          if (count === null) end();
          else byob.respond(count);
        },
        reject,
      });
    },
    cancel(): void {
      source.close();
    },
  });
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
    sink.close();
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
    close(): void {
      sink.close();
    },
    abort(): void {
      sink.close();
    },
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
