/**
 * The address of a peer, which outlives the peer.
 *
 * @module
 */

import { keptPeer, type Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";

/**
 * The address of the peer, also if the peer is gone or the socket closed.
 *
 * @throws {SystemError} `Deno.errors.NotConnected` if it never had a peer
 */
export function peerAddress(socket: Socket): SocketAddress {
  try {
    return socket.remoteAddress;
  } catch (error) {
    const kept = keptPeer(socket);
    if (kept === null) throw error;
    return kept;
  }
}
