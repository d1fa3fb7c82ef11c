/**
 * The file system, as far as Unix sockets leave traces in it.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { close } from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { libc, open } from "./libc.ts";
import { Socket } from "./socket.ts";

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${path}\0`);
}

/**
 * Whether a path is a socket that nobody listens on: opening a socket is ENXIO,
 * and a connect to one without a listener is refused. A file that is no socket
 * is refused too, but it opens.
 */
export function isStaleSocket(path: string): boolean {
  if (path.startsWith("\0")) return false;
  const { O_NONBLOCK, O_CLOEXEC } = system().constants;
  const { ENXIO, EOPNOTSUPP } = system().errno;
  const fd = open(bytesOf(path), O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    return false;
  }
  // ENXIO on Linux, EOPNOTSUPP on the BSDs and macOS.
  if (-fd !== ENXIO && -fd !== EOPNOTSUPP) return false;
  // A datagram socket disturbs nobody: a stream listener refuses its type.
  using probe = Socket.create("unix", "datagram");
  try {
    probe.connect({ path });
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

/**
 * Removes a path, as unlink(2) does.
 *
 * @throws {SystemError} `Deno.errors.NotFound` and others
 */
export function unlink(path: string): void {
  const result = libc().unlink(bytesOf(path));
  if (result < 0) throw systemError("unlink", -result, path);
}
