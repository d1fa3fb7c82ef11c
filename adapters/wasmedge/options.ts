/**
 * WasmEdge's `sock_getsockopt` and `sock_setsockopt`.
 *
 * Source of the numbers: `__wasi_sock_opt_level_t` and `__wasi_sock_opt_so_t` in
 * WasmEdge's api.hpp.
 *
 * @module
 */

import type { SocketOptions } from "../../backends/ffi/mod.ts";
import { FILETYPE_SOCKET_DGRAM } from "../../backends/wasi/abi.ts";
import { EINVAL, ERRNO, ESUCCESS, Refusal } from "../../backends/wasi/errno.ts";
import type { Guest } from "../wasi/guest.ts";
import type { GuestSocket } from "../wasi/guest_socket.ts";
import { requireSocket } from "../wasi/sockets.ts";

const LEVEL_SOCKET = 0;
const LEVEL_TCP = 6;

const OPTION_TYPE = 1;
const OPTION_ERROR = 2;
const OPTION_TCP_NODELAY = 15;

/** The options that are a number or a flag. */
const OPTIONS: Readonly<Record<number, keyof SocketOptions>> = {
  0: "reuseAddress",
  4: "broadcast",
  5: "sendBufferSize",
  6: "receiveBufferSize",
  7: "keepAlive",
  8: "outOfBandInline",
  13: "acceptsConnections",
};

/** `sock_getsockopt`. */
export function getOption(
  guest: Guest,
  fd: number,
  level: number,
  option: number,
  value: number,
  length: number,
): number {
  const { memory } = guest;
  const entry = requireSocket(guest, fd);
  // WasmEdge's Rust library passes a pointer to the length, its Go library the length.
  const bytes = length === 4 ? 4 : memory.getUint32(length);
  if (bytes < 4) return EINVAL;
  memory.setUint32(value, optionValue(entry, level, option));
  return ESUCCESS;
}

/** `sock_setsockopt`. */
export function setOption(
  guest: Guest,
  fd: number,
  level: number,
  option: number,
  value: number,
  length: number,
): number {
  const { socket } = requireSocket(guest, fd);
  if (length >>> 0 < 4) return EINVAL;
  const name = optionName(level, option);
  const number = guest.memory.getUint32(value) | 0;
  const flag = typeof socket.getOption(name) === "boolean";
  socket.setOption(name, flag ? number !== 0 : number);
  return ESUCCESS;
}

/** @throws {Refusal} ENOPROTOOPT if the option is unknown */
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
