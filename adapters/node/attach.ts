/**
 * Lets a server of Node serve the connections of a reactor.
 *
 * @module
 */

import type { Server } from "node:net";
import { nextTick } from "node:process";
import type { Acceptor } from "../../reactor/acceptor.ts";
import type { Connection } from "../../reactor/connection.ts";
import type { ListenOptions } from "../../reactor/listen_options.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import {
  addDirectHandle,
  addDirectReads,
  ConnectionDuplex,
} from "./connection_duplex.ts";
import { nodeError, withCode } from "./errors.ts";
import { guardParser } from "./parser_guard.ts";
import { handleOf, internalsOf } from "./server_handle.ts";
import { noteThrown } from "./thrown_errors.ts";

/** The address to listen on, and limits, as those of `Reactor.listen`. */
export type AttachOptions = Omit<ListenOptions, "reuseBuffer">;

/**
 * Listens on a reactor for a server of `node:http`, `node:https`, `node:net` or
 * `node:tls`, in place of its `listen()`. The server then is listening: `address()`,
 * `close()`, `ref()`, `unref()`, `maxConnections` and the events "listening",
 * "connection", "drop" and "close" are as after `listen()`.
 *
 * Closing the server closes the acceptor. When the acceptor is closed first, also with
 * the reactor, the server is closed, too.
 *
 * At the limit `maximumConnections` of the reactor, further connections wait in the
 * backlog. At the server's own `maxConnections` they are accepted and dropped.
 *
 * @param server A server that is not listening
 * @returns the acceptor
 * @throws {Error} if the server is listening; the `code` is "ERR_SERVER_ALREADY_LISTEN"
 * @throws {TypeError} if the address is malformed, or an option unknown
 * @throws {RangeError} if the port, the backlog or a limit is out of range
 * @throws {SystemError} `Deno.errors.AddrInUse` and others
 */
export function attach(
  server: Server,
  reactor: Reactor,
  options: AttachOptions,
): Acceptor {
  if (server.listening) {
    const why = "The server is listening: close it before attaching it";
    throw withCode("ERR_SERVER_ALREADY_LISTEN", new Error(why));
  }
  if ("reuseBuffer" in options) {
    throw new TypeError('Unknown option "reuseBuffer" for a server of Node');
  }
  const acceptor = reactor.listen(
    // The streams copy received bytes.
    { ...options, reuseBuffer: true } as ListenOptions,
    (connection) => accept(server, connection),
  );
  bind(server, acceptor);
  guardSecure(server);
  return acceptor;
}

/** Makes the two one: listening, and closed together. */
function bind(server: Server, acceptor: Acceptor): void {
  const internals = internalsOf(server);
  const handle = handleOf(acceptor);
  internals._handle = handle;
  if ("path" in acceptor.address) internals._pipeName = acceptor.address.path;
  acceptor.onClose = (error) => {
    if (error !== undefined) server.emit("error", nodeError(error));
    // The server may have been closed, and listen elsewhere by now.
    if (internals._handle === handle) server.close();
  };
  // The server of node:http prepares itself in its "listening" event.
  acceptor.pause();
  nextTick(() => {
    acceptor.resume();
    if (internals._handle === handle) server.emit("listening");
  });
}

/** Guards the parsers of `node:https`, which gets streams of `node:tls`. */
function guardSecure(server: Server): void {
  const event = "secureConnection";
  if (!server.listeners(event).includes(guardParser)) {
    server.on(event, guardParser);
  }
}

function accept(server: Server, connection: Connection): void {
  const internals = internalsOf(server);
  const { maxConnections } = server;
  // Without a limit it is undefined, or null.
  if (internals._connections >= (maxConnections ?? Infinity)) {
    return drop(server, connection);
  }
  const duplex = new ConnectionDuplex(connection, {
    allowHalfOpen: internals.allowHalfOpen,
    pauseOnCreate: internals.pauseOnConnect,
  });
  internals._connections++;
  duplex.server = server;
  addDirectHandle(duplex);
  duplex.once("close", () => {
    internals._connections--;
    internals._emitCloseIfDrained();
  });
  try {
    server.emit("connection", duplex);
  } catch (error) {
    throw noteThrown(error);
  }
  guardParser(duplex);
  addDirectReads(duplex);
}

/** Closes a connection beyond the server's own limit. */
function drop(server: Server, connection: Connection): void {
  const duplex = new ConnectionDuplex(connection);
  const { localAddress, localPort, localFamily } = duplex;
  const { remoteAddress, remotePort, remoteFamily } = duplex;
  duplex.destroy();
  server.emit("drop", {
    localAddress,
    localPort,
    localFamily,
    remoteAddress,
    remotePort,
    remoteFamily,
  });
}
