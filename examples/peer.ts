/**
 * What all servers of the article do with their sockets, whichever call tells
 * them when: listen, accept, receive, and send what was queued.
 *
 * @module
 */

import {
  type InternetAddress,
  isSystemError,
  Socket,
  WOULD_BLOCK,
} from "../mod.ts";
import { addressRepr } from "./python_notation.ts";

/** How accepting fails if a peer left before its turn; macOS then has EINVAL for its address. */
const GONE_BEFORE_ACCEPTED = ["ECONNABORTED", "ENOTCONN", "EINVAL"];

/** As much as one `receive()` takes. */
const buffer = new Uint8Array(1024);

const encoder = new TextEncoder();

/** A listening socket, IPv4 or IPv6. */
export function listen(address: InternetAddress): Socket {
  const server = Socket.create(
    address.hostname.includes(":") ? "IPv6" : "IPv4",
  );
  // A server that was stopped a moment ago can be started again at the same port.
  server.setOption("reuseAddress", true);
  server.bind(address);
  server.listen();
  return server;
}

/** The next connection, or null if none waits. */
export function accept(server: Socket): Peer | null {
  for (;;) {
    try {
      const socket = server.accept();
      return socket === null ? null : new Peer(socket);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (!GONE_BEFORE_ACCEPTED.includes(error.code)) throw error;
    }
  }
}

/** One connection of a server, and the messages that wait to be sent to it. */
export class Peer {
  /** Where the peer is, as Python writes it: kept, since nobody can tell once it is gone. */
  readonly address: string;
  /** Whether the peer will send no more. It may still be waiting for its replies. */
  ended = false;
  readonly #socket: Socket;
  readonly #messages: Uint8Array<ArrayBuffer>[] = [];

  /** Takes over a socket that was just accepted. */
  constructor(socket: Socket) {
    this.#socket = socket;
    try {
      this.address = addressRepr(socket.remoteAddress);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** The descriptor: a peer can be waited for like a socket. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** Whether there is something to send. */
  get hasMessages(): boolean {
    return this.#messages.length > 0;
  }

  /** What the peer has sent, or null for nothing: not yet or, once it has `ended`, no more. */
  receive(): Uint8Array | null {
    try {
      const count = this.#socket.recv(buffer);
      if (count > 0) return buffer.slice(0, count);
      if (count === 0) this.ended = true;
    } catch (error) {
      this.#giveUp(error);
    }
    return null;
  }

  /** Puts a message into the queue. */
  put(message: string): void {
    this.#messages.push(encoder.encode(message));
  }

  /** Sends as much of the queue as the peer takes now. */
  sendMessages(): void {
    try {
      while (this.hasMessages && this.#sendFirst());
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.close();
  }

  /** Returns whether there was room for all of it. */
  #sendFirst(): boolean {
    const message = this.#messages[0]!;
    const sent = this.#socket.send(message);
    if (sent === message.length) {
      this.#messages.shift();
      return true;
    }
    // The article throws away what `send` did not take: here it stays the first.
    if (sent !== WOULD_BLOCK) this.#messages[0] = message.subarray(sent);
    return false;
  }

  /** A connection that was reset is its own loss, and not the server's end. */
  #giveUp(error: unknown): void {
    if (!isSystemError(error)) throw error;
    this.ended = true;
    this.#messages.length = 0;
  }
}
