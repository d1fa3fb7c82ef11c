/**
 * The user of the process at the other end of a Unix socket.
 *
 * @module
 */

import { bindCalls } from "../../backends/ffi/calls.ts";
import type { Socket } from "../../backends/ffi/socket.ts";

/**
 * Checks that the peer is of the same user, or of root. An abstract name has no
 * permissions of its own, and those of a path depend on the umask.
 *
 * @throws {Deno.errors.PermissionDenied} otherwise
 */
export function checkSameUser(socket: Socket): void {
  const uid = peerUser(socket);
  if (uid === null || uid === 0 || uid === ownUser()) return;
  throw new Deno.errors.PermissionDenied(
    `Cannot exchange sockets with a process of user ${uid}`,
  );
}

/** The user of the peer; null if this system does not report it. */
function peerUser(socket: Socket): number | null {
  try {
    return socket.peerCredentials.uid;
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return null;
    throw error;
  }
}

function ownUser(): number {
  // uid_t geteuid(void)
  using c = bindCalls({ geteuid: { parameters: [], result: "u32" } });
  return c.geteuid();
}
