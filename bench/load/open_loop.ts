/**
 * The open loop: messages are sent on time, without waiting for answers. Their latency
 * counts from the time when they were due.
 *
 * @module
 */

import { libc } from "../../backends/ffi/libc.ts";
import { Clients } from "./clients.ts";
import type { Latencies } from "./latencies.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

/** How many random delays there are. */
const JITTERS = 1024;

/**
 * A fixed number of messages a second, over all connections in turn. The loop spins,
 * since a thread that sleeps would wake up too late.
 *
 * Each message is sent at a random moment of its interval. In step with the kernel's
 * clock tick, the samples of the server's user time would mean nothing.
 */
export class OpenLoop implements Load {
  readonly #clients: Clients;
  readonly #interval: number;
  readonly #message: ArrayBuffer;
  readonly #buffer = new ArrayBuffer(64 * 1024);
  /** By descriptor: the received bytes, and the connection's place in the order. */
  readonly #received: Int32Array;
  readonly #turns: Int32Array;
  readonly #jitters = Float64Array.from({ length: JITTERS }, Math.random);

  constructor(
    port: number,
    connections: number,
    size: number,
    perSecond: number,
  ) {
    this.#clients = new Clients(port, connections);
    this.#interval = 1000 / perSecond;
    this.#message = new Uint8Array(size).fill(0x2a).buffer;
    this.#received = new Int32Array(this.#clients.tableLength);
    this.#turns = new Int32Array(this.#clients.tableLength);
    this.#clients.fds.forEach((fd, turn) => this.#turns[fd] = turn);
  }

  get connections(): number {
    return this.#clients.fds.length;
  }

  run(milliseconds: number, latencies: Latencies): number {
    const { epoll, fds } = this.#clients;
    const { send } = libc();
    const message = this.#message;
    const size = message.byteLength;
    const messages = Math.round(milliseconds / this.#interval);
    this.#received.fill(0);

    const start = performance.now();
    const deadline = start + milliseconds + PATIENCE;
    let sent = 0;
    let answered = 0;
    while (answered < messages) {
      const now = performance.now();
      if (now > deadline) {
        throw new LoadError(`${sent - answered} messages were lost`);
      }
      while (sent < messages && start + this.#due(sent) <= now) {
        if (send(fds[sent++ % fds.length]!, message, size, 0) !== size) {
          throw new LoadError("the server is too slow");
        }
      }
      const count = epoll.wait(0);
      if (count > 0) answered += this.#collect(count, start, latencies);
    }
    return messages;
  }

  /** When a message is due, in milliseconds from the start. */
  #due(number: number): number {
    return (number + this.#jitters[number % JITTERS]!) * this.#interval;
  }

  /** One receive may take several messages. */
  #collect(count: number, start: number, latencies: Latencies): number {
    const { recv } = libc();
    const { events } = this.#clients.epoll;
    const size = this.#message.byteLength;
    const now = performance.now();
    let answered = 0;
    for (let i = 0; i < count; i++) {
      const fd = events.fd(i);
      const length = recv(fd, this.#buffer, this.#buffer.byteLength, 0);
      if (length <= 0) {
        throw new LoadError("the server has closed a connection");
      }
      const before = Math.floor(this.#received[fd]! / size);
      const after = Math.floor((this.#received[fd]! += length) / size);
      for (let round = before; round < after; round++) {
        const number = round * this.connections + this.#turns[fd]!;
        latencies.add(now - start - this.#due(number));
      }
      answered += after - before;
    }
    return answered;
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }
}
