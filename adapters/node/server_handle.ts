/**
 * The parts of a `net.Server` by which it knows what it listens with.
 *
 * `listening`, `address()`, `close()`, `ref()` and `unref()` of a server use its
 * `_handle`, in Node since 0.2 and in Deno. Its `close` event waits for `_connections`.
 * They are not documented, but there are no others: without a handle `node:http` of Deno
 * destroys each connection after its first answer.
 *
 * Source: `lib/net.js` of Node 20 and `ext/node/polyfills/net.ts` of Deno 2.
 *
 * @module
 */

import type { Server } from "node:net";
import type { Acceptor } from "../../reactor/acceptor.ts";
import { type NodeAddress, nodeAddress } from "./addresses.ts";

/** The methods of a handle that a server calls. */
export interface ServerHandle {
  /** Stops listening. */
  close(): void;
  /** Keeps the process alive. */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
  /** Fills in the address, and returns 0. A Unix socket has no such method. */
  getsockname?(address: Partial<NodeAddress>): number;
}

/** The undocumented properties of a server. */
export interface ServerInternals {
  _handle: ServerHandle | null;
  /** The path of a Unix socket, which `address()` returns. */
  _pipeName: string | undefined;
  /** How many connections are open. */
  _connections: number;
  /** Emits "close" once no connection is left. */
  _emitCloseIfDrained(): void;
  /** The option of the constructor. */
  readonly allowHalfOpen: boolean;
  /** The option of the constructor. */
  readonly pauseOnConnect: boolean;
}

/** A server with its undocumented properties. */
export function internalsOf(server: Server): ServerInternals {
  return server as unknown as ServerInternals;
}

/** Makes a handle of an acceptor. */
export function handleOf(acceptor: Acceptor): ServerHandle {
  const handle: ServerHandle = {
    close: () => acceptor.close(),
    ref: () => acceptor.ref(),
    unref: () => acceptor.unref(),
  };
  const address = nodeAddress(acceptor.address);
  if (address === null) return handle;
  return {
    ...handle,
    getsockname: (result): number => {
      Object.assign(result, address);
      return 0;
    },
  };
}
