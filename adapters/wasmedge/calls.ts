/**
 * WasmEdge's socket calls. Programs import them from preview 1, although they are
 * not part of it, in two variants that differ in the number of arguments alone.
 *
 * Sources: WasmEdge `lib/host/wasi/wasimodule.cpp` and `wasifunc.cpp`;
 * `wasmedge_wasi_socket/src/socket.rs`; wasi-go
 * `imports/wasi_snapshot_preview1/wasmedge.go`, which lists the variants.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { Socket, type SocketAddress } from "../../backends/ffi/mod.ts";
import { domainOf } from "../../backends/ffi/socket_address.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import {
  FILETYPE_SOCKET_DGRAM,
  FILETYPE_SOCKET_STREAM,
  RIFLAGS_RECV_PEEK,
  ROFLAGS_RECV_DATA_TRUNCATED,
} from "../../backends/wasi/abi.ts";
import {
  EAGAIN,
  EINVAL,
  ERRNO,
  ESUCCESS,
  Refusal,
} from "../../backends/wasi/errno.ts";
import type { Guest, GuestCalls } from "../wasi/guest.ts";
import { GuestSocket } from "../wasi/guest_socket.ts";
import { oneMessage, scatter, totalLength } from "../wasi/iovec.ts";
import type { GuestMemory } from "../wasi/memory.ts";
import { accept, requireSocket } from "../wasi/sockets.ts";
import { retryUntilReady } from "../wasi/retry.ts";
import {
  ADDRESS_FAMILY_AF_UNIX,
  ADDRESS_FAMILY_INET4,
  ADDRESS_FAMILY_INET6,
  addressVersion,
  readAddress,
  writeAddress,
} from "./address.ts";
import type { AddressAllowList } from "./address_allow_list.ts";
import { getAddressInfo } from "./addrinfo.ts";
import { getOption, setOption } from "./options.ts";

/** The calls that may wait. */
export const WAITING: readonly string[] = [
  "sock_accept",
  "sock_connect",
  "sock_recv_from",
  "sock_send_to",
];

const DOMAINS = {
  [ADDRESS_FAMILY_INET4]: "IPv4",
  [ADDRESS_FAMILY_INET6]: "IPv6",
  [ADDRESS_FAMILY_AF_UNIX]: "unix",
} as const;

/** `__wasi_sock_type_t` of WasmEdge's api.hpp. */
const TYPES = { 1: "datagram", 2: "stream" } as const;

/** Sockets bound by their guest. The system binds any other to all addresses. */
const bound = new WeakSet<GuestSocket>();

/** The calls by name, for a guest that may use these addresses. */
export function callsWithin(allowed: AddressAllowList): GuestCalls {
  return {
    sock_accept: acceptEither,
    sock_bind: (guest, fd: number, address: number, port: number) =>
      bind(guest, allowed, fd, address, port),
    sock_connect: (guest, fd: number, address: number, port: number) =>
      connect(guest, allowed, fd, address, port),
    sock_getaddrinfo: ({ memory }, ...args: number[]) =>
      getAddressInfo(memory, args),
    sock_getlocaladdr: getLocalAddress,
    sock_getpeeraddr: getPeerAddress,
    sock_getsockopt: getOption,
    sock_listen: listen,
    sock_open: open,
    sock_recv_from: receiveFrom,
    sock_send_to: (guest, ...args: SendArguments) =>
      sendTo(guest, allowed, ...args),
    sock_setsockopt: setOption,
  };
}

function open(
  { memory, table }: Guest,
  family: number,
  type: number,
  stored: number,
): number {
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
}

function bind(
  guest: Guest,
  allowed: AddressAllowList,
  fd: number,
  address: number,
  port: number,
): number {
  const entry = requireSocket(guest, fd);
  entry.socket.bind(allowedAddress(guest, allowed, entry, address, port));
  bound.add(entry);
  return ESUCCESS;
}

function listen(guest: Guest, fd: number, backlog: number): number {
  const entry = requireSocket(guest, fd);
  if (!bound.has(entry)) return ERRNO.EACCES;
  entry.socket.listen(Math.max(backlog, 0));
  entry.listening = true;
  return ESUCCESS;
}

/** Arguments: the address for the descriptor, after the flags as in preview 1, if any. */
function acceptEither(
  guest: Guest,
  fd: number,
  ...rest: [stored: number] | [flags: number, stored: number]
): number | Promise<number> {
  const [flags, stored] = rest.length === 1 ? [0, rest[0]] : rest;
  return accept(guest, fd, flags, stored);
}

