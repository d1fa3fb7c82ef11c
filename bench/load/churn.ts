/**
 * Connects, echoes and closes: a new connection for each message.
 *
 * @module
 */

import { EPOLL_CTL_ADD, EPOLLIN, EpollInstance } from "../../backends/epoll.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { libc } from "../../backends/ffi/libc.ts";
import {
  encodeAddress,
  SOCKADDR_STORAGE_BYTES,
} from "../../backends/ffi/socket_address.ts";
import type { Latencies } from "./latencies.ts";
import { type Load, LoadError, PATIENCE } from "./load.ts";

/** <linux/in.h>: the port is chosen by `connect`, which knows both addresses. */
const IP_BIND_ADDRESS_NO_PORT = 24;

/**
 * How many addresses connections come from, beginning with 127.0.1.1. The 28,000 ports
 * of one address would all be in TIME_WAIT after one or two seconds.
 */
const SOURCES = 200;

/** A number of connections at a time, each of which is closed after one message. */
export class Churn implements Load {
  readonly connections: number;
  readonly #epoll = new EpollInstance();
  readonly #server: Uint8Array<ArrayBuffer>;
  readonly #sources: readonly Uint8Array<ArrayBuffer>[];
  readonly #yes = Int32Array.of(1);
  readonly #message: ArrayBuffer;
  readonly #buffer = new ArrayBuffer(64 * 1024);
  readonly #openedAt: number[] = [];
  readonly #socketType: number;
  #opened = 0;

  constructor(port: number, atOnce: number, size: number) {
    this.connections = atOnce;
    this.#message = new Uint8Array(size).fill(0x2a).buffer;
    this.#server = encoded("127.0.0.1", port);
    this.#sources = Array.from(
      { length: SOURCES },
      (_, i) => encoded(`127.0.1.${i + 1}`, 0),
    );
    const { SOCK_STREAM, SOCK_NONBLOCK } = system().constants;
    this.#socketType = SOCK_STREAM | SOCK_NONBLOCK!;
  }

  run(milliseconds: number, latencies: Latencies): number {
    const epoll = this.#epoll;
    const { recv, close } = libc();
    const buffer = this.#buffer;
    const size = this.#message.byteLength;

    let now = performance.now();
    const end = now + milliseconds;
    for (let i = 0; i < this.connections; i++) this.#open(now);

    let pending = this.connections;
    let messages = 0;
    while (pending > 0) {
      const count = epoll.wait(PATIENCE);
      now = performance.now();
      if (count === 0) throw new LoadError(`${pending} messages were lost`);
      const events = epoll.events;
      for (let i = 0; i < count; i++) {
        const fd = events.fd(i);
        if (recv(fd, buffer, size, 0) !== size) {
          throw new LoadError("the server has closed a connection");
        }
        close(fd);
        messages++;
        latencies.add(now - this.#openedAt[fd]!);
        if (now < end) this.#open(now);
        else pending--;
      }
    }
    return messages;
  }

  /**
   * Connects and sends at once. On loopback a connection is established when `connect`
   * returns, although it returns EINPROGRESS, since the answer came while the socket was
   * locked.
   */
  #open(now: number): void {
    const { socket, setsockopt, bind, connect, send } = libc();
    const { AF_INET, IPPROTO_IP } = system().constants;
    const fd = socket(AF_INET, this.#socketType, 0);
    const size = this.#message.byteLength;
    const source = this.#sources[this.#opened++ % SOURCES]!;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, this.#yes, 4);
    bind(fd, source, source.length);
    connect(fd, this.#server, this.#server.length);
    const sent = send(fd, this.#message, size, 0);
    if (sent < 0) throw new LoadError(`cannot connect: error ${-sent}`);
    this.#epoll.control(EPOLL_CTL_ADD, fd, EPOLLIN, 0);
    this.#openedAt[fd] = now;
  }

  [Symbol.dispose](): void {
    this.#epoll.close();
  }
}

/** An address in the layout of the kernel. */
function encoded(hostname: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(SOCKADDR_STORAGE_BYTES));
  const length = encodeAddress(bytes, { hostname, port }, system());
  return bytes.slice(0, length);
}
