/**
 * From the name of a host to its addresses, in the order in which to try them.
 *
 * @module
 */

import type { InternetAddress } from "../backends/ffi/socket_address.ts";

/**
 * Looks a name up with the system's resolver (getaddrinfo(3)), which takes
 * `--allow-net` for the name.
 *
 * @returns IPv6 and IPv4 addresses in turn (RFC 8305, section 4)
 */
export async function lookUp(
  { hostname, port }: InternetAddress,
): Promise<InternetAddress[]> {
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(hostname, { all: true });
  const ipv6 = found.filter(({ family }) => family === 6);
  const ipv4 = found.filter(({ family }) => family === 4);
  const longer = Math.max(ipv6.length, ipv4.length);
  return Array.from(
    { length: longer },
    (_, index) => [ipv6[index], ipv4[index]],
  )
    .flat()
    .flatMap((entry) =>
      entry === undefined ? [] : [{ hostname: entry.address, port }]
    );
}
