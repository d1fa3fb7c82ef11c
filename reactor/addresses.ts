/**
 * Addresses as programs write them, checked before a socket is created.
 *
 * @module
 */

import { parseIPv4, parseIPv6 } from "../backends/ffi/ip_address.ts";
import {
  type InternetAddress,
  splitZone,
  unbracketed,
} from "../backends/ffi/socket_address.ts";
import { Socket } from "../backends/ffi/socket.ts";
import { checkOptions } from "../backends/ffi/options.ts";

/**
 * Checks that options are an object, and their names.
 *
 * @throws {TypeError} if they are not, or an option is unknown
 */
export function checkAddressOptions(
  options: unknown,
  names: Readonly<Record<string, true>>,
): void {
  if (typeof options === "object" && options !== null) {
    return checkOptions(options, names);
  }
  const given = describe(options);
  const example = typeof options === "string"
    ? `{ path: ${given} }`
    : `{ port: ${typeof options === "number" ? given : 8001} }`;
  throw new TypeError(`Cannot use ${given} as options: write ${example}`);
}

/**
 * Checks a socket that a program gives away.
 *
 * @param type The type that it must have
 * @param others Other options, none of which may be given
 * @throws {TypeError} if it is no socket, of another type, or not alone
 * @throws {Deno.errors.BadResource} if it is closed
 */
export function checkGivenSocket(
  socket: unknown,
  type: "stream" | "datagram",
  others: Readonly<Record<string, unknown>> = {},
): asserts socket is Socket {
  if (!(socket instanceof Socket)) {
    throw new TypeError(`Cannot use ${describe(socket)} as a socket`);
  }
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined) continue;
    throw new TypeError(`Cannot use option "${name}" together with "socket"`);
  }
  if (socket.type === type) return;
  throw new TypeError(
    `Cannot use a socket of type "${socket.type}": it must be "${type}"`,
  );
}

/**
 * Whether a hostname has only characters that names have, in any script. Any other
 * hostname is not looked up. The expression is created on demand: the tables of Unicode
 * take V8 a millisecond.
 */
function isName(hostname: string): boolean {
  return new RegExp("^[\\p{L}\\p{M}\\p{N}._-]+$", "u").test(hostname);
}

/**
 * Checks a hostname.
 *
 * @param fallback The hostname that is used if none is given
 * @returns a numeric address without brackets, or a name
 * @throws {TypeError} if it is neither
 */
export function hostnameOf(given: unknown, fallback: string): string {
  if (given === undefined || given === null) return fallback;
  if (typeof given !== "string") {
    throw new TypeError(`Cannot use ${String(given)} as a hostname`);
  }
  const hostname = unbracketed(given);
  if (isNumeric(hostname) || isName(hostname)) return hostname;
  throw new TypeError(
    `Cannot use hostname ${
      JSON.stringify(given)
    }: it is neither an address nor a name`,
  );
}

/** Whether a hostname is a numeric address. */
export function isNumeric(hostname: string): boolean {
  const [address] = splitZone(hostname);
  return parseIPv4(hostname) !== null || parseIPv6(address) !== null;
}

/** Whether a hostname is the one name that needs no resolver (RFC 6761, section 6.3). */
export function isLocalhost(hostname: string): boolean {
  return hostname.toLowerCase() === "localhost";
}

/** Returns the addresses of a host that needs no look-up; null for any other name. */
export function knownAddresses(
  { hostname, port }: InternetAddress,
): InternetAddress[] | null {
  if (isNumeric(hostname)) return [{ hostname, port }];
  if (!isLocalhost(hostname)) return null;
  return ["::1", "127.0.0.1"].map((hostname) => ({ hostname, port }));
}

/** The hostname to bind to: "localhost" is its IPv4 address, as in Deno. */
export function numericHostname(hostname: string): string {
  return isLocalhost(hostname) ? "127.0.0.1" : hostname;
}

/**
 * Checks a port: a number or, as in Deno, its decimal text.
 *
 * @param least 0 if the system may choose, else 1
 * @throws {TypeError} if it is not a whole number
 * @throws {RangeError} if it is out of range
 */
export function portOf(given: unknown, least: 0 | 1 = 0): number {
  const isText = typeof given === "string" && given.trim() !== "";
  const port = isText ? Number(given) : given;
  if (typeof port !== "number" || !Number.isInteger(port)) {
    throw new TypeError(
      `Cannot use port ${describe(given)}: it is no whole number`,
    );
  }
  if (port < least || port > 65535) {
    throw new RangeError(
      `Cannot use port ${port}: it must be ${least} to 65535`,
    );
  }
  return port;
}

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
