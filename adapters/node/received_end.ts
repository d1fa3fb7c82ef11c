/**
 * The peer's end of file, as a stream of Node gets it.
 *
 * Source: `socketOnEnd` and `updateOutgoingData` in
 * `ext/node/polyfills/_http_server.js` of Deno 2.9.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { type Connected, isBeneathTls } from "./secure_streams.ts";

/** A socket. Only one of a server or a client of `node:http` has a parser. */
type Parsed = Connected & { readonly parser?: object | null };

/**
 * Lets "end" be emitted, also where nothing reads. At the end `node:http` aborts the
 * requests whose answers wait. It has paused the socket when many bytes of them do, and
 * a paused socket of Deno receives no end. So the end waits until it is resumed.
 */
export function pushEnd(socket: Parsed): void {
  if (socket.destroyed) return;
  if (socket.parser && socket.isPaused()) {
    // Bytes that wait are parsed first. They may be answered, or pause it again.
    socket.once("resume", () => setImmediate(() => pushEnd(socket)));
    return;
  }
  // Its end destroys the stream of TLS, which may still hold bytes. That ends it later.
  if (isBeneathTls(socket)) socket.allowHalfOpen = true;
  socket.push(null);
  socket.read(0);
}
