/**
 * Addresses as Node has them.
 *
 * @module
 */

import type { SocketAddress } from "../../backends/ffi/socket_address.ts";

/** An address of IPv4 or IPv6, as `net.Socket.address()` returns it. */
export interface NodeAddress {
  /** The numeric address. */
  readonly address: string;
  /** "IPv4" or "IPv6". */
  readonly family: string;
  /** The port. */
  readonly port: number;
}

/** Converts an address; null for that of a Unix socket, of which Node has none. */
export function nodeAddress(address: SocketAddress): NodeAddress | null {
  if (!("port" in address)) return null;
  const { hostname, port } = address;
  const family = hostname.includes(":") ? "IPv6" : "IPv4";
  return { address: hostname, family, port };
}
