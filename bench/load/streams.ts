/**
 * Large messages, each of which is sent and received at the same time.
 *
 * @module
 */

import {
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
} from "../../backends/epoll.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { pageAligned } from "../../backends/ffi/memory.ts";
import { Clients } from "./clients.ts";
import type { Latencies } from "./latencies.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

const CHUNK_BYTES = 256 * 1024;
const READABLE = EPOLLIN | EPOLLERR | EPOLLHUP;

/** One message at a time on each connection, larger than any socket buffer. */
export class Streams implements Load {
  readonly #clients: Clients;
  readonly #size: number;
  readonly #chunk = pageAligned(CHUNK_BYTES);
  readonly #buffer = pageAligned(CHUNK_BYTES);
  /** By descriptor: the bytes to send, and to receive. */
  readonly #unsent: Int32Array;
  readonly #missing: Int32Array;
  readonly #sentAt: Float64Array;

  constructor(port: number, connections: number, size: number) {
    this.#clients = new Clients(port, connections);
    this.#size = size;
    this.#unsent = new Int32Array(this.#clients.tableLength);
    this.#missing = new Int32Array(this.#clients.tableLength);
    this.#sentAt = new Float64Array(this.#clients.tableLength);
  }

  get connections(): number {
    return this.#clients.fds.length;
  }

  run(milliseconds: number, latencies: Latencies): number {
    const { epoll } = this.#clients;
    let now = performance.now();
    const end = now + milliseconds;
    for (const fd of this.#clients.fds) this.#start(fd, now);

    let pending = this.connections;
    let messages = 0;
    while (pending > 0) {
      const count = epoll.wait(PATIENCE);
      now = performance.now();
      if (count === 0) throw new LoadError(`${pending} streams have stopped`);
      const events = epoll.events;
      for (let i = 0; i < count; i++) {
        const fd = events.fd(i);
        const bits = events.events(i);
        if ((bits & EPOLLOUT) !== 0) this.#send(fd);
        if ((bits & READABLE) === 0 || !this.#receive(fd)) continue;
        messages++;
        latencies.add(now - this.#sentAt[fd]!);
        if (now < end) this.#start(fd, now);
        else pending--;
      }
    }
    return messages;
  }

  #start(fd: number, now: number): void {
    this.#sentAt[fd] = now;
    this.#missing[fd] = this.#size;
    this.#unsent[fd] = this.#size;
    this.#clients.epoll.control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 0);
    this.#send(fd);
  }

  #send(fd: number): void {
    const length = Math.min(this.#unsent[fd]!, CHUNK_BYTES);
    const sent = libc().send(fd, this.#chunk, length, 0);
    if (sent < 0) return;
    if ((this.#unsent[fd]! -= sent) > 0) return;
    this.#clients.epoll.control(EPOLL_CTL_MOD, fd, EPOLLIN, 0);
  }

  /** Receives bytes. Returns whether the message is complete. */
  #receive(fd: number): boolean {
    const received = libc().recv(fd, this.#buffer, CHUNK_BYTES, 0);
    if (received <= 0) {
      throw new LoadError("the server has closed a connection");
    }
    return (this.#missing[fd]! -= received) === 0;
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }
}
