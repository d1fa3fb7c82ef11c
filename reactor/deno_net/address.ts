/**
 * Socket addresses in Deno's form.
 *
 * @module
 */

import type { Socket } from "../../backends/ffi/socket.ts";
import type { SocketAddress } from "../../backends/ffi/socket_address.ts";

/**
 * A socket's address as Deno has it. The path of a Unix socket without a name is null
 * there, against the type `Deno.UnixAddr`.
 */
export function denoAddr(
  address: SocketAddress,
): Deno.NetAddr | Deno.UnixAddr {
  if ("path" in address) {
    const path = address.path === "" ? null : address.path;
    return { transport: "unix", path: path as string };
  }
  const { hostname, port } = address;
  return { transport: "tcp", hostname, port };
}

/** The address of a socket's own side; undefined if it was closed by other means. */
export function localAddrOf(
  socket: Socket,
): Deno.NetAddr | Deno.UnixAddr | undefined {
  try {
    return denoAddr(socket.localAddress);
  } catch {
    return undefined;
  }
}
