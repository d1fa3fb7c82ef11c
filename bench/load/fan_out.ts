/**
 * Fan-out: one connection sends, and all others receive.
 *
 * @module
 */

import { libc } from "../../backends/ffi/libc.ts";
import { Clients } from "./clients.ts";
import type { Latencies } from "./latencies.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

/** The first connection sends a message when all others have received the last one. */
export class FanOut implements Load {
  readonly #clients: Clients;
  readonly #message: ArrayBuffer;
  readonly #buffer = new ArrayBuffer(64 * 1024);

  constructor(port: number, readers: number, size: number) {
    this.#clients = new Clients(port, readers + 1, { silent: true });
    this.#message = new Uint8Array(size).fill(0x2a).buffer;
  }

  get connections(): number {
    return this.#clients.fds.length;
  }

  /** Counts each delivery as a message. */
  run(milliseconds: number, latencies: Latencies): number {
    const end = performance.now() + milliseconds;
    let messages = 0;
    do messages += this.#round(latencies); while (performance.now() < end);
    return messages;
  }

  #round(latencies: Latencies): number {
    const { send, recv } = libc();
    const { epoll, fds } = this.#clients;
    const size = this.#message.byteLength;
    const readers = fds.length - 1;
    const start = performance.now();
    send(fds[0]!, this.#message, size, 0);
    for (let bytes = readers * size; bytes > 0;) {
      const count = epoll.wait(PATIENCE);
      const now = performance.now();
      if (count === 0) throw new LoadError(`${bytes} bytes were lost`);
      for (let i = 0; i < count; i++) {
        const received = recv(
          epoll.events.fd(i),
          this.#buffer,
          this.#buffer.byteLength,
          0,
        );
        if (received <= 0) {
          throw new LoadError("the server has closed a connection");
        }
        bytes -= received;
        latencies.add(now - start);
      }
    }
    return readers;
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
  }
}
