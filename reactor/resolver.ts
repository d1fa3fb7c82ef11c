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
 * @throws {Deno.errors.NotCapable} without the permission
 */
export async function lookUp(
  { hostname, port }: InternetAddress,
): Promise<InternetAddress[]> {
  const { lookup } = await import("node:dns/promises");
  const found = await lookup(hostname, { all: true }).catch((error) => {
    throw denialOf(error, hostname) ?? error;
  });
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

/** The error of Deno where Node's has a number alone, which names no permission. */
function denialOf(error: { code?: string }, hostname: string): Error | null {
  if (error.code !== "EPERM") return null;
  return new Deno.errors.NotCapable(
    `Requires net access to "${hostname}", run again with the --allow-net flag`,
  );
}
