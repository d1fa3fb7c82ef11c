/**
 * `Reactor.connect` and `Reactor.adopt`: connections that no acceptor accepts.
 *
 * @module
 */

import type { Socket } from "../backends/ffi/socket.ts";
import type {
  InternetAddress,
  SocketAddress,
} from "../backends/ffi/socket_address.ts";
import { checkOptions } from "../backends/ffi/options.ts";
import { checkGivenSocket, knownAddresses } from "./addresses.ts";
import { type ConnectOptions, connectTarget } from "./connect_options.ts";
import { connectingOf, Connection } from "./connection.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  connectionSettings,
} from "./connection_options.ts";
import { Connector } from "./connector.ts";
import { lateModule } from "./late_module.ts";
import type { Loop } from "./loop.ts";

/**
 * Starts to connect.
 *
 * @returns the connection, which is still connecting
 * @throws as `Reactor.connect`
 */
export function connect(
  loop: Loop,
  options: ConnectOptions,
  onConnect: ((connection: Connection) => void) | null | undefined,
): Connection {
  const target = connectTarget(options);
  const settings = connectionSettings(loop, options);
  const connection = new Connection(loop, null, settings);
  if (onConnect) connection.onConnect = onConnect;
  startTo(target, new Connector(loop, connectingOf(connection), options));
  return connection;
}

/**
 * Makes a connection of a connected socket.
 *
 * @throws as `Reactor.adopt`
 */
export function adopt(
  loop: Loop,
  socket: Socket,
  options: ConnectionOptions,
): Connection {
  checkOptions(options, CONNECTION_OPTIONS);
  const settings = connectionSettings(loop, options);
  checkGivenSocket(socket, "stream");
  // Throws if there is no peer. The address of another domain cannot be read.
  if (socket.domain !== "other") void socket.remoteAddress;
  socket.setBlocking(false);
  return new Connection(loop, socket, settings);
}

/** Starts to connect, after looking up the hostname if it is a name. */
export function startTo(target: SocketAddress, connector: Connector): void {
  if ("path" in target) return connector.start([target]);
  const known = knownAddresses(target);
  if (known !== null) connector.start(known);
  else connector.startAfter(target.hostname, () => lookUp(target));
}

const resolverModule = lateModule(() => import("./resolver.ts"));

async function lookUp(address: InternetAddress): Promise<InternetAddress[]> {
  const resolver = await resolverModule();
  return await resolver.lookUp(address);
}
