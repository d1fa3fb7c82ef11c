/**
 * The options of `Reactor.listen`, checked before a socket is created.
 *
 * @module
 */

import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import type { OptionNames } from "../backends/ffi/options.ts";
import {
  checkAddressOptions,
  hostnameOf,
  numericHostname,
  portOf,
} from "./addresses.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
} from "./connection_options.ts";

/** The address to listen on, and the properties of accepted connections. */
export interface ListenOptions extends ConnectionOptions {
  /**
   * A numeric address, or "localhost" for "127.0.0.1". "::" also accepts IPv4, unless
   * `ipv6Only` is set. Default: "0.0.0.0".
   */
  readonly hostname?: string;
  /** A port, 0 to 65535. With 0 the system chooses one, see `Acceptor.address`. */
  readonly port?: number;
  /**
   * The path of a Unix socket, instead of a port. A name that starts with "\0" is in
   * the abstract namespace of Linux.
   */
  readonly path?: string;
  /**
   * A socket of type "stream" that is bound, instead of an address: an inherited one, for
   * example. The acceptor owns it from then on; the file of a Unix socket stays.
   */
  readonly socket?: Socket;
  /**
   * How many established connections the system keeps until they are accepted
   * (listen(2)). Default: the limit of the system; that of a given socket stays.
   */
  readonly backlog?: number;
  /**
   * Allows several listeners on one port; the system distributes connections among
   * them (`SO_REUSEPORT`, socket(7)). Default: false.
   */
  readonly reusePort?: boolean;
  /** Leaves IPv4 to other listeners (`IPV6_V6ONLY`, ipv6(7)). Default: false. */
  readonly ipv6Only?: boolean;
  /**
   * Sends small writes of accepted connections at once (`TCP_NODELAY`, tcp(7)).
   * Default: true.
   */
  readonly noDelay?: boolean;
  /**
   * How many accepted connections may be open at once. At the limit, further
   * connections wait in the backlog. Default: no limit.
   */
  readonly maximumConnections?: number;
  /**
   * Milliseconds without a byte in either direction after which a connection ends
   * with `Deno.errors.TimedOut`, see `Connection.setIdleTimeout`. Default: 0, never.
   */
  readonly idleTimeout?: number;
}

const LISTEN_OPTIONS: OptionNames<ListenOptions> = {
  ...CONNECTION_OPTIONS,
  hostname: true,
  port: true,
  path: true,
  socket: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  noDelay: true,
  maximumConnections: true,
  idleTimeout: true,
};

/** Limits of the connections that one listener accepts. */
export interface Admission {
  /** How many may be open at once: `Infinity` for no limit. */
  readonly maximumConnections: number;
  /** Their idle timeout in milliseconds: 0 for none. */
  readonly idleTimeout: number;
}

/**
 * Checks the names of the options, and the limits of accepted connections.
 *
 * @throws {TypeError} if an option is unknown
 * @throws {RangeError} if the maximum is not a positive integer, or the timeout negative
 */
export function admissionOf(options: ListenOptions): Admission {
  checkAddressOptions(options, LISTEN_OPTIONS);
  const { maximumConnections = Infinity, idleTimeout = 0 } = options;
  const counts = maximumConnections === Infinity ||
    Number.isInteger(maximumConnections);
  if (!counts || maximumConnections < 1) {
    throw new RangeError(
      `Cannot accept ${maximumConnections} connections at the most`,
    );
  }
  if (!(idleTimeout >= 0)) {
    throw new RangeError(
      `Cannot use an idle timeout of ${idleTimeout} milliseconds`,
    );
  }
  return { maximumConnections, idleTimeout };
}

/**
 * The address that the options name.
 *
 * @throws {TypeError} if they have both a port and a path, or neither, or the hostname
 *   or the port is malformed
 * @throws {RangeError} if the port is out of range
 */
export function listenAddress(options: ListenOptions): SocketAddress {
  const { port, path } = options;
  if ((port === undefined) === (path === undefined)) {
    throw new TypeError(
      "Cannot listen: it takes either a port, a path or a socket",
    );
  }
  if (path !== undefined) return { path };
  const hostname = hostnameOf(options.hostname, "0.0.0.0");
  return { hostname: numericHostname(hostname), port: portOf(port) };
}
