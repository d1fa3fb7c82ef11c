/**
 * `Reactor.connect`: a connection that a connector connects.
 *
 * @module
 */

import type {
  InternetAddress,
  SocketAddress,
} from "../backends/ffi/socket_address.ts";
import { knownAddresses } from "./addresses.ts";
import { type ConnectOptions, connectTarget } from "./connect_options.ts";
import { connectingOf, Connection } from "./connection.ts";
import { connectionSettings } from "./connection_options.ts";
import { Connector } from "./connector.ts";
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

/** Starts to connect, after looking up the hostname if it is a name. */
export function startTo(target: SocketAddress, connector: Connector): void {
  if ("path" in target) return connector.start([target]);
  const known = knownAddresses(target);
  if (known !== null) connector.start(known);
  else connector.startAfter(target.hostname, () => lookUp(target));
}

/** Loads the resolver when a name needs it: each module costs 0.2 ms of a start. */
async function lookUp(address: InternetAddress): Promise<InternetAddress[]> {
  const resolver = await import("./resolver.ts");
  return await resolver.lookUp(address);
}
