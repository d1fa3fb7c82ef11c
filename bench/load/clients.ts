/**
 * The client ends of a load's connections, and the epoll instance that watches them.
 *
 * @module
 */

import { EPOLL_CTL_ADD, EPOLLIN, EpollInstance } from "../../backends/epoll.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import { unaccepted } from "../proc.ts";
import { LoadError, PATIENCE } from "./load.ts";

/** After so many connections the server has to answer, so that its backlog never overflows. */
const BATCH = 128;

/** Large enough for a message of 64 KiB to be sent by one call. */
const SEND_BUFFER_BYTES = 128 * 1024;

/** The kind of connections. */
export interface ClientOptions {
  /** Whether the connections must not send while connecting. Default: false. */
  readonly silent?: boolean;
  /** The events to wait for. Default: EPOLLIN. */
  readonly events?: number;
}

/** Connections to one server, all of them registered with one epoll instance. */
export class Clients implements Disposable {
  readonly epoll: EpollInstance = new EpollInstance();
  readonly fds: Int32Array;
  readonly #sockets: Socket[] = [];

  /**
   * @param port The server's port on 127.0.0.1
   * @param count How many connections
   */
  constructor(port: number, count: number, options: ClientOptions = {}) {
    const { silent = false, events = EPOLLIN } = options;
    this.epoll.reserve(count);
    for (let i = 0; i < count; i++) {
      const socket = connected(port);
      this.#sockets.push(socket);
      const last = i === count - 1 || i % BATCH === BATCH - 1;
      if (last && silent) awaitAccepted(port);
      else if (last) echoOnce(socket);
    }
    this.fds = Int32Array.from(this.#sockets, (socket) => socket.fd);
    for (const fd of this.fds) this.epoll.control(EPOLL_CTL_ADD, fd, events, 0);
  }

  /** The largest descriptor plus one, which is the length of a table by descriptor. */
  get tableLength(): number {
    return this.fds.reduce((a, b) => Math.max(a, b), 0) + 1;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.close();
    this.epoll.close();
  }
}

/** Opens an established connection. */
function connected(port: number): Socket {
  const socket = Socket.create("IPv4", "stream");
  socket.setOption("noDelay", true);
  socket.setOption("sendBufferSize", SEND_BUFFER_BYTES);
  // It blocks, so that a SYN that a full backlog discards is sent again.
  socket.setBlocking(true);
  socket.connect({ hostname: "127.0.0.1", port });
  socket.setBlocking(false);
  return socket;
}

/** Checks that the server has accepted this connection, and echoes. */
function echoOnce(socket: Socket): void {
  const sent = crypto.getRandomValues(new Uint8Array(32));
  socket.send(sent);
  const received = new Uint8Array(new ArrayBuffer(64));
  const deadline = performance.now() + PATIENCE;
  let count = -1;
  while (count === -1 && performance.now() < deadline) {
    count = socket.recv(received);
  }
  if (count !== 32 || sent.some((byte, i) => byte !== received[i])) {
    throw new LoadError(`the server sent back ${count} of 32 bytes`);
  }
}

/** Waits until the server has accepted all connections, without sending anything. */
function awaitAccepted(port: number): void {
  const deadline = performance.now() + PATIENCE;
  while (unaccepted(port) > 0) {
    if (performance.now() > deadline) {
      throw new LoadError("the server does not accept");
    }
  }
}
