/**
 * The closed loop: each connection sends a message, and the next one when the first has
 * come back.
 *
 * @module
 */

import { EPOLLET, EPOLLIN } from "../../backends/epoll.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { pageAligned } from "../../backends/ffi/memory.ts";
import { Clients } from "./clients.ts";
import type { Latencies } from "./latencies.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

const RECEIVE_BYTES = 256 * 1024;

/**
 * Messages of one size, short enough for one `send`. The load does less than
 * `c_epoll_echo.c`. It is edge-triggered, with one receive and one send for a message.
 * It reads the clock once for a wait, and allocates nothing.
 */
export class ClosedLoop implements Load {
  readonly #clients: Clients;
  readonly #size: number;
  readonly #message: ArrayBuffer;
  readonly #buffer = pageAligned(RECEIVE_BYTES);
  /** By descriptor: the missing bytes of the message, and when it was sent. */
  readonly #missing: Int32Array;
  readonly #sentAt: Float64Array;

  constructor(port: number, connections: number, size: number) {
    // One receive takes all bytes, so a level-triggered wait would only cost more.
    const events = EPOLLIN | EPOLLET;
    this.#clients = new Clients(port, connections, { events });
    this.#size = size;
    this.#message = new Uint8Array(size).fill(0x2a).buffer;
    this.#missing = new Int32Array(this.#clients.tableLength);
    this.#sentAt = new Float64Array(this.#clients.tableLength);
  }

  get connections(): number {
    return this.#clients.fds.length;
  }

  run(milliseconds: number, latencies: Latencies): number {
    const { recv } = libc();
    const { epoll } = this.#clients;
    const buffer = this.#buffer;
    const missing = this.#missing;
    const sentAt = this.#sentAt;

    let now = performance.now();
    const end = now + milliseconds;
    for (const fd of this.#clients.fds) this.#send(fd, now);

    let pending = this.connections;
    let messages = 0;
    while (pending > 0) {
      const count = epoll.wait(PATIENCE);
      now = performance.now();
      if (count === 0) throw new LoadError(`${pending} messages were lost`);
      const events = epoll.events;
      for (let i = 0; i < count; i++) {
        const fd = events.fd(i);
        const received = recv(fd, buffer, RECEIVE_BYTES, 0);
        if (received <= 0) {
          throw new LoadError("the server has closed a connection");
        }
        if ((missing[fd]! -= received) > 0) continue;
        messages++;
        latencies.add(now - sentAt[fd]!);
        if (now < end) this.#send(fd, now);
        else pending--;
      }
    }
    return messages;
  }

  #send(fd: number, now: number): void {
    this.#sentAt[fd] = now;
    this.#missing[fd] = this.#size;
    if (libc().send(fd, this.#message, this.#size, 0) !== this.#size) {
      throw new LoadError("a message did not fit into the send buffer");
    }
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }
}
