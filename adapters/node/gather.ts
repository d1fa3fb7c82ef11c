/**
 * From the chunks of a Node stream to bytes for one send.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** A chunk as `Writable._writev()` gets it. */
export interface EncodedChunk {
  /** Bytes, or text that is not encoded yet. */
  readonly chunk: Uint8Array | string;
  /** The encoding of text; "buffer" for bytes. */
  readonly encoding: BufferEncoding;
}

/** Bytes for one call of `Connection.write`. */
export type Gathered = Uint8Array<ArrayBuffer> | Uint8Array<ArrayBuffer>[];

/** The size of the memory into which small chunks are gathered. */
const SCRATCH_BYTES = 64 * 1024;

/** The most bytes of one unit of UTF-16 in any encoding. */
const BYTES_PER_UNIT = 3;

/** One for all connections: a connection copies bytes that it has to keep. */
let scratch: Buffer<ArrayBuffer> | undefined;

/** The bytes of a chunk, which are valid until the next call. */
export function encoded(
  chunk: Uint8Array | string,
  encoding: BufferEncoding,
): Uint8Array<ArrayBuffer> {
  if (typeof chunk !== "string") return chunk as Uint8Array<ArrayBuffer>;
  if (chunk.length * BYTES_PER_UNIT > SCRATCH_BYTES) {
    return Buffer.from(chunk, encoding);
  }
  scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  return scratch.subarray(0, scratch.write(chunk, 0, encoding));
}

/**
 * The bytes of several chunks: one piece if they are small together, because one
 * send(2) of a copy is faster than a gathering call. It is valid until the next call.
 */
export function gathered(chunks: readonly EncodedChunk[]): Gathered {
  let most = 0;
  for (const { chunk } of chunks) {
    most += typeof chunk === "string"
      ? chunk.length * BYTES_PER_UNIT
      : chunk.length;
  }
  if (most > SCRATCH_BYTES) return chunks.map(bytes);
  const memory = scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  let end = 0;
  for (const { chunk, encoding } of chunks) {
    if (typeof chunk === "string") end += memory.write(chunk, end, encoding);
    else {
      memory.set(chunk, end);
      end += chunk.length;
    }
  }
  return memory.subarray(0, end);
}

function bytes({ chunk, encoding }: EncodedChunk): Uint8Array<ArrayBuffer> {
  return typeof chunk === "string"
    ? Buffer.from(chunk, encoding)
    : chunk as Uint8Array<ArrayBuffer>;
}
