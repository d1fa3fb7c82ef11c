/**
 * The options of `Reactor.connect`, checked before a socket is created.
 *
 * @module
 */

import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { checkAbortSignal, type OptionNames } from "../backends/ffi/options.ts";
import { checkAddressOptions, hostnameOf, portOf } from "./addresses.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
} from "./connection_options.ts";

/** The address to connect to, and the properties of the connection. */
export interface ConnectOptions extends ConnectionOptions {
  /**
   * A numeric address or a name. To look up a name takes `--allow-net` and `serve()`;
   * under `run()` it fails. Default: "127.0.0.1".
   */
  readonly hostname?: string;
  /** A port, 1 to 65535. */
  readonly port?: number;
  /** The path of a Unix socket, instead of a port. */
  readonly path?: string;
  /**
   * Milliseconds after which the connect fails with `Deno.errors.TimedOut`, the look-up
   * of a name included. Default: none.
   */
  readonly timeout?: number;
  /** Cancels the connect, which then fails with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Sends small writes at once (`TCP_NODELAY`, tcp(7)). Default: true. */
  readonly noDelay?: boolean;
  /** The address to connect from. Default: the system chooses. */
  readonly localAddress?: SocketAddress;
  /**
   * Milliseconds after which the next address of a host is tried in parallel (RFC 8305,
   * section 5). With `Infinity` the next one is tried only after a failure. Default: 250.
   */
  readonly attemptDelay?: number;
}

const CONNECT_OPTIONS: OptionNames<ConnectOptions> = {
  ...CONNECTION_OPTIONS,
  hostname: true,
  port: true,
  path: true,
  timeout: true,
  signal: true,
  noDelay: true,
  localAddress: true,
  attemptDelay: true,
};

/**
 * Checks the options.
 *
 * @returns the address to connect to; its hostname may be a name
 * @throws {TypeError} if an option is unknown, the options have both a port and a path,
 *   or neither, or one of them is malformed
 * @throws {RangeError} if the port or a time is out of range
 */
export function connectTarget(options: ConnectOptions): SocketAddress {
  checkAddressOptions(options, CONNECT_OPTIONS);
  checkAbortSignal(options.signal);
  const { port, path, timeout = Infinity, attemptDelay = 0 } = options;
  if ((port === undefined) === (path === undefined)) {
    throw new TypeError("Cannot connect: it takes either a port or a path");
  }
  const target = path !== undefined ? { path } : {
    hostname: hostnameOf(options.hostname, "127.0.0.1"),
    port: portOf(port, 1),
  };
  if (!(timeout >= 0)) {
    throw new RangeError(`Cannot connect within ${timeout} milliseconds`);
  }
  if (!(attemptDelay >= 0)) {
    throw new RangeError(`Cannot try for ${attemptDelay} milliseconds`);
  }
  return target;
}
