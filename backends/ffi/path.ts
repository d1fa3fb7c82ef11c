/**
 * The traces of Unix sockets in the file system.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { close } from "./descriptor.ts";
import { isSystemError } from "./errors.ts";
import { statusAt } from "./file_status.ts";
import { libc, open } from "./libc.ts";
import { Socket } from "./socket.ts";
import { fileType, S_IFLNK } from "./structs/stat.ts";
import type { SocketType } from "./socket_fd.ts";
import { encodePath } from "./unix_path.ts";
import { identityOfFile, removeFile } from "./windows_file.ts";
import { winsock } from "./winsock.ts";

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return encodePath(`${path}\0`);
}

/** The identity of a file: another file has another device or another number there. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * Returns the identity of the file at a path; a link is a file of its own.
 *
 * @returns null if there is none, or if it cannot be examined
 */
export function identityOf(path: string): FileIdentity | null {
  if (path === "" || path.startsWith("\0")) return null;
  if (winsock !== null) return identityOfFile(winsock, path);
  try {
    return statusAt(system().currentDirectory, bytesOf(path));
  } catch (error) {
    if (isSystemError(error)) return null;
    throw error;
  }
}

/** Whether a path is a symbolic link. */
export function isLink(path: string): boolean {
  try {
    const { mode } = statusAt(system().currentDirectory, bytesOf(path));
    return fileType(mode) === S_IFLNK;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/**
 * Removes a path if it still leads to this file, and not to the file of a later
 * owner.
 *
 * @returns whether it was removed
 */
export function unlinkOwn(path: string, identity: FileIdentity): boolean {
  const found = identityOf(path);
  return found?.device === identity.device &&
    found.inode === identity.inode && unlink(path);
}

function unlink(path: string): boolean {
  return winsock === null
    ? libc().unlink(bytesOf(path)) >= 0
    : removeFile(winsock, path);
}

/**
 * Whether a path is a socket without a listener: opening a socket is ENXIO, and a
 * connect without a listener is refused. A connect to a file that is no socket is
 * refused too, but it opens.
 */
export function isStaleSocket(path: string): boolean {
  if (path.startsWith("\0")) return false;
  if (winsock !== null) return refusesConnection(path, "stream");
  const { O_NONBLOCK, O_NOCTTY, O_CLOEXEC } = system().constants;
  const { ENXIO, EOPNOTSUPP } = system().errno;
  const fd = open(bytesOf(path), O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    return false;
  }
  // ENXIO on Linux, EOPNOTSUPP on the BSDs and macOS.
  if (-fd !== ENXIO && -fd !== EOPNOTSUPP) return false;
  // A datagram socket does not disturb a stream listener, which refuses its type.
  return refusesConnection(path, "datagram");
}

/** Windows has stream sockets only, so that a listener there meets the probe. */
function refusesConnection(path: string, type: SocketType): boolean {
  using probe = Socket.create("unix", type);
  // A connect on this machine does not wait, except for room in a backlog.
  if (type === "stream") probe.setBlocking(true);
  try {
    probe.connect({ path });
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}
