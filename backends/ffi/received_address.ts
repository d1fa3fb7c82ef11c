/**
 * Addresses that the kernel wrote. All calls of a thread share the room for them, and
 * a connection keeps its peer's address in a few bytes.
 *
 * @module
 */

import { system } from "./current_system.ts";
import {
  type AnyAddress,
  decodeAddress,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
} from "./socket_address.ts";

/** The kernel writes an address here; the next call overwrites it. */
export const addressBytes: Uint8Array<ArrayBuffer> = new Uint8Array(
  new ArrayBuffer(SOCKADDR_STORAGE_BYTES),
);

/** The same memory in words, which are faster to compare and to copy. */
export const addressWords: Int32Array<ArrayBuffer> = new Int32Array(
  addressBytes.buffer,
);

/** The `socklen_t`: the room before a call, the length of the address after it. */
export const addressLength: Uint32Array<ArrayBuffer> = new Uint32Array(
  new ArrayBuffer(4),
);

/** Offers the whole room to the next call, without the family of an earlier address. */
export function expectAddress(): void {
  addressBytes[0] = addressBytes[1] = 0;
  addressLength[0] = SOCKADDR_STORAGE_BYTES;
}

/** The address that the last call wrote. */
export function receivedAddress(): AnyAddress {
  return decodeAddress(addressBytes, addressLength[0]!, system());
}

/**
 * An address in little memory. IPv4 is one number: the 32 bits of the address, then
 * the 16 of the port. It takes 16 bytes, where an object with a text takes 150. Any
 * other address is the bytes of its `struct sockaddr`.
 */
export type KeptAddress = number | Uint8Array<ArrayBuffer>;

/** Shared, because most clients of Unix sockets have no name. */
const UNNAMED: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Keeps the address that a call wrote, or one that was encoded in its place. */
export function keepAddress(length: number, family: number): KeptAddress {
  const { AF_INET, AF_INET6 } = system().constants;
  const bytes = addressBytes;
  if (family === AF_INET) {
    // struct sockaddr_in: the port from byte 2, the address from byte 4
    const port = bytes[2]! << 8 | bytes[3]!;
    const high = bytes[4]! << 8 | bytes[5]!;
    const low = bytes[6]! << 8 | bytes[7]!;
    return (high * 0x10000 + low) * 0x10000 + port;
  }
  const unnamed = family !== AF_INET6 && length <= 2;
  return unnamed ? UNNAMED : bytes.slice(0, length);
}

/** The address that was kept. */
export function keptAddress(kept: KeptAddress): SocketAddress {
  if (typeof kept !== "number") {
    return decodeAddress(kept, kept.length, system()) as SocketAddress;
  }
  const address = Math.floor(kept / 0x10000);
  const numbers = [24, 16, 8, 0].map((shift) => address >>> shift & 0xff);
  return { hostname: numbers.join("."), port: kept % 0x10000 };
}
