/**
 * The bytes that programs write.
 *
 * @module
 */

import { bytesOf } from "../backends/ffi/memory.ts";

/** Text, which is sent as UTF-8, or bytes in a buffer or a view of one. */
export type Chunk = string | ArrayBufferLike | ArrayBufferView;

const encoder = new TextEncoder();

/**
 * The bytes of a chunk.
 *
 * @throws {TypeError} if it is anything else, or its buffer was transferred away
 */
export function chunkBytes(chunk: unknown): Uint8Array<ArrayBuffer> {
  return typeof chunk === "string"
    ? encoder.encode(chunk)
    : bytesOf(chunk, "write");
}
