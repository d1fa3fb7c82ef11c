/**
 * The addresses of netlink, packet and vsock sockets.
 *
 * Sources: netlink(7), packet(7), vsock(7); `linux/netlink.h`, `linux/if_packet.h`,
 * `linux/vm_sockets.h`; `sys/vsock.h` of macOS.
 *
 * @module
 */

import { uint8ArrayError } from "./memory.ts";
import type { System } from "./system.ts";

/** The address of a netlink socket: the kernel is port 0. */
export interface NetlinkAddress {
  /** The port, which is usually the number of a process; 0 lets the kernel choose. */
  readonly portId: number;
  /** The multicast groups, as a mask of 32 bits. Default: 0 */
  readonly groups?: number;
}

/** The address of a packet socket, which sends and receives frames of an interface. */
export interface PacketAddress {
  /** The number of the interface; 0 is every one. */
  readonly interface: number;
  /** The protocol, as in 0x0800 for IPv4 and 0x0003 for all. Default: 0 */
  readonly protocol?: number;
  /** The hardware address. Default: none */
  readonly hardwareAddress?: Uint8Array<ArrayBuffer>;
  /** ARPHRD_*, the kind of hardware: the kernel sets it. */
  readonly hardwareType?: number;
  /** PACKET_*, as in 0 for a frame to this machine: the kernel sets it. */
  readonly packetType?: number;
}

/** The address of a vsock socket, between a virtual machine and its host. */
export interface VsockAddress {
  /** The context: 1 is this machine, 2 the host, 0xffffffff any. */
  readonly cid: number;
  /** The port; 0xffffffff lets the system choose. */
  readonly port: number;
}

/** An address of one of these domains. */
export type SpecialAddress = NetlinkAddress | PacketAddress | VsockAddress;

/** The name of such a domain. */
export type SpecialDomain = "netlink" | "packet" | "vsock";

/** The AF_* numbers, by system. */
const families: Readonly<
  Record<string, Readonly<Partial<Record<SpecialDomain, number>>>>
> = {
  linux: { netlink: 16, packet: 17, vsock: 40 },
  darwin: { vsock: 40 },
};

/** The AF_* number of a domain; null if the system lacks it. */
export function specialFamily(
  domain: SpecialDomain,
  { os }: System,
): number | null {
  return families[os]?.[domain] ?? null;
}

/** The domain of an AF_* number; undefined if it is none of these. */
export function specialDomain(
  family: number,
  { os }: System,
): SpecialDomain | undefined {
  const known = Object.entries(families[os] ?? {});
  return known.find(([_, number]) => number === family)?.[0] as
    | SpecialDomain
    | undefined;
}

/** The domain of an address; undefined if it is none of these. */
export function specialDomainOf(address: object): SpecialDomain | undefined {
  if ("portId" in address) return "netlink";
  if ("cid" in address) return "vsock";
  return "interface" in address ? "packet" : undefined;
}

/** The longest hardware address of `struct sockaddr_ll`. */
const HARDWARE_BYTES = 8;

/**
 * Writes an address behind its family.
 *
 * @returns the length of the `struct sockaddr`
 * @throws {TypeError} if the hardware address is no `Uint8Array`
 * @throws {RangeError} if a number does not fit its field
 */
export function encodeSpecial(
  target: Uint8Array<ArrayBuffer>,
  address: SpecialAddress,
  { os }: System,
): number {
  const view = new DataView(target.buffer, target.byteOffset);
  if ("portId" in address) {
    view.setUint32(4, check("portId", address.portId), true);
    view.setUint32(8, check("groups", address.groups ?? 0), true);
    return 12;
  }
  if ("cid" in address) {
    view.setUint32(4, check("port", address.port), true);
    view.setUint32(8, check("cid", address.cid), true);
    return os === "linux" ? 16 : 12;
  }
  const { hardwareAddress = new Uint8Array(0), protocol = 0 } = address;
  const error = uint8ArrayError(hardwareAddress, "use");
  if (error !== null) throw error;
  if (hardwareAddress.length > HARDWARE_BYTES) {
    throw new RangeError(
      `Cannot use a hardware address of ${hardwareAddress.length} bytes`,
    );
  }
  view.setUint16(2, check("protocol", protocol, 0xffff));
  view.setInt32(4, check("interface", address.interface, 0x7fff_ffff), true);
  view.setUint16(
    8,
    check("hardwareType", address.hardwareType ?? 0, 0xffff),
    true,
  );
  view.setUint8(10, check("packetType", address.packetType ?? 0, 0xff));
  view.setUint8(11, hardwareAddress.length);
  target.set(hardwareAddress, 12);
  return 20;
}

function check(name: string, value: number, largest = 0xffff_ffff): number {
  if (Number.isInteger(value) && value >= 0 && value <= largest) return value;
  throw new RangeError(`Cannot use ${value} as the ${name} of an address`);
}

/** Reads an address that the kernel wrote. */
export function decodeSpecial(
  source: Uint8Array<ArrayBuffer>,
  domain: SpecialDomain,
): SpecialAddress {
  const view = new DataView(source.buffer, source.byteOffset);
  if (domain === "netlink") {
    return { portId: view.getUint32(4, true), groups: view.getUint32(8, true) };
  }
  if (domain === "vsock") {
    return { cid: view.getUint32(8, true), port: view.getUint32(4, true) };
  }
  const length = Math.min(view.getUint8(11), HARDWARE_BYTES);
  return {
    interface: view.getInt32(4, true),
    protocol: view.getUint16(2),
    hardwareType: view.getUint16(8, true),
    packetType: view.getUint8(10),
    hardwareAddress: source.slice(12, 12 + length),
  };
}

/** Formats an address: "netlink 0", "vsock 2:8001", "interface 1". */
export function formatSpecial(address: SpecialAddress): string {
  if ("portId" in address) return `netlink ${address.portId}`;
  if ("cid" in address) return `vsock ${address.cid}:${address.port}`;
  return `interface ${address.interface}`;
}
