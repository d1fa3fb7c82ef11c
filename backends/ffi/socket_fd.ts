/**
 * The descriptors of sockets, as each system creates them: non-blocking,
 * close-on-exec, and without SIGPIPE.
 *
 * @module
 */

import { system } from "./current_system.ts";
import {
  lacking,
  retrying,
  setBlocking,
  setCloseOnExec,
} from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import {
  addressBytes,
  addressLength,
  expectAddress,
} from "./received_address.ts";
import { readFamily } from "./socket_address.ts";
import {
  createWindowsSocket,
  familyOfWindowsSocket,
} from "./windows_socket.ts";
import { winsock } from "./winsock.ts";

/** How a socket carries data: as a stream, or message by message. */
export type SocketType = "stream" | "datagram" | "seqpacket" | "raw";

function typeNumber(type: SocketType): number {
  const { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW } =
    system().constants;
  // Not a table: every object has a "constructor", which would become the number 0.
  switch (type) {
    case "stream":
      return SOCK_STREAM;
    case "datagram":
      return SOCK_DGRAM;
    case "seqpacket":
      return SOCK_SEQPACKET;
    case "raw":
      return SOCK_RAW;
    default:
      throw new TypeError(
        `Cannot use type "${type}": it must be "stream", "datagram", "seqpacket" or "raw"`,
      );
  }
}

/** The type that a number of SOCK_* means. */
export function typeOfNumber(number: number): SocketType | "other" {
  const types = ["stream", "datagram", "seqpacket", "raw"] as const;
  return types.find((type) => typeNumber(type) === number) ?? "other";
}

/** SOCK_NONBLOCK and SOCK_CLOEXEC; 0 where `socket()` takes no flags. */
function creationFlags(): number {
  const { SOCK_NONBLOCK, SOCK_CLOEXEC } = system().constants;
  return (SOCK_NONBLOCK ?? 0) | (SOCK_CLOEXEC ?? 0);
}

/**
 * Sets the flags that `socket()` could not set: O_NONBLOCK, FD_CLOEXEC, SO_NOSIGPIPE.
 */
function complete(fd: number): void {
  const { SOCK_NONBLOCK, SOL_SOCKET, SO_NOSIGPIPE } = system().constants;
  if (SOCK_NONBLOCK === null) {
    setBlocking(fd, false);
    setCloseOnExec(fd);
  }
  if (SO_NOSIGPIPE !== null) {
    // It fails on a connection that is gone already: its next receive reports that.
    libc().setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, Int32Array.of(1), 4);
  }
}

/** socket(2). */
export function createFd(
  family: number,
  type: SocketType,
  protocol: number,
): number {
  if (winsock !== null) return createWindowsFd(family, type, protocol);
  const number = typeNumber(type) | creationFlags();
  const fd = retrying("socket", () => libc().socket(family, number, protocol));
  complete(fd);
  return fd;
}

function createWindowsFd(
  family: number,
  type: SocketType,
  protocol: number,
): number {
  if (type === "seqpacket") throw lacking("seqpacket sockets");
  return createWindowsSocket(family, typeNumber(type), protocol);
}

/**
 * The AF_* number of an open socket.
 *
 * @throws {SystemError} if it is no socket: `ENOTSOCK`, `EBADF`
 */
export function familyOfFd(fd: number): number {
  // Winsock has no address of a socket that is not bound.
  if (winsock !== null) return familyOfWindowsSocket(fd);
  expectAddress();
  const result = libc().getsockname(fd, addressBytes, addressLength);
  if (result < 0) throw systemError("getsockname", -result);
  // Some systems report no address at all for a Unix socket without a name.
  return addressLength[0] === 0
    ? system().constants.AF_UNIX
    : readFamily(addressBytes, system());
}

/** socketpair(2), of the Unix domain. */
export function createPair(type: SocketType): Int32Array<ArrayBuffer> {
  const ends = new Int32Array(new ArrayBuffer(8));
  const { AF_UNIX } = system().constants;
  const number = typeNumber(type) | creationFlags();
  retrying("socketpair", () => libc().socketpair(AF_UNIX, number, 0, ends));
  for (const fd of ends) complete(fd);
  return ends;
}

/**
 * accept4(2): takes one connection off the backlog of a listener, and writes its
 * peer's address into `addressBytes`.
 *
 * @returns the descriptor, or -errno
 */
export function acceptFd(listener: number): number {
  const { accept, accept4 } = libc();
  const flags = creationFlags();
  if (accept4 !== null && flags !== 0) {
    return accept4(listener, addressBytes, addressLength, flags);
  }
  const fd = accept(listener, addressBytes, addressLength);
  if (fd >= 0) complete(fd);
  return fd;
}

let sendFlags = -1;

/**
 * Adds MSG_NOSIGNAL if the system has it: a broken pipe is an error, never a signal.
 *
 * @throws {TypeError} as `checkFlags`
 */
export function quietly(flags: number): number {
  if (sendFlags === -1) sendFlags = system().constants.MSG_NOSIGNAL ?? 0;
  return flags === 0 ? sendFlags : checkFlags(flags) | sendFlags;
}

/**
 * Checks the flags of a message. To combine an object with flags converts it, which
 * could transfer memory away whose address is taken already.
 *
 * @throws {TypeError} if they are no whole number of 32 bits
 */
export function checkFlags(flags: number): number {
  if (typeof flags === "number" && flags === (flags | 0)) return flags;
  throw new TypeError(`Cannot use ${String(flags)} as flags of a message`);
}
