/**
 * The connection to NATS, by a connection of the reactor.
 *
 * @module
 */

import { once } from "node:events";
import type { Socket } from "node:net";
import {
  type NatsConnection,
  NatsConnectionImpl,
  setTransportFactory,
} from "@nats-io/transport-node";
import { NodeTransport } from "@nats-io/transport-node/transport";
import { createConnection } from "../../adapters/node/mod.ts";
import type { InternetAddress, Reactor } from "../../mod.ts";
import { Refusal } from "../command_line.ts";

/** How long a connection to the broker may take to be established, in milliseconds. */
const PATIENCE = 5000;

/** The pause between two tries to connect again, in milliseconds. */
const RETRY = 250;

/**
 * Connects to one of several brokers, and connects again whenever that connection is
 * lost.
 *
 * The client of NATS has no option for its sockets. But it opens all of them by the method
 * `dial` of its transport, so this is a subclass.
 *
 * @param brokers Addresses with ports, separated by commas
 */
export async function connectBroker(
  reactor: Reactor,
  brokers: string,
): Promise<NatsConnection> {
  class ReactorTransport extends NodeTransport {
    override dial(address: InternetAddress): Promise<Socket> {
      return dial(reactor, address);
    }
  }
  setTransportFactory({ factory: () => new ReactorTransport() });
  try {
    return await NatsConnectionImpl.connect({
      servers: brokers.split(","),
      resolve: false,
      timeout: PATIENCE,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY,
    });
  } catch (error) {
    const why = (error as Error).message;
    throw new Refusal(`Cannot connect to the broker ${brokers}: ${why}`);
  }
}

/** Resolves when the connection is established. Later errors are those of the client. */
async function dial(
  reactor: Reactor,
  { hostname, port }: InternetAddress,
): Promise<Socket> {
  const options = { hostname, port, timeout: PATIENCE };
  const socket = createConnection(reactor, options);
  await once(socket, "connect");
  // It has the members of a socket that the client uses.
  return socket as unknown as Socket;
}
