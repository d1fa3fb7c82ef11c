/**
 * The addresses that a guest may use.
 *
 * @module
 */

import {
  formatIPv4,
  formatIPv6,
  parseIPv4,
  parseIPv6,
} from "../../backends/ffi/ip_address.ts";
import type { SocketAddress } from "../../backends/ffi/mod.ts";
import {
  type FileIdentity,
  identityOf,
  isLink,
} from "../../backends/ffi/path.ts";

/** An address as in Deno's `--allow-net`: a host, and a port unless all are allowed. */
const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/** A list of addresses. */
export class AddressAllowList {
  readonly #listed: ReadonlySet<string>;
  /** The directory of each path, as of the creation of the list. */
  readonly #directories: ReadonlyMap<string, FileIdentity | null>;

  /**
   * @param list "127.0.0.1:8001", "[::1]:8001", "127.0.0.1" for all its ports, or
   *   the absolute path of a Unix socket
   * @throws {TypeError} if an entry has none of these forms
   */
  constructor(list: readonly string[]) {
    this.#listed = new Set(list.map(normalized));
    const paths = list.filter((entry) => entry.startsWith("/"));
    this.#directories = new Map(
      paths.map((path) => [path, identityOf(directoryOf(path))]),
    );
  }

  /** Whether an address is on the list. */
  has(address: SocketAddress): boolean {
    if ("path" in address) return this.#hasPath(address.path);
    const host = canonicalHost(address.hostname);
    return host !== undefined &&
      (this.#listed.has(host) || this.#listed.has(`${host} ${address.port}`));
  }

  /**
   * A guest that can write to a directory on the path could replace the socket, or a
   * directory, by a link to a socket elsewhere.
   */
  #hasPath(path: string): boolean {
    const known = this.#directories.get(path) ?? null;
    const found = identityOf(directoryOf(path));
    return known !== null && known.device === found?.device &&
      known.inode === found.inode && !isLink(path);
  }
}

/** The path of the directory, in a form that follows every link. */
function directoryOf(path: string): string {
  return `${path.slice(0, path.lastIndexOf("/"))}/.`;
}

function normalized(entry: string): string {
  if (entry.startsWith("/")) return entry;
  const match = HOST_AND_PORT.exec(entry);
  const host = match && canonicalHost((match[1] ?? match[2])!);
  const port = match?.[3];
  if (!host || Number(port ?? 0) > 65535) {
    throw new TypeError(
      `Cannot allow "${entry}": it must be "127.0.0.1:80", "[::1]:80", "127.0.0.1" or "/path"`,
    );
  }
  return port === undefined ? host : `${host} ${Number(port)}`;
}

/** One spelling for each host: an IPv4-mapped IPv6 address becomes IPv4. */
function canonicalHost(hostname: string): string | undefined {
  const four = parseIPv4(hostname);
  if (four !== null) return formatIPv4(four);
  const six = parseIPv6(hostname);
  if (six === null) return undefined;
  return formatIPv6(six).replace(/^::ffff:(?=\d+\.)/, "");
}
