/**
 * One accept, and the meaning of its failures.
 *
 * accept(2) reports errors of four kinds through one number. A listener that treats
 * them alike either ends because of one client, or spins.
 *
 * **One connection failed.** The kernel took it off the backlog, and the next accept
 * meets the next connection, so it is tried at once.
 *
 * | errno | cause |
 * | --- | --- |
 * | `ECONNABORTED` | POSIX: the client reset the connection while it was in the backlog. The BSDs and illumos report it; Linux hands out the socket, whose first read fails |
 * | `EPROTO` | POSIX: a protocol error; SVR4 has it for a client that disconnected (UNIX Network Programming, section 5.11) |
 * | `ECONNRESET` | the same from kernels that report the reset by its own name |
 * | `EPERM` | Linux: a firewall rule forbids the connection |
 * | `ENETDOWN`, `ENETUNREACH`, `EHOSTDOWN`, `EHOSTUNREACH`, `ENONET`, `ENOPROTOOPT`, `EOPNOTSUPP` | Linux passes errors that are pending on the new socket as errors of accept(); its page says to treat them like `EAGAIN` |
 *
 * A socket that cannot listen fails with `EOPNOTSUPP` each time. So no more than 64
 * failures in a row are skipped: more are not the fault of clients.
 *
 * **A resource is short**: `EMFILE` (of this process), `ENFILE` (of the system),
 * `ENOBUFS` and `ENOMEM` (of the kernel's memory). Linux and FreeBSD allocate the
 * descriptor before they look at the backlog, so the connection stays there. The
 * listener stays readable: a selector returns at once, and a retry fails again. The
 * shortage ends when a descriptor is closed, also by another process, and no event
 * reports that. So accepting pauses.
 *
 * **The listener failed**: `EBADF`, `ENOTSOCK`, `EINVAL`. The descriptor was closed or
 * replaced, or the socket does not listen, as after shutdown(2) on Linux. No later
 * accept can succeed.
 *
 * **Unknown.** A kernel may have more errors, as `EIO` of a security module. They say
 * nothing about the next accept, so they are treated as a shortage. A retry after a
 * pause costs little. A service that ends because of an unforeseen number costs much.
 *
 * `EAGAIN` is no error here: no connection waits. It follows readiness when another
 * process has taken the connection, or when the client left (spurious readiness).
 * `EINTR` is retried in `Socket.accept`.
 *
 * Sources: accept(2) of Linux 6.x ("Error handling"), FreeBSD 14, macOS 14, illumos
 * accept(3SOCKET); POSIX.1-2017 accept(); Linux `net/socket.c`, `do_accept`; FreeBSD
 * `sys/kern/uipc_syscalls.c`, `kern_accept4`.
 *
 * @module
 */

import { isSystemError } from "../backends/ffi/errors.ts";
import type { Socket } from "../backends/ffi/socket.ts";

const CONNECTION_FAILED: ReadonlySet<string> = new Set([
  "ECONNABORTED",
  "EPROTO",
  "ECONNRESET",
  "EPERM",
  "ENETDOWN",
  "ENETUNREACH",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
  "ENOPROTOOPT",
  "EOPNOTSUPP",
]);

const LISTENER_FAILED: ReadonlySet<string> = new Set([
  "EBADF",
  "ENOTSOCK",
  "EINVAL",
]);

/** How many failed connections are skipped in a row. */
const MAXIMUM_SKIPPED = 64;

/**
 * Accepts one connection. Failed connections before it are skipped.
 *
 * @returns null if none waits
 * @throws the error of a shortage, of the listener, or an unknown one
 */
export function acceptNext(listener: Socket): Socket | null {
  for (let skipped = 1;; skipped++) {
    try {
      return listener.accept();
    } catch (error) {
      const skips = isSystemError(error) && CONNECTION_FAILED.has(error.code);
      if (!skips || skipped === MAXIMUM_SKIPPED) throw error;
    }
  }
}

/** Whether no later accept of the listener can succeed. */
export function isListenerFailure(error: unknown): boolean {
  return isSystemError(error) && LISTENER_FAILED.has(error.code);
}

/** Whether the number of the listener may belong to another file by now. */
export function isNumberLost(error: unknown): boolean {
  return isSystemError(error) && error.code !== "EINVAL";
}
