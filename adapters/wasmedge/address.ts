/**
 * Addresses as WasmEdge's socket calls pass them.
 *
 * The first variant has 4 bytes for IPv4 or 16 for IPv6. The second always has 128:
 * the family, then the address. A call passes a pointer to a pointer and a length;
 * the length distinguishes the variants. The port is an argument of its own.
 *
 * Sources: WasmEdge `lib/host/wasi/wasifunc.cpp` and `thirdparty/wasi/api.hpp`;
 * wasi-go `imports/wasi_snapshot_preview1/wasmedge.go`.
 *
 * @module
 */

import {
  formatIPv4,
  formatIPv6,
  parseIPv4,
  parseIPv6,
} from "../../backends/ffi/ip_address.ts";
import type { SocketAddress } from "../../backends/ffi/mod.ts";
import { EINVAL, Refusal } from "../../backends/wasi/errno.ts";
import type { GuestMemory } from "../wasi/memory.ts";

// __wasi_address_family_t of WasmEdge's api.hpp
export const ADDRESS_FAMILY_INET4 = 1;
export const ADDRESS_FAMILY_INET6 = 2;
export const ADDRESS_FAMILY_AF_UNIX = 3;

/** The length of an address in the second variant. */
const WIDE_BYTES = 128;

/** Reads an address. @throws {Refusal} EINVAL if it is malformed, EFAULT */
export function readAddress(
  memory: GuestMemory,
  pointer: number,
  port: number,
): SocketAddress {
  const bytes = addressBytes(memory, pointer);
  if (bytes.length !== WIDE_BYTES) return narrowAddress(bytes, port);
  const family = bytes[0]! | bytes[1]! << 8;
  switch (family) {
    case ADDRESS_FAMILY_INET4:
      return narrowAddress(bytes.subarray(2, 6), port);
    case ADDRESS_FAMILY_INET6:
      return narrowAddress(bytes.subarray(2, 18), port);
    case ADDRESS_FAMILY_AF_UNIX:
      return { path: readPath(bytes.subarray(2)) };
    default:
      throw new Refusal(EINVAL);
  }
}

/**
 * Writes an address into the buffer of the guest.
 *
 * @returns its port: 0 for a Unix socket
 * @throws {Refusal} EINVAL if the buffer is too short, EFAULT
 */
export function writeAddress(
  memory: GuestMemory,
  pointer: number,
  address: SocketAddress,
): number {
  const room = addressBytes(memory, pointer);
  const wide = room.length === WIDE_BYTES;
  const { family, bytes } = encoded(address);
  if (wide) {
    room.fill(0);
    room[0] = family;
  }
  const target = wide ? room.subarray(2) : room;
  if (bytes.length > target.length) throw new Refusal(EINVAL);
  target.set(bytes);
  return "path" in address ? 0 : address.port;
}

/** The IP version that the first variant stores with an address: 4 or 6. */
export function addressVersion(address: SocketAddress): number {
  return !("path" in address) && address.hostname.includes(":") ? 6 : 4;
}

function addressBytes(
  memory: GuestMemory,
  pointer: number,
): Uint8Array<ArrayBuffer> {
  memory.check(pointer, 8);
  const { view } = memory;
  const start = view.getUint32(pointer >>> 0, true);
  return memory.bytes(start, view.getUint32((pointer >>> 0) + 4, true));
}

function narrowAddress(bytes: Uint8Array, port: number): SocketAddress {
  if (port >>> 0 > 0xffff) throw new Refusal(EINVAL);
  if (bytes.length === 4) return { hostname: formatIPv4(bytes), port };
  if (bytes.length === 16) return { hostname: formatIPv6(bytes), port };
  throw new Refusal(EINVAL);
}

function readPath(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  // Without a NUL the path may be cut off; an empty one names no file.
  if (end < 1) throw new Refusal(EINVAL);
  return new TextDecoder().decode(bytes.slice(0, end));
}

function encoded(
  address: SocketAddress,
): { family: number; bytes: Uint8Array } {
  if ("path" in address) {
    const bytes = new TextEncoder().encode(`${address.path}\0`);
    return { family: ADDRESS_FAMILY_AF_UNIX, bytes };
  }
  const four = parseIPv4(address.hostname);
  if (four !== null) return { family: ADDRESS_FAMILY_INET4, bytes: four };
  // WASI addresses have no zone.
  const six = parseIPv6(address.hostname.replace(/%.*$/, ""))!;
  return { family: ADDRESS_FAMILY_INET6, bytes: six };
}