function connect(
  guest: Guest,
  allowed: AddressAllowList,
  fd: number,
  address: number,
  port: number,
): number | Promise<number> {
  const entry = requireSocket(guest, fd);
  const peer = allowedAddress(guest, allowed, entry, address, port);
  if (entry.socket.connect(peer)) return ESUCCESS;
  if (entry.nonblocking) return ERRNO.EINPROGRESS;
  let waited = false;
  return retryUntilReady(guest, entry, EVENT_WRITE, () => {
    if (waited) return entry.takeError();
    waited = true;
    return EAGAIN;
  });
}

type SendArguments = [
  fd: number,
  iovecs: number,
  count: number,
  address: number,
  port: number,
  flags: number,
  stored: number,
];

function sendTo(
  guest: Guest,
  allowed: AddressAllowList,
  ...[fd, iovecs, count, address, port, flags, stored]: SendArguments
): number | Promise<number> {
  const { memory } = guest;
  const entry = requireSocket(guest, fd);
  if (flags !== 0) return EINVAL;
  memory.check(stored, 4);
  const peer = allowedAddress(guest, allowed, entry, address, port);
  return retryUntilReady(guest, entry, EVENT_WRITE, () => {
    const buffers = memory.buffers(iovecs, count);
    const bytes = entry.socket.sendTo(oneMessage(buffers), peer);
    if (bytes < 0) return EAGAIN;
    memory.setUint32(stored, bytes);
    return ESUCCESS;
  });
}

/** The second variant has the address for the port before `stored`. */
function receiveFrom(
  guest: Guest,
  fd: number,
  iovecs: number,
  count: number,
  address: number,
  flags: number,
  ...rest:
    | [stored: number, storedFlags: number]
    | [port: number, stored: number, storedFlags: number]
): number | Promise<number> {
  const { memory } = guest;
  const [port, stored, storedFlags] = rest.length === 2
    ? [undefined, ...rest]
    : rest;
  const entry = requireSocket(guest, fd);
  if ((flags & ~RIFLAGS_RECV_PEEK) !== 0) return EINVAL;
  for (const pointer of rest) memory.check(pointer, 4);
  const { MSG_PEEK } = system().constants;
  const flag = flags === 0 ? 0 : MSG_PEEK;
  return retryUntilReady(guest, entry, EVENT_READ, () => {
    entry.reportError();
    const buffers = memory.buffers(iovecs, count);
    const room = totalLength(buffers);
    const buffer = entry.receiveBuffer(room);
    const received = entry.socket.recvFrom(buffer, flag);
    if (received === null) return EAGAIN;
    const kept = Math.min(received.bytes, room);
    scatter(buffers, kept, buffer);
    const sender = received.address ?? { path: "" };
    const from = writeAddress(memory, address, sender);
    if (port !== undefined) memory.setUint32(port, from);
    memory.setUint32(stored, kept);
    const cut = received.bytes > kept ? ROFLAGS_RECV_DATA_TRUNCATED : 0;
    memory.setUint32(storedFlags, cut);
    return ESUCCESS;
  });
}

function getLocalAddress(guest: Guest, fd: number, ...rest: number[]): number {
  const { socket } = requireSocket(guest, fd);
  return storeAddress(guest.memory, socket.localAddress, rest);
}

function getPeerAddress(guest: Guest, fd: number, ...rest: number[]): number {
  const { socket } = requireSocket(guest, fd);
  return storeAddress(guest.memory, socket.remoteAddress, rest);
}

/**
 * Stores an address for the guest.
 *
 * @param rest The pointers to the address, its version and its port; without the
 *   version in the second variant
 */
function storeAddress(
  memory: GuestMemory,
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

/** @throws {Refusal} EACCES for other addresses, EAFNOSUPPORT for other domains */
function allowedAddress(
  { memory }: Guest,
  allowed: AddressAllowList,
  entry: GuestSocket,
  pointer: number,
  port: number,
): SocketAddress {
  const address = readAddress(memory, pointer, port);
  if (!allowed.has(address)) throw new Refusal(ERRNO.EACCES);
  if (entry.socket.domain !== domainOf(address)) {
    throw new Refusal(ERRNO.EAFNOSUPPORT);
  }
  return address;
}
