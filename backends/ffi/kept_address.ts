/**
 * Addresses that are kept in case that somebody asks: of every connection, and
 * most are never asked for.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { decodeAddress, type SocketAddress } from "./socket_address.ts";

/**
 * An address in little memory: of IPv4 its 32 bits and the port's 16 as one number,
 * which takes 16 bytes where an object with a text takes 150, else the bytes of its
 * `struct sockaddr`.
 */
export type KeptAddress = number | Uint8Array<ArrayBuffer>;

/** The unnamed client's, of which there are many. */
const UNNAMED: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Keeps an address, as the system has written it. */
export function keepAddress(
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
  family: number,
): KeptAddress {
  const { AF_INET, AF_INET6 } = system().constants;
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
    return decodeAddress(kept, kept.length, system());
  }
  const address = Math.floor(kept / 0x10000);
  const numbers = [24, 16, 8, 0].map((shift) => address >>> shift & 0xff);
  return { hostname: numbers.join("."), port: kept % 0x10000 };
}
