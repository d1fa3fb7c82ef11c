/**
 * The `sock_*` calls of preview 1.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { EVENT_READ } from "../../backends/selector.ts";
import {
  FDFLAGS_NONBLOCK,
  FILETYPE_SOCKET_DGRAM,
  RIFLAGS_RECV_PEEK,
  RIFLAGS_RECV_WAITALL,
  ROFLAGS_RECV_DATA_TRUNCATED,
  SDFLAGS_RD,
  SDFLAGS_WR,
} from "../../backends/wasi/abi.ts";
import {
  EAGAIN,
  EBADF,
  EINVAL,
  ENOTSOCK,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import { GuestSocket, type Received } from "./guest_socket.ts";
import { remaining, totalLength } from "./iovec.ts";
import { writeStream } from "./streams.ts";
import { retryUntilReady } from "./retry.ts";

/** The calls by name. */
export const SOCKET_CALLS: GuestCalls = {
  sock_accept: accept,
  sock_recv: receive,
  sock_send: send,
  sock_shutdown: shutdown,
};

/** The socket with this number. @throws {Refusal} EBADF, ENOTSOCK */
export function requireSocket({ table }: Guest, fd: number): GuestSocket {
  const entry = table.require(fd);
  if (!(entry instanceof GuestSocket)) throw new Refusal(ENOTSOCK);
  // The host may have closed it.
  if (entry.socket.fd === -1) throw new Refusal(EBADF);
  return entry;
}

/** Accepts one connection. @param flags Those that the connection starts with */
export function accept(
  guest: Guest,
  fd: number,
  flags: number,
  stored: number,
): number | Promise<number> {
  const { memory, table } = guest;
  const listener = requireSocket(guest, fd);
  if (!listener.listening || (flags & ~FDFLAGS_NONBLOCK) !== 0) return EINVAL;
  memory.check(stored, 4);
  return retryUntilReady(guest, listener, EVENT_READ, () => {
    table.requireRoom();
    const connection = listener.accept();
    if (connection === null) return EAGAIN;
    connection.nonblocking = (flags & FDFLAGS_NONBLOCK) !== 0;
    memory.setUint32(stored, table.add(connection));
    return ESUCCESS;
  });
}

function receive(
  guest: Guest,
  fd: number,
  iovecs: number,
  count: number,
  flags: number,
  stored: number,
  storedFlags: number,
): number | Promise<number> {
  const { memory } = guest;
  const socket = requireSocket(guest, fd);
  if ((flags & ~(RIFLAGS_RECV_PEEK | RIFLAGS_RECV_WAITALL)) !== 0) {
    return EINVAL;
  }
  memory.check(stored, 4);
  memory.check(storedFlags, 2);
  const attempt = receiver(guest, socket, iovecs, count, flags);
  return retryUntilReady(guest, socket, EVENT_READ, () => {
    const received = attempt();
    if (received === null) return EAGAIN;
    const cut = received.truncated ? ROFLAGS_RECV_DATA_TRUNCATED : 0;
    memory.setUint32(stored, received.bytes);
    memory.view.setUint16(storedFlags >>> 0, cut, true);
    return ESUCCESS;
  });
}

/** One attempt of `sock_recv`. It returns null if it has to wait for more. */
function receiver(
  { memory }: Guest,
  socket: GuestSocket,
  iovecs: number,
  count: number,
  flags: number,
): () => Received | null {
  if ((flags & RIFLAGS_RECV_PEEK) !== 0) {
    const { MSG_PEEK } = system().constants;
    return () => socket.receive(memory.buffers(iovecs, count), MSG_PEEK);
  }
  // A datagram is whole, as under Linux: no other is added to it.
  const waits = (flags & RIFLAGS_RECV_WAITALL) !== 0 && !socket.nonblocking &&
    socket.filetype !== FILETYPE_SOCKET_DGRAM;
  if (!waits) return () => socket.receive(memory.buffers(iovecs, count), 0);
  let done = 0;
  return () => {
    const buffers = memory.buffers(iovecs, count);
    while (done < totalLength(buffers)) {
      const received = receiveRest(socket, buffers, done);
      if (received === null) return null;
      if (received.bytes === 0) break;
      done += received.bytes;
    }
    return { bytes: done, truncated: false };
  };
}

/** The bytes before an error are returned first. The next call reports the error. */
function receiveRest(
  socket: GuestSocket,
  buffers: readonly Uint8Array<ArrayBuffer>[],
  done: number,
): Received | null {
  try {
    return socket.receive(remaining(buffers, done), 0);
  } catch (error) {
    if (done === 0) throw error;
    socket.keepError(error);
    return { bytes: 0, truncated: false };
  }
}

function send(
  guest: Guest,
  fd: number,
  iovecs: number,
  count: number,
  flags: number,
  stored: number,
): number | Promise<number> {
  const socket = requireSocket(guest, fd);
  // The witx: "as there are currently no flags defined, it must be set to zero".
  if (flags !== 0) return EINVAL;
  return writeStream(guest, socket, iovecs, count, stored);
}

function shutdown(guest: Guest, fd: number, how: number): number {
  const { socket } = requireSocket(guest, fd);
  switch (how) {
    case SDFLAGS_RD:
      socket.shutdown("read");
      return ESUCCESS;
    case SDFLAGS_WR:
      socket.shutdown("write");
      return ESUCCESS;
    case SDFLAGS_RD | SDFLAGS_WR:
      socket.shutdown("both");
      return ESUCCESS;
    default:
      return EINVAL;
  }
}
