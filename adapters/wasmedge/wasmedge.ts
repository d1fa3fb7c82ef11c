/**
 * WasmEdge's socket calls, with which a program opens sockets of its own.
 *
 * They are imported from preview 1 although they are none of its calls, in two
 * variants that only the number of arguments tells apart.
 *
 * Sources: WasmEdge `lib/host/wasi/wasimodule.cpp` and `wasifunc.cpp`;
 * `wasmedge_wasi_socket/src/socket.rs`; wasi-go
 * `imports/wasi_snapshot_preview1/wasmedge.go`, where the variants are listed.
 *
 * @module
 */

import {
  Socket,
  type SocketAddress,
  type SocketOptions,
} from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import {
  FILETYPE_SOCKET_DGRAM,
  FILETYPE_SOCKET_STREAM,
  RIFLAGS_RECV_PEEK,
  ROFLAGS_RECV_DATA_TRUNCATED,
} from "../../backends/wasi/abi.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { domainOf } from "../../backends/ffi/socket_address.ts";
import {
  EAGAIN,
  EINVAL,
  ERRNO,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import type { Guest, GuestCalls } from "../wasi/guest.ts";
import { GuestSocket } from "../wasi/guest_socket.ts";
import type { Patience } from "../wasi/patience.ts";
import { gather, scatter, scratchBuffer, totalLength } from "../wasi/pieces.ts";
import type { Reach } from "./reach.ts";
import { accept, requireSocket } from "../wasi/sockets.ts";
import {
  ADDRESS_FAMILY_AF_UNIX,
  ADDRESS_FAMILY_INET4,
  ADDRESS_FAMILY_INET6,
  addressVersion,
  readAddress,
  writeAddress,
} from "./wasmedge_address.ts";
import { getAddressInfo } from "./wasmedge_addrinfo.ts";

/** What a program may do with WasmEdge's socket calls. */
export interface WasmEdgeOptions {
  /**
   * The addresses that it may listen at, connect to and send to: "127.0.0.1:8001",
   * "[::1]:8001", "127.0.0.1" for all ports, or the absolute path of a Unix socket.
   * What is not listed is EACCES, as is a path once a link is in its place, or another
   * directory in that of its own.
   */
  readonly reach: readonly string[];
}

const DOMAINS = {
  [ADDRESS_FAMILY_INET4]: "IPv4",
  [ADDRESS_FAMILY_INET6]: "IPv6",
  [ADDRESS_FAMILY_AF_UNIX]: "unix",
} as const;

/** `__wasi_sock_type_t` of WasmEdge's api.hpp. */
const TYPES = { 1: "datagram", 2: "stream" } as const;

/** `__wasi_sock_opt_level_t` of WasmEdge's api.hpp. */
const LEVEL_SOCKET = 0;
const LEVEL_TCP = 6;

/** `__wasi_sock_opt_so_t` of WasmEdge's api.hpp, those that are a number or a flag. */
const OPTIONS: Readonly<Record<number, keyof SocketOptions>> = {
  0: "reuseAddress",
  4: "broadcast",
  5: "sendBufferSize",
  6: "receiveBufferSize",
  7: "keepAlive",
  8: "outOfBandInline",
  13: "acceptsConnections",
};
const OPTION_TYPE = 1;
const OPTION_ERROR = 2;
const OPTION_TCP_NODELAY = 15;

/** The calls of a guest. */
export function wasmEdgeCalls(
  guest: Guest,
  patience: Patience,
  reach: Reach,
): GuestCalls {
  const { memory, table } = guest;
  /** Those that may listen: the system would bind any other to all addresses. */
  const bound = new WeakSet<GuestSocket>();

  /** An address that the guest may reach. @throws {Refusal} EACCES if it may not */
  function reachable(pointer: number, port: number): SocketAddress {
    const address = readAddress(memory, pointer, port);
    if (!reach.has(address)) throw new Refusal(ERRNO.EACCES);
    return address;
  }

  return {
    sock_open(family: number, type: number, stored: number): number {
      const domain = DOMAINS[family as keyof typeof DOMAINS];
      const kind = TYPES[type as keyof typeof TYPES];
      if (domain === undefined || kind === undefined) return EINVAL;
      memory.check(stored, 4);
      const filetype = kind === "stream"
        ? FILETYPE_SOCKET_STREAM
        : FILETYPE_SOCKET_DGRAM;
      table.requireRoom();
      const socket = Socket.create(domain, kind);
      const entry = new GuestSocket(socket, filetype, false);
      memory.setUint32(stored, table.add(entry));
      return ESUCCESS;
    },

    sock_bind(fd: number, address: number, port: number): number {
      const entry = requireSocket(table, fd);
      entry.socket.bind(inDomain(entry, reachable(address, port)));
      bound.add(entry);
      return ESUCCESS;
    },

    sock_listen(fd: number, backlog: number): number {
      const entry = requireSocket(table, fd);
      if (!bound.has(entry)) return ERRNO.EACCES;
      entry.socket.listen(Math.max(backlog, 0));
      entry.listening = true;
      return ESUCCESS;
    },

    sock_connect(
      fd: number,
      address: number,
      port: number,
    ): number | Promise<number> {
      const entry = requireSocket(table, fd);
      const peer = inDomain(entry, reachable(address, port));
      if (entry.socket.connect(peer)) return ESUCCESS;
      if (entry.nonblocking) return ERRNO.EINPROGRESS;
      let waited = false;
      return patience.persist(entry, EVENT_WRITE, () => {
        if (!waited) {
          waited = true;
          return EAGAIN;
        }
        return entry.takeError();
      });
    },

    // (fd, stored), or as in preview 1 (fd, flags, stored)
    sock_accept: (fd: number, ...rest: [number] | [number, number]) =>
      rest.length === 1
        ? accept(guest, patience, fd, 0, rest[0])
        : accept(guest, patience, fd, rest[0], rest[1]),

    sock_send_to(
      fd: number,
      iovecs: number,
      count: number,
      address: number,
      port: number,
      flags: number,
      stored: number,
    ): number | Promise<number> {
      const entry = requireSocket(table, fd);
      if (flags !== 0) return EINVAL;
      memory.check(stored, 4);
      const peer = inDomain(entry, reachable(address, port));
      return patience.persist(entry, EVENT_WRITE, () => {
        const pieces = memory.iovecs(iovecs, count);
        if (totalLength(pieces) > scratchBuffer().length) return ERRNO.EMSGSIZE;
        const message = scratchBuffer().subarray(0, gather(pieces));
        const bytes = entry.socket.sendTo(message, peer);
        if (bytes < 0) return EAGAIN;
        memory.setUint32(stored, bytes);
        return ESUCCESS;
      });
    },

    // (fd, iovecs, count, address, flags, stored, storedFlags), or the same with
    // the port's place before `stored`
    sock_recv_from(
      fd: number,
      iovecs: number,
      count: number,
      address: number,
      flags: number,
      ...rest: [number, number] | [number, number, number]
    ): number | Promise<number> {
      const [port, stored, storedFlags] = rest.length === 2
        ? [undefined, ...rest]
        : rest;
      const entry = requireSocket(table, fd);
      if ((flags & ~RIFLAGS_RECV_PEEK) !== 0) return EINVAL;
      for (const pointer of [stored, storedFlags]) memory.check(pointer, 4);
      if (port !== undefined) memory.check(port, 4);
      const { MSG_PEEK } = system().constants;
      return patience.persist(entry, EVENT_READ, () => {
        entry.reportError();
        const pieces = memory.iovecs(iovecs, count);
        const room = totalLength(pieces);
        const received = entry.socket.recvFrom(
          scratchBuffer(),
          flags === 0 ? 0 : MSG_PEEK,
        );
        if (received === null) return EAGAIN;
        const kept = Math.min(received.bytes, room);
        scatter(pieces, kept);
        const sender = received.address ?? { path: "" };
        const from = writeAddress(memory, address, sender);
        if (port !== undefined) memory.setUint32(port, from);
        memory.setUint32(stored, kept);
        const truncated = received.bytes > room;
        memory.setUint32(
          storedFlags,
          truncated ? ROFLAGS_RECV_DATA_TRUNCATED : 0,
        );
        return ESUCCESS;
      });
    },

    sock_getsockopt(
      fd: number,
      level: number,
      option: number,
      value: number,
      length: number,
    ): number {
      const entry = requireSocket(table, fd);
      // WasmEdge's Rust library hands over where the length is, Go's the length itself.
      const bytes = length === 4 ? 4 : memory.getUint32(length);
      if (bytes < 4) return EINVAL;
      memory.setUint32(value, optionValue(entry, level, option));
      return ESUCCESS;
    },

    sock_setsockopt(
      fd: number,
      level: number,
      option: number,
      value: number,
      length: number,
    ): number {
      const { socket } = requireSocket(table, fd);
      if (length >>> 0 < 4) return EINVAL;
      const name = optionName(level, option);
      const number = memory.getUint32(value) | 0;
      const flag = typeof socket.getOption(name) === "boolean";
      socket.setOption(name, flag ? number !== 0 : number);
      return ESUCCESS;
    },

    sock_getlocaladdr: (fd: number, ...rest: number[]) =>
      tellAddress(guest, requireSocket(table, fd).socket.localAddress, rest),

    sock_getpeeraddr: (fd: number, ...rest: number[]) =>
      tellAddress(guest, requireSocket(table, fd).socket.remoteAddress, rest),

    sock_getaddrinfo: (...args: number[]) => getAddressInfo(memory, args),
  };
}

/** An address that suits the socket. @throws {Refusal} EAFNOSUPPORT if it does not */
function inDomain(entry: GuestSocket, address: SocketAddress): SocketAddress {
  if (entry.socket.domain !== domainOf(address)) {
    throw new Refusal(ERRNO.EAFNOSUPPORT);
  }
  return address;
}

/** @throws {Refusal} ENOPROTOOPT if there is no such option here */
function optionName(level: number, option: number): keyof SocketOptions {
  const name = level === LEVEL_SOCKET
    ? OPTIONS[option]
    : level === LEVEL_TCP && option === OPTION_TCP_NODELAY
    ? "noDelay"
    : undefined;
  if (name === undefined) throw new Refusal(ERRNO.ENOPROTOOPT);
  return name;
}

function optionValue(
  entry: GuestSocket,
  level: number,
  option: number,
): number {
  if (level === LEVEL_SOCKET && option === OPTION_TYPE) {
    return entry.filetype === FILETYPE_SOCKET_DGRAM ? 1 : 2;
  }
  if (level === LEVEL_SOCKET && option === OPTION_ERROR) {
    return entry.takeError();
  }
  return Number(entry.socket.getOption(optionName(level, option)));
}

/**
 * Tells a guest an address: `rest` is where the address, its version and its port
 * go, or where the address and its port go.
 */
function tellAddress(
  { memory }: Guest,
  address: SocketAddress,
  rest: readonly number[],
): number {
  const [at, ...words] = rest as [number, ...number[]];
  const port = words.at(-1)!;
  for (const word of words) memory.check(word, 4);
  memory.setUint32(port, writeAddress(memory, at, address));
  if (words.length === 2) memory.setUint32(words[0]!, addressVersion(address));
  return ESUCCESS;
}
