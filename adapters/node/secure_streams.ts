/**
 * The streams under those of `node:tls`.
 *
 * `write()` and then `destroy()` of a stream of TLS send the bytes on Deno's own
 * sockets. Any other stream beneath is destroyed first, then gets the encrypted bytes
 * before the next microtask, and they are lost. So are the answers of `node:https` to
 * malformed and to late requests, after which it destroys at once. Therefore such a
 * stream is destroyed in a microtask, which follows these bytes.
 *
 * Source: `pump` in `ext/node/polyfills/internal_binding/tls_wrap.ts`, `doClose` and
 * the listener in `ext/node/polyfills/internal/js_stream_socket.js` of Deno 2.9.
 *
 * @module
 */

import type { Server } from "node:net";
import type { Duplex } from "node:stream";

/** A connection. A client has no server. */
export type Connected = Duplex & {
  readonly server: Server | null;
  readonly _readableState?: { readonly pipes?: readonly unknown[] };
};

/** The name of the listener of `node:tls`, which that of `pipe()` has, too. */
const LISTENER = "ondata";

/** Whether `node:tls` reads and writes a stream. */
export function isBeneathTls(stream: Connected): boolean {
  // Only such a server has it. To import `node:tls` for a test would load it.
  if (stream.server !== null && "setSecureContext" in stream.server) {
    return true;
  }
  return stream.listeners("data").some(({ name }) => name === LISTENER) &&
    stream._readableState?.pipes?.length === 0;
}
