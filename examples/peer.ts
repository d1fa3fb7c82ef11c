/**
 * The part that the servers of docs/io_multiplexing.md share, whichever call reports
 * readiness: listen, accept, receive, and send queued messages.
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

/** Errors of `accept` after the peer closed too early; EINVAL is of macOS, for its address. */
const GONE_BEFORE_ACCEPTED = ["ECONNABORTED", "ENOTCONN", "EINVAL"];

/** Errors of `accept` until a descriptor or memory is freed, here or in another process. */
const SHORTAGES = ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"];

/** The pause after a shortage, in milliseconds. */
const PAUSE = 100;

/** A shortage goes on, and is not reported again, unless it was over for this time. */
const OVER = 10 * PAUSE;

/** While this many bytes wait to be sent, no messages are read from the peer. */
const HIGH_WATER_MARK = 64 * 1024;

/** As many bytes as the article's `recv(1024)` takes. */
const buffer = new Uint8Array(1024);

/**
 * Whether the option is needed to start a server again at the port of one that has just
 * ended. Windows allows it anyway. There the option would let others take the port over.
 */
const reusesAddress = Deno.build.os !== "windows";

const encoder = new TextEncoder();

/** Creates a listening socket, IPv4 or IPv6. */
export function listen(address: InternetAddress): Socket {
  const server = Socket.createFor(address);
  if (reusesAddress) server.setOption("reuseAddress", true);
  server.bind(address);
  server.listen();
  return server;
}

/** Receives bytes: an empty array at end of file, null if there are none yet. */
export function receive(socket: Socket): Uint8Array | null {
  const count = socket.recv(buffer);
  return count === WOULD_BLOCK ? null : buffer.slice(0, count);
}

/**
 * Accepts connections, and pauses while the process has no descriptor left. Without
 * the pause each wait would return at once, since the listening socket stays readable.
 * The article's servers end instead.
 */
export class Acceptor {
  readonly #server: Socket;
  readonly #watch: () => void;
  readonly #unwatch: () => void;
  #pausedUntil: number | null = null;
  #shortUntil = -Infinity;

  /**
   * Starts accepting.
   *
   * @param server A listening socket
   * @param watch Registers the socket
   * @param unwatch Unregisters it
   */
  constructor(server: Socket, watch: () => void, unwatch: () => void) {
    this.#server = server;
    this.#watch = watch;
    this.#unwatch = unwatch;
    watch();
  }

  /** Accepts a connection and returns it with its peer's address; null if there is none. */
  accept(): [connection: Socket, address: SocketAddress] | null {
    for (;;) {
      try {
        return this.#server.acceptFrom();
      } catch (error) {
        if (!isSystemError(error)) throw error;
        if (SHORTAGES.includes(error.code)) return this.#pause(error);
        if (!GONE_BEFORE_ACCEPTED.includes(error.code)) throw error;
      }
    }
  }

  /** The timeout of the next wait in milliseconds: the rest of a pause, or none. */
  timeout(): number | undefined {
    if (this.#pausedUntil === null) return undefined;
    const left = this.#pausedUntil - performance.now();
    if (left > 0) return left;
    this.#pausedUntil = null;
    this.#watch();
    return undefined;
  }

  /** Leaves connections in the backlog for a while. Reports a shortage once. */
  #pause(error: Error): null {
    const now = performance.now();
    if (now > this.#shortUntil + OVER) report(error);
    this.#shortUntil = this.#pausedUntil = now + PAUSE;
    this.#unwatch();
    return null;
  }
}

/** A connection of a server, and the queue of messages to send. */
export class Peer {
  /** The peer's address as Python prints it. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #messages: Uint8Array<ArrayBuffer>[] = [];
  #queued = 0;
  #hasEnded = false;

  /** Takes over an accepted socket. */
  constructor(socket: Socket, address: SocketAddress) {
    this.#socket = socket;
    this.address = addressRepr(address);
  }

  /** The descriptor, so that a peer can be registered like a socket. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** Whether to wait for messages: not after end of file, nor while the queue is full. */
  get wantsRead(): boolean {
    return !this.#hasEnded && this.#queued < HIGH_WATER_MARK;
  }

  /**
   * Whether to wait for room. The article's selectors server also waits for it with
   * nothing to send. A socket nearly always has room, so its loop never sleeps.
   */
  get wantsWrite(): boolean {
    return this.#messages.length > 0;
  }

  /** Receives the bytes of a message; null if there are none yet, or no more. */
  receive(): Uint8Array | null {
    try {
      const data = receive(this.#socket);
      if (data?.length !== 0) return data;
      this.#hasEnded = true;
    } catch (error) {
      this.#fail(error);
    }
    return null;
  }

  /** Adds a message to the queue. */
  put(message: string): void {
    const bytes = encoder.encode(message);
    this.#messages.push(bytes);
    this.#queued += bytes.length;
  }

  /** Sends from the queue while there is room. */
  sendMessages(): void {
    try {
      while (this.wantsWrite && this.#sendFirst());
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.close();
  }

  /** Sends the first message. Returns whether there was room for all of it. */
  #sendFirst(): boolean {
    const message = this.#messages[0]!;
    const sent = this.#socket.send(message);
    if (sent === WOULD_BLOCK) return false;
    this.#queued -= sent;
    if (sent === message.length) {
      this.#messages.shift();
      return true;
    }
    // The article loses bytes that one `send` does not take. Here they stay the first.
    this.#messages[0] = message.subarray(sent);
    return false;
  }

  /** Ends the connection after a reset, which ends the article's whole server. */
  #fail(error: unknown): void {
    if (!isSystemError(error)) throw error;
    this.#hasEnded = true;
    this.#messages.length = this.#queued = 0;
  }
}
