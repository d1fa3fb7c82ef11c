/**
 * Makes listening sockets.
 *
 * @module
 */

import { Socket } from "../backends/ffi/socket.ts";
import {
  type FileIdentity,
  identityOf,
  isStaleSocket,
  unlinkOwn,
} from "../backends/ffi/path.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { hostnameOf, numericHostname, portOf } from "./addresses.ts";
import type { OptionNames } from "../backends/options.ts";

/** Where to listen, and how. */
export interface ListenOptions {
  /**
   * A numeric address, or "localhost": "0.0.0.0", if left out. "::" accepts IPv4
   * too, unless `ipv6Only`.
   */
  readonly hostname?: string;
  /** 0 to 65535; with 0 the system chooses. */
  readonly port?: number;
  /** The path of a Unix socket; a name that starts with "\0" is abstract (Linux). */
  readonly path?: string;
  /** How many connections may wait to be accepted: as many as the system allows, if left out. */
  readonly backlog?: number;
  /** Several listeners on one port, among which the system shares connections out. */
  readonly reusePort?: boolean;
  /** An IPv6 listener leaves IPv4 to others. */
  readonly ipv6Only?: boolean;
  /** Sends small writes of accepted connections at once: true, if left out. */
  readonly noDelay?: boolean;
}

/** What newcomers may take. */
export interface AdmissionOptions {
  /**
   * How many accepted connections may be open at once: no limit, if left out. While
   * there are as many, others wait in the system's backlog.
   */
  readonly maximumConnections?: number;
  /**
   * Milliseconds without a byte in either direction after which a connection ends with
   * `Deno.errors.TimedOut`, as by `setIdleTimeout()`: never, if left out or 0.
   */
  readonly idleTimeout?: number;
}

/** Their names. */
export const ADMISSION_OPTIONS: OptionNames<AdmissionOptions> = {
  maximumConnections: true,
  idleTimeout: true,
};

/**
 * Checks what newcomers may take, and fills in what was left out.
 *
 * @throws {RangeError} if the maximum is no positive integer, or the timeout none from 0
 */
export function admissionOf(
  options: AdmissionOptions,
): Required<AdmissionOptions> {
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

/** Their names. */
export const LISTEN_OPTIONS: OptionNames<ListenOptions> = {
  hostname: true,
  port: true,
  path: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  noDelay: true,
};

/**
 * The address that options mean.
 *
 * @throws {TypeError} if they name both a port and a path, or neither, or the hostname
 *   or the port is malformed
 * @throws {RangeError} if the port is out of range
 */
export function listenAddress(options: ListenOptions): SocketAddress {
  const { port, path } = options;
  if ((port === undefined) === (path === undefined)) {
    throw new TypeError("Cannot listen: it takes either a port or a path");
  }
  if (path !== undefined) return { path };
  const hostname = hostnameOf(options.hostname, "0.0.0.0");
  return { hostname: numericHostname(hostname), port: portOf(port) };
}

/** The file of a Unix listener. */
export class SocketFile {
  readonly #path: string;
  readonly #identity: FileIdentity;

  private constructor(path: string, identity: FileIdentity) {
    this.#path = path;
    this.#identity = identity;
  }

  /** The file that a bound socket has just made; null if it has none. */
  static of(address: SocketAddress): SocketFile | null {
    if (!("path" in address)) return null;
    const identity = identityOf(address.path);
    return identity && new SocketFile(address.path, identity);
  }

  /** Removes it, unless another one is in its place by now. */
  remove(): void {
    unlinkOwn(this.#path, this.#identity);
  }
}

/** A socket that listens, and its file if it has one. */
export interface ListeningSocket {
  readonly socket: Socket;
  readonly file: SocketFile | null;
}

/**
 * Makes a socket that listens. If anything fails, the socket is closed again.
 *
 * @throws {TypeError} if the address is malformed
 * @throws {RangeError} if the port, the backlog or the length of the path is
 * @throws {SystemError} `Deno.errors.AddrInUse` and others
 */
export function createListener(options: ListenOptions): ListeningSocket {
  const address = listenAddress(options);
  const socket = Socket.createFor(address);
  let file: SocketFile | null = null;
  try {
    if (!("path" in address)) setOptions(socket, address.hostname, options);
    bind(socket, address);
    file = SocketFile.of(address);
    socket.listen(options.backlog);
    return { socket, file };
  } catch (error) {
    file?.remove();
    socket.close();
    throw error;
  }
}

function setOptions(
  socket: Socket,
  hostname: string,
  options: ListenOptions,
): void {
  const { reusePort = false, ipv6Only = false, noDelay = true } = options;
  socket.setOption("reuseAddress", true);
  if (reusePort) socket.setOption("reusePort", true);
  if (hostname.includes(":")) socket.setOption("ipv6Only", ipv6Only);
  // Accepted sockets inherit it (Linux and the BSDs), which saves a call for each.
  if (noDelay) socket.setOption("noDelay", true);
}

/** A socket file that a dead server left behind is in nobody's way. */
function bind(socket: Socket, address: SocketAddress): void {
  try {
    socket.bind(address);
  } catch (error) {
    const inUse = error instanceof Deno.errors.AddrInUse;
    if (!inUse || !("path" in address)) throw error;
    const found = SocketFile.of(address);
    if (found === null || !isStaleSocket(address.path)) throw error;
    found.remove();
    socket.bind(address);
  }
}
