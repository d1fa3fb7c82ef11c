/**
 * Memory that a library owns, by its address: texts and structs that a call returns.
 *
 * It is copied by memcpy(3), which `--allow-ffi` with the path of the C library
 * permits. `Deno.UnsafePointerView` needs the whole permission.
 *
 * @module
 */

import { libc } from "./libc.ts";

/** Where a library has something: a pointer that a call returned, or an address. */
export type ForeignAddress = Deno.PointerObject | bigint;

const decoder = new TextDecoder();

/**
 * Copies memory that a library owns.
 *
 * @param address Its address, which has to be valid: else the process ends
 * @param length How many bytes
 * @throws {TypeError} if the address is null
 * @throws {RangeError} if the length is not a whole number below 2^31
 *
 * @example The fields of a struct
 * ```ts
 * import { addressOf, bytesAt } from "@pollux/reactor/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const struct = Int32Array.of(1, 2);
 * const copy = new DataView(bytesAt(addressOf(struct), 8).buffer);
 * assertEquals(copy.getInt32(4, true), 2);
 * ```
 */
export function bytesAt(
  address: ForeignAddress,
  length: number,
): Uint8Array<ArrayBuffer> {
  requireAddress(address);
  if (!Number.isInteger(length) || length < 0 || length > 0x7fff_ffff) {
    throw new RangeError(`Cannot copy ${length} bytes`);
  }
  const bytes = new Uint8Array(new ArrayBuffer(length));
  if (typeof address === "bigint") {
    libc().memcpyFromAddress(bytes, address, length);
  } else {
    libc().memcpyFrom(bytes, address, length);
  }
  return bytes;
}

/**
 * Returns a text that a library owns: UTF-8 up to a NUL.
 *
 * @param address Its address, which has to be valid: else the process ends
 * @throws {TypeError} if the address is null
 *
 * @example
 * ```ts
 * import { addressOf, cString, textAt } from "@pollux/reactor/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * const text = cString("zwölf");
 * assertEquals(textAt(addressOf(text)), "zwölf");
 * ```
 */
export function textAt(address: ForeignAddress): string {
  requireAddress(address);
  const length = typeof address === "bigint"
    ? libc().strlen(address)
    : libc().strlenFrom(address);
  return decoder.decode(bytesAt(address, length));
}

/** Many functions return null for "nothing". */
function requireAddress(address: ForeignAddress | null): void {
  if (address === null || address === 0n) {
    throw new TypeError("Cannot read memory at a null pointer");
  }
}
