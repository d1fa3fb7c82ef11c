/**
 * Sockets as Winsock has them: their creation, their flags, their copies.
 *
 * Sources: the Windows Sockets 2 reference; `<winsock2.h>`, `<mswsock.h>`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import { type Winsock, winsock } from "./winsock.ts";

/** `<winsock2.h>` */
const WSA_FLAG_OVERLAPPED = 0x01;
const WSA_FLAG_NO_HANDLE_INHERIT = 0x80;
const FIONBIO = 0x8004667e;
const SO_PROTOCOL_INFOW = 0x2005;
const FROM_PROTOCOL_INFO = -1;

/** `<mswsock.h>` */
const SIO_UDP_CONNRESET = 0x9800000c;

/** `<winbase.h>` */
const HANDLE_FLAG_INHERIT = 1;

/** WSAPROTOCOL_INFOW: its size, and the offset of iAddressFamily. */
const PROTOCOL_INFO_BYTES = 628;
const PROTOCOL_INFO_FAMILY = 76;

const FLAGS = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;

/**
 * Creates a socket: non-blocking, and not inherited by child processes.
 *
 * @throws {SystemError} if there is no such socket, or no handle left
 */
export function createWindowsSocket(
  family: number,
  type: number,
  protocol: number,
): number {
  const { WSASocketW } = winsock!;
  const socket = WSASocketW(family, type, protocol, null, 0, FLAGS);
  if (socket < 0) throw systemError("socket", -socket);
  setSocketBlocking(winsock!, socket, false);
  if (family === system().constants.AF_INET6) allowIPv4(socket);
  if (type === system().constants.SOCK_DGRAM) ignoreUnreachable(socket);
  return socket;
}

/** Lets a socket of IPv6 reach mapped addresses of IPv4, as on other systems. */
function allowIPv4(socket: number): void {
  const { IPPROTO_IPV6, IPV6_V6ONLY } = system().constants;
  const off = Int32Array.of(0);
  libc().setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, off, 4);
}

/**
 * Keeps an ICMP message about an earlier datagram from failing the next receive, which
 * has nothing to do with it. A connected socket of POSIX reports it; one of Windows
 * reports it of any peer.
 */
function ignoreUnreachable(socket: number): void {
  const [off, written] = [Uint32Array.of(0), Uint32Array.of(0)];
  // It fails where the protocol is not UDP.
  winsock!.WSAIoctl(
    socket,
    SIO_UDP_CONNRESET,
    off,
    4,
    null,
    0,
    written,
    null,
    null,
  );
}

/**
 * Makes a socket blocking or non-blocking. Winsock cannot be asked which it is.
 *
 * @throws {SystemError} if the number is no open socket
 */
export function setSocketBlocking(
  { ioctlsocket }: Winsock,
  socket: number,
  blocking: boolean,
): void {
  const result = ioctlsocket(
    socket,
    FIONBIO,
    Uint32Array.of(blocking ? 0 : 1),
  );
  if (result < 0) throw systemError("ioctlsocket", -result);
}

/** Keeps a handle out of child processes. */
export function setNotInherited(
  { SetHandleInformation }: Winsock,
  handle: number,
): void {
  SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0);
}

/** Whether a number is an open socket. A handle of another kind is none. */
export function isOpenSocket(fd: number): boolean {
  const { SOL_SOCKET, SO_TYPE } = system().constants;
  const [type, length] = [Int32Array.of(0), Uint32Array.of(4)];
  return libc().getsockopt(fd, SOL_SOCKET, SO_TYPE, type, length) >= 0;
}

/**
 * The AF_* number of a socket, which need not be bound.
 *
 * @throws {SystemError} if the number is no open socket
 */
export function familyOfWindowsSocket(socket: number): number {
  const information = new Uint8Array(new ArrayBuffer(PROTOCOL_INFO_BYTES));
  const result = libc().getsockopt(
    socket,
    system().constants.SOL_SOCKET,
    SO_PROTOCOL_INFOW,
    information,
    Uint32Array.of(PROTOCOL_INFO_BYTES),
  );
  if (result < 0) throw systemError("getsockopt", -result);
  return new DataView(information.buffer).getInt32(PROTOCOL_INFO_FAMILY, true);
}

/**
 * Another number for the same socket.
 *
 * @throws {SystemError} if the number is no open socket, or there is no handle left
 */
export function duplicateSocket(
  { WSADuplicateSocketW, WSASocketW }: Winsock,
  socket: number,
): number {
  const information = new Uint8Array(new ArrayBuffer(PROTOCOL_INFO_BYTES));
  const result = WSADuplicateSocketW(socket, Deno.pid, information);
  if (result < 0) throw systemError("WSADuplicateSocket", -result);
  const copy = WSASocketW(
    FROM_PROTOCOL_INFO,
    FROM_PROTOCOL_INFO,
    FROM_PROTOCOL_INFO,
    information,
    0,
    FLAGS,
  );
  if (copy < 0) throw systemError("WSASocket", -copy);
  return copy;
}

/**
 * Replaces the address of a connect that is 0.0.0.0 or ::, which Winsock refuses, by
 * that of loopback. Other systems connect to loopback then.
 *
 * @param bytes A `struct sockaddr`
 */
export function replaceUnspecified(bytes: Uint8Array<ArrayBuffer>): void {
  const { AF_INET, AF_INET6 } = system().constants;
  const family = bytes[0]! | bytes[1]! << 8;
  if (family === AF_INET && isZero(bytes, 4, 8)) bytes.set([127, 0, 0, 1], 4);
  if (family === AF_INET6 && isZero(bytes, 8, 24)) bytes[23] = 1;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes.subarray(start, end).every((byte) => byte === 0);
}
