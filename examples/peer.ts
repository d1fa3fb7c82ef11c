/**
 * The part that all servers of the article share, whichever call reports readiness:
 * listen, accept, receive, and send the messages that are queued.
 *
 * @module
 */

import {
  type InternetAddress,
  isSystemError,
  Socket,
  type SocketAddress,
  WOULD_BLOCK,
} from "../mod.ts";
import { report } from "./command_line.ts";
import { addressRepr } from "./python_notation.ts";

/** How accepting fails if a peer left before its turn; macOS then has EINVAL for its address. */
const GONE_BEFORE_ACCEPTED = ["ECONNABORTED", "ENOTCONN", "EINVAL"];

/** How accepting fails until a descriptor or memory is freed, here or in another process. */
const SHORTAGES = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** How long nothing is accepted after a shortage, in milliseconds. */
const REST = 100;

/** With this many bytes that a peer does not read, its own messages are not read either. */
const HIGH_WATER_MARK = 64 * 1024;

/** One `receive()` takes as much as the article's `recv(1024)`. */
const buffer = new Uint8Array(1024);

const encoder = new TextEncoder();

/** A listening socket, IPv4 or IPv6. */
export function listen(address: InternetAddress): Socket {
  const server = Socket.createFor(address);
  // A server that was stopped a moment ago can be started again at the same port.
  server.setOption("reuseAddress", true);
  server.bind(address);
  server.listen();
  return server;
}

/** The bytes that a peer has sent: none at its end, null if there are none yet. */
export function receive(socket: Socket): Uint8Array | null {
  const count = socket.recv(buffer);
  return count === WOULD_BLOCK ? null : buffer.slice(0, count);
}

/**
 * Accepts connections, and rests when the process has no descriptor left: the listening
 * socket stays readable then, and every wait would return at once. The article's
 * servers end.
 */
export class Acceptor {
  readonly #server: Socket;
  readonly #watch: () => void;
  readonly #unwatch: () => void;
  #restsUntil: number | null = null;
  #isShort = false;

  /**
   * Starts to accept.
   *
   * @param server A listening socket
   * @param watch Adds the socket to those that are waited for
   * @param unwatch Takes it out of them
   */
  constructor(server: Socket, watch: () => void, unwatch: () => void) {
    this.#server = server;
    this.#watch = watch;
    this.#unwatch = unwatch;
    watch();
  }

  /** The next connection and its peer's address, or null if there is none. */
  accept(): [connection: Socket, address: SocketAddress] | null {
    for (;;) {
      try {
        const accepted = this.#server.acceptFrom();
        this.#isShort = false;
        return accepted;
      } catch (error) {
        if (!isSystemError(error)) throw error;
        if (SHORTAGES.includes(error.code)) return this.#rest(error);
        if (!GONE_BEFORE_ACCEPTED.includes(error.code)) throw error;
      }
    }
  }

  /** How long the next wait may be, in milliseconds: for ever, except during a rest. */
  timeout(): number | undefined {
    if (this.#restsUntil === null) return undefined;
    const left = this.#restsUntil - performance.now();
    if (left > 0) return left;
    this.#restsUntil = null;
    this.#watch();
    return undefined;
  }

  /** Connections wait in the backlog meanwhile. A shortage is reported once. */
  #rest(error: Error): null {
    if (!this.#isShort) report(error);
    this.#isShort = true;
    this.#restsUntil = performance.now() + REST;
    this.#unwatch();
    return null;
  }
}

/** One connection of a server, and the messages that wait to be sent to it. */
export class Peer {
  /** The peer's address as Python writes it: once the peer is gone, it cannot be asked for. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #messages: Uint8Array<ArrayBuffer>[] = [];
  #queued = 0;
  #ended = false;

  /** Takes over a socket that was just accepted. */
  constructor(socket: Socket, address: SocketAddress) {
    this.#socket = socket;
    this.address = addressRepr(address);
  }

  /** The descriptor: a peer can be waited for like a socket. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** Whether to wait for messages: not after their end, nor while the replies pile up. */
  get wantsRead(): boolean {
    return !this.#ended && this.#queued < HIGH_WATER_MARK;
  }

  /**
   * Whether to wait for room. The article's selectors server waits for it with nothing
   * to send, too: a socket nearly always has room, so its loop never sleeps.
   */
  get wantsWrite(): boolean {
    return this.#messages.length > 0;
  }

  /** The bytes of a message, or null for none: not yet, or no more. */
  receive(): Uint8Array | null {
    try {
      const data = receive(this.#socket);
      if (data?.length !== 0) return data;
      this.#ended = true;
    } catch (error) {
      this.#giveUp(error);
    }
    return null;
  }

  /** Puts a message into the queue. */
  put(message: string): void {
    const bytes = encoder.encode(message);
    this.#messages.push(bytes);
    this.#queued += bytes.length;
  }

  /** Sends as much of the queue as there is room for. */
  sendMessages(): void {
    try {
      while (this.wantsWrite && this.#sendFirst());
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
    if (sent === WOULD_BLOCK) return false;
    this.#queued -= sent;
    if (sent === message.length) {
      this.#messages.shift();
      return true;
    }
    // The article loses the bytes that `send` did not take: here they stay the first.
    this.#messages[0] = message.subarray(sent);
    return false;
  }

  /** A reset ends one connection; the article's servers end with it. */
  #giveUp(error: unknown): void {
    if (!isSystemError(error)) throw error;
    this.#ended = true;
    this.#messages.length = this.#queued = 0;
  }
}
