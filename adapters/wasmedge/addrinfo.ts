/**
 * WasmEdge's `sock_getaddrinfo`: the host fills a linked list of structs that the
 * guest has allocated.
 *
 * Sources: `wasmedge_wasi_socket/src/socket.rs` (`WasiAddrinfo`, `WasiSockaddr`);
 * wasi-go `imports/wasi_snapshot_preview1/wasmedge.go`.
 *
 * @module
 */

import { parseIPv4, parseIPv6 } from "../../backends/ffi/ip_address.ts";
import { EINVAL, ERRNO, ESUCCESS, Refusal } from "../../backends/wasi/errno.ts";
import type { GuestMemory } from "../wasi/memory.ts";
import { ADDRESS_FAMILY_INET4, ADDRESS_FAMILY_INET6 } from "./address.ts";

/** `WasiAddrinfo`. */
const ADDRINFO = {
  size: 28,
  family: 2,
  type: 3,
  protocol: 4,
  addressLength: 8,
  address: 12,
  nameLength: 20,
} as const;

/** `WasiSockaddr`: the family, the length of the data, the data. */
const SOCKADDR = { size: 12, family: 0, dataLength: 4, data: 8 } as const;

/** The port and an IPv6 address. */
const DATA_BYTES = 18;

/**
 * Resolves numeric addresses and "localhost". A resolver for other names would
 * block, and could send the guest's data anywhere.
 *
 * @param args (name, its length, service, its length, hints, address of the pointer
 *   to the first struct, number of structs, address for their number)
 */
export function getAddressInfo(
  memory: GuestMemory,
  args: readonly number[],
): number {
  const [name, nameLength, service, serviceLength, hints, first, room, stored] =
    args as [number, number, number, number, number, number, number, number];
  memory.check(stored, 4);
  memory.check(hints, ADDRINFO.size);
  if (room >>> 0 === 0) return EINVAL;
  const host = readText(memory, name, nameLength) || "127.0.0.1";
  const port = Number(readText(memory, service, serviceLength) || "0");
  const address = parseIPv4(host === "localhost" ? "127.0.0.1" : host) ??
    parseIPv6(host);
  if (address === null) return ERRNO.ENOENT;
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) return EINVAL;
  const type = memory.view.getUint8((hints >>> 0) + ADDRINFO.type);
  fill(memory, memory.getUint32(first), address, port, type);
  memory.setUint32(stored, 1);
  return ESUCCESS;
}

function fill(
  memory: GuestMemory,
  at: number,
  address: Uint8Array,
  port: number,
  type: number,
): void {
  memory.check(at, ADDRINFO.size);
  const sockaddr = memory.getUint32(at + ADDRINFO.address);
  memory.check(sockaddr, SOCKADDR.size);
  const data = memory.getUint32(sockaddr + SOCKADDR.data);
  // The struct has 14, the size of C's `sa_data`, but the library allocates 26.
  memory.check(data, DATA_BYTES);
  const { view } = memory;
  const family = address.length === 4
    ? ADDRESS_FAMILY_INET4
    : ADDRESS_FAMILY_INET6;
  view.setUint8(at + ADDRINFO.family, family);
  view.setUint8(at + ADDRINFO.type, type);
  view.setUint32(at + ADDRINFO.addressLength, 16, true);
  view.setUint32(at + ADDRINFO.nameLength, 0, true);
  view.setUint8(sockaddr + SOCKADDR.family, family);
  view.setUint32(sockaddr + SOCKADDR.dataLength, 2 + address.length, true);
  view.setUint16(data, port, false);
  memory.bytes(data + 2, address.length).set(address);
}

/** The most bytes of a name: NI_MAXHOST of `<netdb.h>`. */
const NAME_BYTES = 1025;

/** A text without the NUL that some callers include. @throws {Refusal} EINVAL, EFAULT */
function readText(
  memory: GuestMemory,
  pointer: number,
  length: number,
): string {
  memory.check(pointer, length >>> 0);
  if (length >>> 0 > NAME_BYTES) throw new Refusal(EINVAL);
  const bytes = memory.bytes(pointer, length >>> 0);
  return new TextDecoder().decode(bytes.slice()).replace(/\0+$/, "");
}
