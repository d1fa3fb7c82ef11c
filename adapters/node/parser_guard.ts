/**
 * Keeps the bytes of a connection away from a parser that serves another one.
 *
 * `node:http` of Deno gives the parser of a socket back after a malformed request, and
 * after a request that took too long. Its listener for bytes stays. If a listener for
 * "clientError" leaves the socket open, later bytes still go to the parser, which may
 * serve another connection by then. There they would be a request, or a part of one.
 *
 * Source: `socketOnError` and `socketOnData` in `ext/node/polyfills/_http_server.js` of
 * Deno 2.9.
 *
 * @module
 */

import type { Duplex } from "node:stream";

/** A socket of a server. `node:http` sets its parser to null when it gives it back. */
type ServedSocket = Duplex & { parser?: object | null };

type Listener = (bytes: Uint8Array) => void;

/** How the name of the server's listener ends. */
const LISTENER = "socketOnData";

/**
 * Guards the parser that `node:http` has just given to a socket, if it has. Bytes that
 * come when the socket has it no more are discarded.
 */
export function guardParser(socket: ServedSocket): void {
  const { parser } = socket;
  if (!parser) return;
  const listeners = socket.rawListeners("data") as Listener[];
  const place = listeners.length === 1
    ? 0
    : listeners.findIndex(({ name }) => name.endsWith(LISTENER));
  if (place < 0) return;
  const [listener, ...later] = listeners.slice(place);
  const guarded = (bytes: Uint8Array): void => {
    if (socket.parser === parser) listener!(bytes);
  };
  // By this property an upgrade finds the listener that it removes.
  guarded.listener = listener;
  // The later ones also, to keep their order.
  for (const one of [listener!, ...later]) socket.off("data", one);
  for (const one of [guarded, ...later]) socket.on("data", one);
}
