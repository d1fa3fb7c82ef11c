/**
 * Gives Deno's own event loop a turn: its timers, and its I/O.
 *
 * How a busy thread yields decides who starves. Measured on Deno 2.9.6, once a
 * millisecond beside a saturated reactor, with a ping-pong on Deno's network:
 *
 * | yields by                                      | turn   | rounds a turn |
 * | ---------------------------------------------- | ------ | ------------- |
 * | one `setImmediate`; sixteen; sixty-four        | 15; 39; 118 µs | 0.02; 0.27; 1.06 |
 * | a read of `node:net` on one end of a pair      | 25 µs  | 0.02          |
 * | a `nonblocking` call                           | 13 µs  | 0.00          |
 * | a read of Deno's on a TCP connection           | 20 µs  | 1.00          |
 *
 * The last makes Deno ask the system, and so turns everything. The others turn
 * its timers alone: an adopted Unix socket is `node:net`'s own affair. A TCP
 * listener that is adopted gives connections that are Deno's, and neither needs
 * a permission.
 *
 * A program whose own promises never rest asks the system but now and then, and
 * would keep that read waiting for ten milliseconds. So the turn also ends when
 * it has taken as long as the reactor's own: a chain of `setImmediate` looks.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { Socket, socketPair } from "../backends/ffi/socket.ts";
import type { InternetAddress } from "../backends/ffi/socket_address.ts";
import { now } from "./timers.ts";

type NodeNet = typeof import("node:net");

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/** A connection with one end in Deno's hands. */
export class DenoTurn {
  readonly #ours: Socket;
  readonly #denos: NetSocket;
  readonly #afterRound: typeof setImmediate;
  #resume: (() => void) | null = null;
  /** When the turn ends at the latest. */
  #deadline = 0;
  /** Whether the chain of looks is under way: it outlives the turn by one. */
  #looking = false;

  private constructor(
    ours: Socket,
    denos: NetSocket,
    afterRound: typeof setImmediate,
  ) {
    this.#ours = ours;
    this.#denos = denos;
    this.#afterRound = afterRound;
    denos.on("data", () => this.#end());
    denos.on("error", () => this.#end());
  }

  /** Makes the connection; `node:net` is loaded only now. */
  static async create(): Promise<DenoTurn> {
    const net = await import("node:net");
    const { setImmediate } = await import("node:timers");
    const [ours, denos] = await connectByTcp(net) ?? connectByPair(net);
    return new DenoTurn(ours, denos, setImmediate);
  }

  /**
   * Resolves once Deno's loop has been around.
   *
   * @param longest Milliseconds after which it has had its turn in any case
   */
  take(longest: number): Promise<void> {
    const turn = new Promise<void>((resolve) => this.#resume = resolve);
    this.#ours.send(ONE_BYTE);
    this.#deadline = now() + longest;
    if (!this.#looking) this.#look();
    return turn;
  }

  #end(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }

  #look(): void {
    this.#looking = true;
    this.#afterRound(() => {
      this.#looking = false;
      if (this.#resume === null) return;
      if (now() >= this.#deadline) this.#end();
      else this.#look();
    });
  }

  /** Whether the pair keeps the process open: only while turns are taken. */
  hold(held: boolean): void {
    if (held) this.#denos.ref();
    else this.#denos.unref();
  }

  /** Closes both ends; resolves when Deno has let go of its own. */
  close(): Promise<void> {
    this.#ours.close();
    return new Promise((resolve) => {
      this.#denos.ref();
      this.#denos.once("close", () => resolve());
      this.#denos.destroy();
    });
  }
}

/** A connection to ourselves; null where there is no loopback, or somebody else came first. */
async function connectByTcp(
  net: NodeNet,
): Promise<[Socket, NetSocket] | null> {
  const ours = Socket.create("IPv4");
  const server = net.createServer();
  try {
    using listener = Socket.create("IPv4");
    listener.bind({ hostname: "127.0.0.1", port: 0 });
    listener.listen(1);
    ours.connect(listener.localAddress);
    ours.setOption("noDelay", true);
    const denos = await acceptWith(server, listener.detach());
    const { port } = ours.localAddress as InternetAddress;
    if (denos.remotePort === port) return [ours, denos];
    denos.destroy();
  } catch {
    // The pair will do, though Deno's network has to wait longer with it.
  } finally {
    server.close();
  }
  ours.close();
  return null;
}

function acceptWith(
  server: ReturnType<NodeNet["createServer"]>,
  fd: number,
): Promise<NetSocket> {
  return new Promise((resolve, reject) => {
    server.on("connection", resolve);
    server.on("error", reject);
    server.listen({ fd });
  });
}

function connectByPair(net: NodeNet): [Socket, NetSocket] {
  const [ours, theirs] = socketPair();
  const options = { fd: theirs.detach(), readable: true, writable: false };
  return [ours, new net.Socket(options)];
}
