/**
 * Creates listening sockets.
 *
 * @module
 */

import { claimPort } from "../backends/ffi/claim_port.ts";
import {
  type FileIdentity,
  identityOf,
  isStaleSocket,
  unlinkOwn,
} from "../backends/ffi/path.ts";
import { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { checkGivenSocket } from "./addresses.ts";
import { listenAddress, type ListenOptions } from "./listen_options.ts";

/** The file that a bound Unix socket has in the file system. */
export class SocketFile {
  readonly #path: string;
  readonly #identity: FileIdentity;

  private constructor(path: string, identity: FileIdentity) {
    this.#path = path;
    this.#identity = identity;
  }

  /** The file at the address of a bound socket; null if there is none. */
  static of(address: SocketAddress): SocketFile | null {
    if (!("path" in address)) return null;
    const identity = identityOf(address.path);
    return identity && new SocketFile(address.path, identity);
  }

  /** Removes the file, unless another one has replaced it. */
  remove(): void {
    unlinkOwn(this.#path, this.#identity);
  }
}

/** A listening socket, and its file if it has one. */
export class ListeningSocket {
  /** The socket. */
  readonly socket: Socket;
  readonly #file: SocketFile | null;

  private constructor(socket: Socket, file: SocketFile | null) {
    this.socket = socket;
    this.#file = file;
  }

  /**
   * Creates a socket, binds it, and makes it listen. If a step fails, the socket is
   * closed and its file removed.
   *
   * @throws {TypeError} if the address is malformed
   * @throws {RangeError} if the port, the backlog or the length of the path is out of
   *   range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  static create(options: ListenOptions): ListeningSocket {
    if (options.socket !== undefined) return ListeningSocket.#adopt(options);
    const address = listenAddress(options);
    const socket = Socket.createFor(address);
    let file: SocketFile | null = null;
    try {
      if (!("path" in address)) setOptions(socket, options);
      bind(socket, address);
      file = SocketFile.of(address);
      socket.listen(options.backlog);
      return new ListeningSocket(socket, file);
    } catch (error) {
      file?.remove();
      socket.close();
      throw error;
    }
  }

  /** Takes over the socket of the options. */
  static #adopt(options: ListenOptions): ListeningSocket {
    const { socket, hostname, port, path, reusePort, ipv6Only } = options;
    const others = { hostname, port, path, reusePort, ipv6Only };
    checkGivenSocket(socket, "stream", others);
    const { backlog, noDelay = true } = options;
    if (backlog !== undefined || !isListening(socket)) socket.listen(backlog);
    const isInternet = socket.domain === "IPv4" || socket.domain === "IPv6";
    if (noDelay && isInternet) socket.setOption("noDelay", true);
    socket.setBlocking(false);
    return new ListeningSocket(socket, null);
  }

  /** Removes the file and closes the socket. A second call has no effect. */
  close(): void {
    // In this order: a file without a listener would look stale to the next one.
    this.#file?.remove();
    this.socket.close();
  }

  /** As `close()`, where the descriptor belongs to another file by now. */
  abandon(): void {
    this.#file?.remove();
    if (this.socket.fd !== -1) this.socket.detach();
  }
}

/** Whether a socket listens; false also on macOS, which has no SO_ACCEPTCONN. */
function isListening(socket: Socket): boolean {
  try {
    return socket.getOption("acceptsConnections");
  } catch {
    return false;
  }
}

function setOptions(socket: Socket, options: ListenOptions): void {
  const { reusePort = false, ipv6Only = false, noDelay = true } = options;
  claimPort(socket);
  if (reusePort) socket.setOption("reusePort", true);
  if (socket.domain === "IPv6") socket.setOption("ipv6Only", ipv6Only);
  // Accepted sockets inherit it on Linux and the BSDs: one call less for each.
  if (noDelay) socket.setOption("noDelay", true);
}

/** Binds, if need be after removing the file of a listener that has ended. */
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
