/**
 * The old process of a restart: offers its listeners until a new one takes them.
 *
 * @module
 */

import { close } from "../../backends/ffi/descriptor.ts";
import type { Socket } from "../../backends/ffi/socket.ts";
import { Acceptor } from "../../reactor/acceptor.ts";
import type { Connection } from "../../reactor/connection.ts";
import type { Datagram } from "../../reactor/datagram.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import { sendLine } from "./line_socket.ts";
import { checkSameUser } from "./same_user.ts";

/** Listeners and datagram sockets by names of your choice. */
export type Listeners = Readonly<Record<string, Acceptor | Datagram>>;

/** The line that the new process sends when it can serve. */
export const READY = "ready";

/** The line that the old process sends when it has stopped accepting. */
const DONE = "done";

/** Listens for new processes, and sends each of them the listeners. */
export class Offer {
  readonly #listeners: Listeners;
  readonly #onTaken: () => void;
  readonly #meeting: Acceptor;
  readonly #peers = new Set<Connection>();

  /**
   * @param place The path to listen on, or the socket that an old process had there
   * @param onTaken Called after a new process has taken over
   * @throws as `Reactor.listen`
   */
  constructor(
    reactor: Reactor,
    place: { readonly path: string } | { readonly socket: Socket },
    listeners: Listeners,
    onTaken: () => void,
  ) {
    this.#listeners = listeners;
    this.#onTaken = onTaken;
    this.#meeting = reactor.listen(place, (peer) => this.#propose(peer));
    this.#meeting.unref();
  }

  /** Offers nothing any more. */
  close(): void {
    this.#meeting.close();
    for (const peer of this.#peers) peer.close();
  }

  /** Sends the listeners to a new process, which is not ready yet. */
  #propose(peer: Connection): void {
    checkSameUser(peer.socket);
    const open = Object.entries(this.#listeners)
      .filter(([_, listener]) => !listener.closed);
    const names = open.map(([name]) => name);
    sendLine(peer.socket, JSON.stringify(names), open.map(([_, l]) => l));
    this.#peers.add(peer);
    peer.unref();
    let received = "";
    peer.onData = (chunk) => {
      received += new TextDecoder().decode(chunk);
      if (received === `${READY}\n`) this.#handOver(peer);
    };
    peer.onClose = () => this.#peers.delete(peer);
  }

  #handOver(peer: Connection): void {
    // The reactor is shutting down, and has closed the listeners.
    if (this.#meeting.closed) return peer.close();
    // If the new process has ended, this throws, and nothing has changed.
    sendLine(peer.socket, DONE, [this.#meeting]);
    for (const listener of Object.values(this.#listeners)) release(listener);
    release(this.#meeting);
    for (const peer of this.#peers) peer.close();
    this.#onTaken();
  }
}

/** Closes this process's copy; the file of a Unix listener is the other's now. */
function release(listener: Acceptor | Datagram): void {
  if (listener.closed) return;
  if (listener instanceof Acceptor) close(listener.detach());
  else listener.close();
}
