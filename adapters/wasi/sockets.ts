/**
 * The `sock_*` calls of preview 1.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { EVENT_READ } from "../../backends/selector.ts";
import {
  FDFLAGS_NONBLOCK,
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
import type { FdTable } from "./fd_table.ts";
import type { Guest, GuestCalls } from "./guest.ts";
import type { GuestDescriptor } from "./guest_file.ts";
import { GuestSocket } from "./guest_socket.ts";
import type { Patience } from "./patience.ts";
import { rest, totalLength } from "./pieces.ts";
import { writeAll } from "./streams.ts";

/** The socket behind a number. @throws {Refusal} EBADF, ENOTSOCK */
export function requireSocket(
  table: FdTable<GuestDescriptor>,
  fd: number,
): GuestSocket {
  const entry = table.require(fd);
  if (!(entry instanceof GuestSocket)) throw new Refusal(ENOTSOCK);
  // Its owner may have closed it under the guest's hands.
  if (entry.socket.fd === -1) throw new Refusal(EBADF);
  return entry;
}

/** The calls of a guest on its sockets. */
export function socketCalls(guest: Guest, patience: Patience): GuestCalls {
  const { memory, table } = guest;
  return {
    sock_accept: (fd: number, flags: number, stored: number) =>
      accept(guest, patience, fd, flags, stored),

    sock_recv(
      fd: number,
      iovecs: number,
      count: number,
      flags: number,
      stored: number,
      storedFlags: number,
    ): number | Promise<number> {
      const socket = requireSocket(table, fd);
      if ((flags & ~(RIFLAGS_RECV_PEEK | RIFLAGS_RECV_WAITALL)) !== 0) {
        return EINVAL;
      }
      memory.check(stored, 4);
      memory.check(storedFlags, 2);
      const attempt = receiver(guest, socket, iovecs, count, flags);
      return patience.persist(socket, EVENT_READ, () => {
        const received = attempt();
        if (received === null) return EAGAIN;
        memory.setUint32(stored, received.bytes);
        memory.view.setUint16(
          storedFlags >>> 0,
          received.truncated ? ROFLAGS_RECV_DATA_TRUNCATED : 0,
          true,
        );
        return ESUCCESS;
      });
    },

    sock_send(
      fd: number,
      iovecs: number,
      count: number,
      flags: number,
      stored: number,
    ): number | Promise<number> {
      const socket = requireSocket(table, fd);
      // The witx: "as there are currently no flags defined, it must be set to zero".
      if (flags !== 0) return EINVAL;
      return writeAll(guest, patience, socket, iovecs, count, stored);
    },

    sock_shutdown(fd: number, how: number): number {
      const { socket } = requireSocket(table, fd);
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
    },
  };
}

/** Takes one connection; `flags` are those that it begins with. */
export function accept(
  { memory, table }: Guest,
  patience: Patience,
  fd: number,
  flags: number,
  stored: number,
): number | Promise<number> {
  const listener = requireSocket(table, fd);
  if (!listener.listening || (flags & ~FDFLAGS_NONBLOCK) !== 0) return EINVAL;
  memory.check(stored, 4);
  return patience.persist(listener, EVENT_READ, () => {
    table.requireRoom();
    const connection = listener.accept();
    if (connection === null) return EAGAIN;
    connection.nonblocking = (flags & FDFLAGS_NONBLOCK) !== 0;
    memory.setUint32(stored, table.add(connection));
    return ESUCCESS;
  });
}

interface Result {
  readonly bytes: number;
  readonly truncated: boolean;
}

/** One attempt to receive what `sock_recv` asks for: null if it has to wait for more. */
function receiver(
  { memory }: Guest,
  socket: GuestSocket,
  iovecs: number,
  count: number,
  flags: number,
): () => Result | null {
  if ((flags & RIFLAGS_RECV_PEEK) !== 0) {
    const { MSG_PEEK } = system().constants;
    return () => socket.receive(memory.iovecs(iovecs, count), MSG_PEEK);
  }
  if ((flags & RIFLAGS_RECV_WAITALL) === 0 || socket.nonblocking) {
    return () => socket.receive(memory.iovecs(iovecs, count), 0);
  }
  let done = 0;
  return () => {
    const pieces = memory.iovecs(iovecs, count);
    while (done < totalLength(pieces)) {
      const received = socket.receive(rest(pieces, done), 0);
      if (received === null) return null;
      if (received.bytes === 0) break;
      done += received.bytes;
    }
    return { bytes: done, truncated: false };
  };
}
