/**
 * `Reactor.listen`: an acceptor whose connections have callbacks and limits.
 *
 * @module
 */

import type { Socket } from "../backends/ffi/socket.ts";
import { Acceptor } from "./acceptor.ts";
import { checkCallback } from "./callback.ts";
import { Connection, connectionLimits } from "./connection.ts";
import { admissionOf, type ListenOptions } from "./listen_options.ts";
import { createListeningSocket } from "./listening_socket.ts";
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
  const limits = connectionLimits(loop, options, () => {
    if (open-- === maximumConnections) acceptor.setFull(false);
  });
  const { socket, file } = createListeningSocket(options);
  const onAccept = (accepted: Socket): void => {
    const connection = new Connection(loop, accepted, limits);
    if (++open === maximumConnections) acceptor.setFull(true);
    if (idleTimeout > 0) connection.setIdleTimeout(idleTimeout);
    try {
      onConnection(connection);
    } catch (error) {
      connection.abort(error as Error);
      throw error;
    }
  };
  const acceptor = new Acceptor(loop, socket, onAccept, () => {}, file);
  return acceptor;
}
