/**
 * The caller's memory: what counts as bytes, and what of it a call may touch.
 *
 * @module
 */

import { addressOf } from "./libc.ts";

/** The largest number that C's `int` can carry. */
const INT_MAX = 0x7fff_ffff;

/** At the beginning of a page the kernel copies fastest; every system's are as long, or longer. */
const PAGE_BYTES = 4096;

/**
 * Checks the part of a buffer that a call may touch.
 *
 * @returns how much of it the call is given: less than 2^31 bytes, which of a longer
 *   one is a part, as a call takes and gives parts anyway
 * @throws {TypeError} if it is no buffer, or one that was transferred away: to the
 *   kernel it would have no room, and a receive would look like the end of file
 * @throws {RangeError} if `length` is not a whole number within the buffer
 */
export function checkMemory(buffer: BufferSource, length: number): number {
  if (!ArrayBuffer.isView(buffer) && !(buffer instanceof ArrayBuffer)) {
    throw new TypeError(`Cannot use ${kindOf(buffer)}: it must be a buffer`);
  }
  if (buffer.byteLength === 0) checkAttached(buffer);
  if (
    !Number.isInteger(length) || length < 0 || length > buffer.byteLength
  ) {
    throw new RangeError(
      `Cannot use ${length} bytes of a buffer of ${buffer.byteLength}`,
    );
  }
  return Math.min(length, INT_MAX);
}

/**
 * Checks that something can be received into a buffer.
 *
 * @throws {TypeError} as `checkMemory`
 * @throws {RangeError} if it is empty: what is returned then would say "the end", too
 */
export function checkRoom(buffer: BufferSource): void {
  if (buffer instanceof Uint8Array && buffer.length > 0) return;
  checkMemory(buffer, buffer?.byteLength);
  if (buffer.byteLength === 0) {
    throw new RangeError("Cannot receive into a buffer of 0 bytes");
  }
}

/**
 * Checks one of several pieces of memory that are sent with one call.
 *
 * @param skipped How many bytes of it are left out
 * @throws {TypeError} if it is no `Uint8Array`
 * @throws {RangeError} if fewer are in it: they were transferred away, perhaps
 */
export function checkPiece(piece: unknown, skipped: number): void {
  const error = uint8ArrayError(piece, "send");
  if (error !== null) throw error;
  if (!(skipped >= 0 && skipped <= (piece as Uint8Array).length)) {
    throw new RangeError(
      `Cannot leave out ${skipped} bytes of ${(piece as Uint8Array).length}`,
    );
  }
}

/**
 * What is wrong with a value that has to be a `Uint8Array`.
 *
 * @param verb What was to be done with it: "read into" or "write"
 * @returns the error, for a promise to be rejected with; null if it is one
 */
export function uint8ArrayError(
  value: unknown,
  verb: string,
): TypeError | null {
  if (value instanceof Uint8Array) return null;
  return new TypeError(
    `Cannot ${verb} ${kindOf(value)}: it must be a Uint8Array`,
  );
}

/**
 * What is to be sent, as bytes.
 *
 * @param data An `ArrayBuffer`, a `SharedArrayBuffer`, or a view of one
 * @param verb What was to be done with it: "write" or "send"
 * @throws {TypeError} if it is anything else, or was transferred away
 */
export function bytesOf(data: unknown, verb: string): Uint8Array<ArrayBuffer> {
  if (data instanceof Uint8Array && data.length > 0) {
    return data as Uint8Array<ArrayBuffer>;
  }
  if (!isMemory(data)) {
    throw new TypeError(`Cannot ${verb} ${kindOf(data)}: it must be bytes`);
  }
  if (data.byteLength === 0) checkAttached(data);
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  return bytes as Uint8Array<ArrayBuffer>;
}

/**
 * Bytes in memory of their own. Not by `slice()`, which of node's `Buffer` is a view
 * of the same memory, and else clears what it then copies into.
 *
 * @param start How many bytes at the beginning are left out
 */
export function copyOf(
  bytes: Uint8Array<ArrayBuffer>,
  start: number = 0,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(start === 0 ? bytes : bytes.subarray(start));
}

/**
 * Memory that begins with a page.
 *
 * @param length How many bytes, which are 0
 */
export function pageAligned(length: number): Uint8Array<ArrayBuffer> {
  const buffer = new ArrayBuffer(length + PAGE_BYTES);
  const beyond = Number(addressOf(buffer) % BigInt(PAGE_BYTES));
  return new Uint8Array(buffer, (PAGE_BYTES - beyond) % PAGE_BYTES, length);
}

function isMemory(value: unknown): value is ArrayBufferLike | ArrayBufferView {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== "undefined" &&
      value instanceof SharedArrayBuffer);
}

/** Tells what is empty from what has lost its bytes: one was transferred, or shrunk. */
function checkAttached(memory: ArrayBufferLike | ArrayBufferView): void {
  try {
    // Both refuse memory that is gone: ECMA-262, ValidateTypedArray and ViewOutOfBounds.
    if (memory instanceof DataView) void memory.byteLength;
    else if (ArrayBuffer.isView(memory)) (memory as Uint8Array).keys();
    else new Uint8Array(memory);
  } catch {
    throw new TypeError("Cannot use a buffer that was transferred or shrunk");
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
