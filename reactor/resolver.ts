/**
 * From a host's name to its addresses, in the order in which to try them.
 *
 * @module
 */

import { isLocalhost, isNumeric } from "./addresses.ts";

/** The addresses of a hostname that needs no question to anybody; null for any other. */
export function knownAddresses(hostname: string): string[] | null {
  if (isLocalhost(hostname)) return ["::1", "127.0.0.1"];
  return isNumeric(hostname) ? [hostname] : null;
}

/**
 * Asks the system's resolver, which needs `--allow-net` for the name.
 *
 * @returns IPv6 and IPv4 in turn, as RFC 8305, section 4, has it
 */
export async function resolve(hostname: string): Promise<string[]> {
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(hostname, { all: true });
  const ipv6 = found.filter(({ family }) => family === 6);
  const ipv4 = found.filter(({ family }) => family === 4);
  const longer = Math.max(ipv6.length, ipv4.length);
  return Array.from({ length: longer }, (_, i) => [ipv6[i], ipv4[i]])
    .flat()
    .flatMap((entry) => entry === undefined ? [] : [entry.address]);
}
