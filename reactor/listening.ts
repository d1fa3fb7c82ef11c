/**
 * `Reactor.listen`: an acceptor whose connections have callbacks and limits.
 *
 * @module
 */

import type { Socket } from "../backends/ffi/socket.ts";
import { Acceptor, setFull } from "./acceptor.ts";
import { checkCallback } from "./callback.ts";
import { Connection } from "./connection.ts";
import { connectionSettings } from "./connection_options.ts";
import { admissionOf, type ListenOptions } from "./listen_options.ts";
import { ListeningSocket } from "./listening_socket.ts";
import type { Loop } from "./loop.ts";

/**
 * Listens, and calls a function with each connection.
 *
 * @throws as `Reactor.listen`
 */
export function listen(
  loop: Loop,
  options: ListenOptions,
  onConnection: (connection: Connection) => void,
): Acceptor {
  const { maximumConnections, idleTimeout } = admissionOf(options);
  checkCallback(onConnection);
  let open = 0;
  const settings = connectionSettings(loop, options, () => {
    if (open-- === maximumConnections) setFull(acceptor, false);
  });
  const onAccept = (socket: Socket): void => {
    const connection = new Connection(loop, socket, settings);
    if (++open === maximumConnections) setFull(acceptor, true);
    if (idleTimeout > 0) connection.setIdleTimeout(idleTimeout);
    try {
      onConnection(connection);
    } catch (error) {
      connection.abort(error as Error);
      throw error;
    }
  };
  const listening = ListeningSocket.create(options);
  const acceptor = acceptorOf(loop, listening, onAccept, onConnection.name);
  return acceptor;
}

function acceptorOf(
  loop: Loop,
  listening: ListeningSocket,
  onAccept: (socket: Socket) => void,
  name: string,
): Acceptor {
  try {
    return new Acceptor(loop, listening, onAccept, name);
  } catch (error) {
    // The reactor is closed, or its selector has no room.
    listening.close();
    throw error;
  }
}
