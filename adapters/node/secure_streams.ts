/**
 * The streams under those of `node:tls`.
 *
 * `write()` and then `destroy()` of a stream of TLS send the bytes on Deno's own
 * sockets. Any other stream beneath is destroyed first, then gets the encrypted bytes
 * before the next microtask, and they are lost. So are the answers of `node:https` to
 * malformed and to late requests, after which it destroys at once.
 *
 * Source: `pump` in `ext/node/polyfills/internal_binding/tls_wrap.ts`, and `doClose` in
 * `ext/node/polyfills/internal/js_stream_socket.js` of Deno 2.9.
 *
 * @module
 */

import type { Server } from "node:net";
import { Duplex } from "node:stream";

/** Whether a server gives its connections to `node:tls`. */
function isSecure(server: Server): boolean {
  // Only these have it. To import `node:tls` for a test would load it.
  return typeof (server as { setSecureContext?: unknown }).setSecureContext ===
    "function";
}

/** Lets the stream of a secure server send the bytes that TLS encrypts after its end. */
export function sendBeforeDestroy(server: Server, stream: Duplex): void {
  if (isSecure(server)) stream.destroy = destroyLater;
}

/** Destroys in a microtask, which follows those that pass the encrypted bytes on. */
function destroyLater(this: Duplex, error?: Error): Duplex {
  queueMicrotask(() => Duplex.prototype.destroy.call(this, error));
  return this;
}
