/**
 * Many descriptors, of which some are ready: eventfds on Linux, sockets elsewhere.
 *
 * @module
 */

import { type Socket, socketPair } from "../backends/ffi/socket.ts";
import { Eventfds } from "./eventfds.ts";

/** Descriptors that a `using` scope closes. */
export interface ReadyFiles extends Disposable {
  readonly fds: readonly number[];
  /** Makes the last `count` of them ready. */
  raise(count: number): void;
}

/** Opens descriptors, none of which is ready. */
export function readyFiles(count: number): ReadyFiles {
  return Deno.build.os === "linux" ? new Eventfds(count) : new Sockets(count);
}

/** Datagram sockets, each with a peer. */
class Sockets implements ReadyFiles {
  readonly fds: readonly number[];
  readonly #pairs: readonly [Socket, Socket][];

  constructor(count: number) {
    this.#pairs = Array.from({ length: count }, () => socketPair("datagram"));
    this.fds = this.#pairs.map(([_, { fd }]) => fd);
  }

  raise(count: number): void {
    const one = new Uint8Array(1);
    for (const [peer] of this.#pairs.slice(-count)) peer.send(one);
  }

  [Symbol.dispose](): void {
    for (const [peer, socket] of this.#pairs) {
      peer.close();
      socket.close();
    }
  }
}
