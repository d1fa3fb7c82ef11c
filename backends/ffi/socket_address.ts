/**
 * `struct sockaddr` and its family: an address is `{ hostname, port }` or `{ path }`
 * to a program, and bytes to the kernel.
 *
 * @module
 */

import { formatIPv4, formatIPv6, parseIPv4, parseIPv6 } from "./ip_address.ts";
import { libc } from "./libc.ts";
import {
  decodeSpecial,
  encodeSpecial,
  formatSpecial,
  type NetlinkAddress,
  type PacketAddress,
  type SpecialAddress,
  type SpecialDomain,
  specialDomain,
  specialDomainOf,
  specialFamily,
  type VsockAddress,
} from "./special_address.ts";
import type { System } from "./system.ts";
import { decodePath, encodePath } from "./unix_path.ts";

/** The address of an IPv4 or IPv6 socket. */
export interface InternetAddress {
  /**
   * A numeric address: "127.0.0.1", "::1", "[::1]" as `URL.hostname` has it, "fe80::1%2"
   * or "fe80::1%eth0" with an interface. The system's own have no brackets, and the
   * number of the interface.
   */
  readonly hostname: string;
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** The address of a Unix socket. */
export interface UnixAddress {
  /**
   * A path of the file system, "" for a socket without a name, or a name in
   * Linux's abstract namespace, which starts with "\0". A byte that is not UTF-8 is a
   * lone surrogate, U+DC80 to U+DCFF, as in Python ("surrogateescape").
   */
  readonly path: string;
}

/** The address of a socket of any domain. */
export type SocketAddress = InternetAddress | UnixAddress;

/** The address of a socket of any domain, also of those that only Linux has. */
export type AnyAddress = SocketAddress | SpecialAddress;

/**
 * The kind of addresses that a socket has. "other" is the domain of an adopted socket
 * whose addresses have no form here.
 */
export type SocketDomain = "IPv4" | "IPv6" | "unix" | SpecialDomain | "other";

/** The type of the addresses of a domain. */
export type AddressOf<Domain extends SocketDomain> = Domain extends "netlink"
  ? NetlinkAddress
  : Domain extends "packet" ? PacketAddress
  : Domain extends "vsock" ? VsockAddress
  : SocketAddress;

/** The domain that an address belongs to: an IPv6 hostname has a colon. */
export function domainOf(
  address: SocketAddress,
): "IPv4" | "IPv6" | "unix" {
  if ("path" in address) return "unix";
  const { hostname } = address;
  if (typeof hostname !== "string") {
    throw new TypeError(`Cannot use ${String(hostname)} as a hostname`);
  }
  return hostname.includes(":") ? "IPv6" : "IPv4";
}

/** The bytes of `struct sockaddr_storage`: enough for every address. */
export const SOCKADDR_STORAGE_BYTES = 128;

/** `struct sockaddr_in`. */
export const IPV4_BYTES = 16;
const IPV6_BYTES = 28;
const PATH_OFFSET = 2;

/** IFNAMSIZ of `<net/if.h>` on every system, with the NUL at the end. */
const INTERFACE_NAME_BYTES = 16;

/**
 * The AF_* number of a domain.
 *
 * @throws {TypeError} if there is no such domain
 * @throws {Deno.errors.NotSupported} if the system lacks it
 */
export function domainNumber(domain: SocketDomain, system: System): number {
  switch (domain) {
    case "IPv4":
      return system.constants.AF_INET;
    case "IPv6":
      return system.constants.AF_INET6;
    case "unix":
      return system.constants.AF_UNIX;
    case "netlink":
    case "packet":
    case "vsock": {
      const family = specialFamily(domain, system);
      if (family !== null) return family;
      throw new Deno.errors.NotSupported(
        `${system.name} has no ${domain} sockets`,
      );
    }
    default:
      throw new TypeError(
        `Cannot use domain "${domain}": it must be "IPv4", "IPv6", "unix", "netlink", "packet" or "vsock"`,
      );
  }
}

/** The domain of an AF_* number. */
export function domainOfFamily(family: number, system: System): SocketDomain {
  const { AF_INET, AF_INET6, AF_UNIX } = system.constants;
  if (family === AF_INET) return "IPv4";
  if (family === AF_INET6) return "IPv6";
  if (family === AF_UNIX) return "unix";
  return specialDomain(family, system) ?? "other";
}

function isSpecial(address: AnyAddress): address is SpecialAddress {
  return !("hostname" in address) && !("path" in address) &&
    specialDomainOf(address) !== undefined;
}

/** The family that an address belongs to, as in AF_INET. */
export function familyOf(address: AnyAddress, system: System): number {
  const domain = isSpecial(address)
    ? specialDomainOf(address)!
    : domainOf(address);
  return domainNumber(domain, system);
}

/**
 * Writes an address for a socket of a family.
 *
 * @throws {TypeError} if the address is of another family; as `encodeAddress`
 */
export function encodeFor(
  family: number,
  target: Uint8Array<ArrayBuffer>,
  address: AnyAddress,
  system: System,
): number {
  if (familyOf(address, system) === family) {
    return encodeAddress(target, address, system);
  }
  const domain = domainOfFamily(family, system);
  throw new TypeError(
    `Cannot use address ${
      formatAddress(address)
    } with a socket of domain ${domain}`,
  );
}

/**
 * Writes an address where the kernel will read it.
 *
 * @returns How many bytes of `target` it takes: the `socklen_t` of the call
 * @throws {TypeError} if the hostname is no numeric address, or the path has a NUL inside
 * @throws {RangeError} if the port or the length of the path is out of range
 */
export function encodeAddress(
  target: Uint8Array<ArrayBuffer>,
  address: AnyAddress,
  system: System,
): number {
  target.fill(0);
  const family = familyOf(address, system);
  const length = isSpecial(address)
    ? encodeSpecial(target, address, system)
    : "path" in address
    ? encodeUnix(target, address.path, system)
    : encodeInternet(target, address);
  if (system.sockaddrHasLength) {
    target[0] = length;
    target[1] = family;
  } else {
    new DataView(target.buffer, target.byteOffset).setUint16(0, family, true);
  }
  return length;
}

function encodeInternet(
  target: Uint8Array<ArrayBuffer>,
  { hostname, port }: InternetAddress,
): number {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot use port ${port}: it must be 0 to 65535`);
  }
  const view = new DataView(target.buffer, target.byteOffset);
  view.setUint16(2, port);
  const ipv4 = parseIPv4(hostname);
  if (ipv4 !== null) {
    target.set(ipv4, 4);
    return IPV4_BYTES;
  }
  const [text, zone] = splitZone(unbracketed(hostname));
  const ipv6 = parseIPv6(text);
  if (ipv6 === null || zone === "") {
    throw new TypeError(
      `Cannot use hostname "${hostname}": it is not a numeric IP address`,
    );
  }
  target.set(ipv6, 8);
  view.setUint32(24, zone === undefined ? 0 : scopeOf(zone, hostname), true);
  return IPV6_BYTES;
}

/** "[::1]", as `URL.hostname` has it, is "::1". */
export function unbracketed(hostname: string): string {
  const bracketed = hostname.startsWith("[") && hostname.endsWith("]");
  return bracketed && hostname.includes(":") ? hostname.slice(1, -1) : hostname;
}

/** "fe80::1%2" is the address and the interface that it is valid on. */
export function splitZone(
  hostname: string,
): [address: string, zone: string | undefined] {
  const percent = hostname.indexOf("%");
  if (percent === -1) return [hostname, undefined];
  return [hostname.slice(0, percent), hostname.slice(percent + 1)];
}

function scopeOf(zone: string, hostname: string): number {
  const scope = interfaceNumber(zone);
  if (scope !== null) return scope;
  throw new TypeError(
    `Cannot use hostname "${hostname}": there is no interface "${zone}"`,
  );
}

/**
 * The number of a network interface, by its name or its number: "eth0", "2".
 *
 * @returns null if there is no interface of that name
 */
export function interfaceNumber(name: string): number | null {
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number <= 0xffff_ffff ? number : null;
  }
  const bytes = new TextEncoder().encode(`${name}\0`);
  const nul = bytes.indexOf(0);
  if (bytes.length > INTERFACE_NAME_BYTES || nul !== bytes.length - 1) {
    return null;
  }
  return libc().if_nametoindex?.(bytes) || null;
}

function encodeUnix(
  target: Uint8Array<ArrayBuffer>,
  path: string,
  system: System,
): number {
  if (typeof path !== "string") {
    throw new TypeError(`Cannot use ${String(path)} as a path`);
  }
  const bytes = encodePath(path);
  const abstract = bytes[0] === 0;
  if (abstract && !system.abstractSockets) {
    throw new TypeError(
      `Cannot use the abstract path ${
        JSON.stringify(path)
      }: ${system.name} has none`,
    );
  }
  if (!abstract && bytes.includes(0)) {
    throw new TypeError(
      `Cannot use path ${JSON.stringify(path)}: it contains a NUL`,
    );
  }
  // A path ends with a NUL that must fit too; an abstract name is counted instead.
  const limit = abstract ? system.unixPathBytes : system.unixPathBytes - 1;
  if (bytes.length > limit) {
    throw new RangeError(
      `Cannot use path ${
        JSON.stringify(path)
      }: it is ${bytes.length} bytes long and ${limit} is the limit`,
    );
  }
  target.set(bytes, PATH_OFFSET);
  if (bytes.length === 0) return PATH_OFFSET;
  return PATH_OFFSET + bytes.length + (abstract ? 0 : 1);
}

/** The family in the first bytes of a `struct sockaddr`. */
export function readFamily(
  source: Uint8Array<ArrayBuffer>,
  system: System,
): number {
  return system.sockaddrHasLength ? source[1]! : source[0]! | source[1]! << 8;
}

/**
 * Reads an address that the kernel wrote.
 *
 * @param length The `socklen_t` that the call returned
 * @throws {Deno.errors.NotSupported} if the addresses of the family have no form here
 */
export function decodeAddress(
  source: Uint8Array<ArrayBuffer>,
  length: number,
  system: System,
): AnyAddress {
  const { AF_INET, AF_INET6, AF_UNIX } = system.constants;
  const view = new DataView(
    source.buffer,
    source.byteOffset,
    source.byteLength,
  );
  // An unnamed Unix peer (a socket pair, an unbound client) has a length of 0 on the BSDs.
  if (length < PATH_OFFSET) return { path: "" };
  switch (readFamily(source, system)) {
    case AF_INET:
      return {
        hostname: formatIPv4(source.subarray(4, 8)),
        port: view.getUint16(2),
      };
    case AF_INET6: {
      const scope = view.getUint32(24, true);
      const text = formatIPv6(source.subarray(8, 24));
      return {
        hostname: scope === 0 ? text : `${text}%${scope}`,
        port: view.getUint16(2),
      };
    }
    case AF_UNIX:
      return { path: decodeUnix(source.subarray(PATH_OFFSET, length)) };
    default: {
      const domain = specialDomain(readFamily(source, system), system);
      if (domain !== undefined) return decodeSpecial(source, domain);
      throw new Deno.errors.NotSupported(
        `Cannot read a socket address of family ${readFamily(source, system)}`,
      );
    }
  }
}

function decodeUnix(bytes: Uint8Array<ArrayBuffer>): string {
  const abstract = bytes.length > 0 && bytes[0] === 0;
  const end = abstract ? -1 : bytes.indexOf(0);
  return decodePath(end === -1 ? bytes : bytes.subarray(0, end));
}

/**
 * Formats an address in the usual way: "127.0.0.1:8001", "[::1]:8001",
 * "/run/echo.sock"; an abstract name begins with "@".
 *
 * @example
 * ```ts
 * import { formatAddress } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress({ hostname: "::1", port: 8001 }), "[::1]:8001");
 * assertEquals(formatAddress({ path: "\0echo" }), "@echo");
 * ```
 */
export function formatAddress(address: AnyAddress): string {
  if (isSpecial(address)) return formatSpecial(address);
  if ("path" in address) return address.path.replace("\0", "@");
  const { port } = address;
  const hostname = unbracketed(address.hostname);
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}
