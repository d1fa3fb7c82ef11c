/**
 * Where to listen and whom to connect to, as programs write it: checked before
 * anything is touched.
 *
 * @module
 */

import { parseIPv4, parseIPv6 } from "../backends/ffi/ip_address.ts";
import { splitZone, unbracketed } from "../backends/ffi/socket_address.ts";

/**
 * Whether a hostname consists of what names have, in any language's letters: all
 * else is not even looked up. The expression is made when it is needed: the tables
 * of Unicode take V8 a millisecond.
 */
function isName(hostname: string): boolean {
  return new RegExp("^[\\p{L}\\p{M}\\p{N}._-]+$", "u").test(hostname);
}

/**
 * A hostname, or what stands for it if it was left out.
 *
 * @returns a numeric address without brackets, or a name
 * @throws {TypeError} if it is neither
 */
export function hostnameOf(given: unknown, absent: string): string {
  if (given === undefined || given === null) return absent;
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

/** Whether a hostname is an address already. */
export function isNumeric(hostname: string): boolean {
  const [address] = splitZone(hostname);
  return parseIPv4(hostname) !== null || parseIPv6(address) !== null;
}

/** Whether it is the one name that needs no resolver (RFC 6761, section 6.3). */
export function isLocalhost(hostname: string): boolean {
  return hostname.toLowerCase() === "localhost";
}

/** A hostname to be bound to: "localhost" is IPv4's, as Deno has it. */
export function numericHostname(hostname: string): string {
  return isLocalhost(hostname) ? "127.0.0.1" : hostname;
}

/**
 * A port: a number or, as Deno takes it, the text of one.
 *
 * @param least 0 to let the system choose, else 1
 * @throws {TypeError} if it is no whole number
 * @throws {RangeError} if it is out of range
 */
export function portOf(given: unknown, least: 0 | 1 = 0): number {
  const text = typeof given === "string" && given.trim() !== "";
  const port = text ? Number(given) : given;
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
