/**
 * The caller's memory: which values are bytes, and how many of them a call may touch.
 *
 * @module
 */

import { addressOf } from "./libc.ts";

/** The largest number that C's `int` can carry. */
const INT_MAX = 0x7fff_ffff;

/**
 * The kernel copies fastest to the start of a page; the pages of every system have
 * this length or more.
 */
const PAGE_BYTES = 4096;

/**
 * Checks the part of a buffer that a call may touch.
 *
 * @returns the length for the call: less than 2^31 bytes. Of a longer buffer that is
 *   a part, as calls take and return parts anyway
 * @throws {TypeError} if it is no buffer, or one that was transferred away. It would
 *   look empty to the kernel, and the result of a receive like end of file
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
 * Checks that a buffer has room for a receive.
 *
 * @throws {TypeError} as `checkMemory`
 * @throws {RangeError} if it is empty: the result would look like end of file
 */
export function checkRoom(buffer: BufferSource): void {
  if (buffer instanceof Uint8Array && buffer.length > 0) return;
  checkMemory(buffer, buffer?.byteLength);
  if (buffer.byteLength === 0) {
    throw new RangeError("Cannot receive into a buffer of 0 bytes");
  }
}

/**
 * Checks one of several pieces of memory that one call sends.
 *
 * @param skipped How many bytes of it are skipped
 * @throws {TypeError} if it is no `Uint8Array`
 * @throws {RangeError} if that is no whole number, or it has fewer bytes, perhaps
 *   because they were transferred away
 */
export function checkPiece(piece: unknown, skipped: number): void {
  const error = uint8ArrayError(piece, "send");
  if (error !== null) throw error;
  const { length } = piece as Uint8Array;
  // An object may be another number in the arithmetic of the caller.
  if (!(Number.isInteger(skipped) && skipped >= 0 && skipped <= length)) {
    throw new RangeError(
      `Cannot skip ${skipped} bytes of ${length}`,
    );
  }
}

/**
 * Returns the error for a value that is no `Uint8Array`.
 *
 * @param verb The operation on it: "read into" or "write"
 * @returns the error, for a promise to be rejected with; null for a `Uint8Array`
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
 * Returns the bytes of memory that is to be sent.
 *
 * @param data An `ArrayBuffer`, a `SharedArrayBuffer`, or a view of one
 * @param verb The operation on it: "write" or "send"
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
 * Copies bytes into memory of their own. It does not use `slice()`, which clears the
 * memory first, and which of node's `Buffer` returns a view of the same memory.
 *
 * @param start How many bytes at the start are skipped
 */
export function copyOf(
  bytes: Uint8Array<ArrayBuffer>,
  start: number = 0,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(start === 0 ? bytes : bytes.subarray(start));
}

/**
 * Allocates memory that starts at a page.
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

/** Distinguishes empty memory from memory that was transferred or shrunk. */
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
