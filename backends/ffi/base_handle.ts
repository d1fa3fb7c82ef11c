/**
 * The socket below all layers. A layered service provider may hand out handles of its
 * own, which AFD does not know.
 *
 * Source: `<mswsock.h>`; "SIO_BASE_HANDLE" in the Winsock reference.
 *
 * @module
 */

import { winsock } from "./winsock.ts";

const SIO_BASE_HANDLE = 0x4800_0022;

/** The same for `WSAPoll`, by providers that hide the one above. */
const SIO_BSP_HANDLE_POLL = 0x4800_001d;

/** WSAENOTSOCK: closed, or not a socket. */
const WSAENOTSOCK = 10038;

const handle = new Uint32Array(new ArrayBuffer(8));
const length = new Uint32Array(new ArrayBuffer(4));

/** Returns the handle that AFD knows a socket by, or -errno. */
export function baseHandle(fd: number): number {
  const result = ask(fd, SIO_BASE_HANDLE);
  if (result >= 0 || result === -WSAENOTSOCK) return result;
  const other = ask(fd, SIO_BSP_HANDLE_POLL);
  return other >= 0 ? other : result;
}

function ask(fd: number, code: number): number {
  const result = winsock!.WSAIoctl(
    fd,
    code,
    null,
    0,
    handle,
    handle.byteLength,
    length,
    null,
    null,
  );
  return result < 0 ? result : handle[0]!;
}
