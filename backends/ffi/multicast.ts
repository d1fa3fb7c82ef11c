/**
 * Membership in multicast groups, which is an option of a socket.
 *
 * Sources: ip(7), ipv6(7); `<netinet/in.h>`.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { parseIPv4, parseIPv6 } from "./ip_address.ts";
import { interfaceNumber } from "./socket_address.ts";

/** An option by its numbers, with the bytes of its value. */
export interface RawOption {
  readonly level: number;
  readonly number: number;
  readonly value: Uint8Array<ArrayBuffer>;
}

/**
 * The option that joins or leaves a group of IPv4.
 *
 * @param local The address of an interface. Default: the system chooses
 * @throws {TypeError} if one of both is no IPv4 address
 */
export function membershipIPv4(
  group: string,
  local: string | number = "0.0.0.0",
  join: boolean,
): RawOption {
  const { IPPROTO_IP, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP } =
    system().constants;
  // struct ip_mreq { struct in_addr imr_multiaddr, imr_interface; }
  const value = new Uint8Array(new ArrayBuffer(8));
  value.set(requireAddress(parseIPv4(group), group));
  value.set(requireAddress(parseIPv4(String(local)), String(local)), 4);
  const number = join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP;
  return { level: IPPROTO_IP, number, value };
}

/**
 * The option that joins or leaves a group of IPv6.
 *
 * @param networkInterface A name or a number. Default: the system chooses
 * @throws {TypeError} if the group is no IPv6 address, or no interface has the name
 */
export function membershipIPv6(
  group: string,
  networkInterface: string | number = 0,
  join: boolean,
): RawOption {
  const { IPPROTO_IPV6, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP } =
    system().constants;
  // struct ipv6_mreq { struct in6_addr ipv6mr_multiaddr; unsigned ipv6mr_interface; }
  const value = new Uint8Array(new ArrayBuffer(20));
  value.set(requireAddress(parseIPv6(group), group));
  const index = requireInterface(networkInterface);
  new DataView(value.buffer).setUint32(16, index, true);
  const number = join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP;
  return { level: IPPROTO_IPV6, number, value };
}

function requireInterface(given: string | number): number {
  const number = interfaceNumber(String(given));
  if (number !== null) return number;
  throw new TypeError(`Cannot use "${given}" as a network interface`);
}

function requireAddress(
  bytes: Uint8Array<ArrayBuffer> | null,
  text: string,
): Uint8Array<ArrayBuffer> {
  if (bytes !== null) return bytes;
  throw new TypeError(`Cannot use "${text}" as an address of this socket`);
}
