/**
 * Connects, as `net.createConnection()` does.
 *
 * @module
 */

import { addAbortSignal } from "node:stream";
import { checkAbortSignal } from "../../backends/ffi/options.ts";
import type { ConnectOptions } from "../../reactor/connect_options.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import { ConnectionDuplex } from "./connection_duplex.ts";

/** The address to connect to, and the properties of the stream. */
export interface CreateConnectionOptions
  extends Omit<ConnectOptions, "reuseBuffer" | "signal"> {
  /**
   * Whether this side stays open at the peer's end of file, until `end()` is called.
   * Default: false.
   */
  readonly allowHalfOpen?: boolean;
  /**
   * Destroys the stream with an `AbortError`, before and after it is established.
   * Its `cause` is the signal's reason.
   */
  readonly signal?: AbortSignal;
}

/**
 * Connects to a port or the path of a Unix socket, on a reactor. Written bytes are
 * sent when the connection is established. Failures are emitted as "error", with the
 * `code` that Node has for them.
 *
 * @param options As those of `Reactor.connect`; a `timeout` limits the connect
 * @param onConnect Called when the connection is established
 * @returns the stream, which is still connecting
 * @throws {TypeError} if an option is unknown, or the hostname or the port malformed
 * @throws {RangeError} if the port, the timeout or a water mark is out of range
 * @throws {Deno.errors.BadResource} if the reactor is closed
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { createConnection } from "@pollux/reactor/node";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const server = reactor.listen({ port: 0 }, (peer) => {
 *   peer.onData = (chunk) => peer.write(chunk);
 * });
 * const client = createConnection(reactor, { port: server.address.port });
 * client.end("hello");
 * let answer = "";
 * for await (const chunk of client) answer += chunk;
 * assertEquals(answer, "hello");
 * ```
 */
export function createConnection(
  reactor: Reactor,
  options: CreateConnectionOptions,
  onConnect?: () => void,
): ConnectionDuplex {
  const { allowHalfOpen = false, signal, ...target } = options;
  if ("reuseBuffer" in target) {
    throw new TypeError('Unknown option "reuseBuffer" for a Node stream');
  }
  // The stream copies received bytes.
  checkAbortSignal(signal);
  const connection = reactor.connect({ ...target, reuseBuffer: true });
  const duplex = new ConnectionDuplex(connection, { allowHalfOpen });
  if (onConnect !== undefined) duplex.once("connect", onConnect);
  if (signal !== undefined) addAbortSignal(signal, duplex);
  return duplex;
}
