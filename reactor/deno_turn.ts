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
 * Deno's loop is a task of a runtime that asks the system only when the task
 * rests, or at every 61st time that it does not. A `setImmediate` does not let it
 * rest: it turns timers and promises, and is a brief turn. What arrives on a TCP
 * connection of Deno's is found by asking: it makes a full turn. (`node:net`
 * reads a Unix socket itself, unasked.) A listener that is adopted gives
 * connections that are Deno's, and needs no permission.
 *
 * @module
 */

import type { Socket as NetSocket } from "node:net";
import { Socket, socketPair } from "../backends/ffi/socket.ts";
import type { InternetAddress } from "../backends/ffi/socket_address.ts";
import { DenoSelector } from "./deno_selector.ts";
import { now } from "./timers.ts";

type NodeNet = typeof import("node:net");

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/** A connection with one end in Deno's hands, and what is known of Deno's selector. */
interface Link {
  readonly ours: Socket;
  readonly denos: NetSocket;
  readonly selector: DenoSelector | null;
}

/** Turns of Deno's loop. */
export class DenoTurn {
  /** What Deno waits with; null if that cannot be seen here. */
  readonly selector: DenoSelector | null;
  readonly #ours: Socket;
  readonly #denos: NetSocket;
  readonly #afterRound: typeof setImmediate;
  readonly #end = (): void => {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  };
  #resume: (() => void) | null = null;
  /** When the turn ends at the latest. */
  #deadline = 0;
  /** Whether Deno's loop did not rest within the last full turn. */
  #restless = false;
  /** Whether the chain of looks is under way: it outlives the turn by one. */
  #looking = false;
  #held = true;

  private constructor(link: Link, afterRound: typeof setImmediate) {
    this.selector = link.selector;
    this.#ours = link.ours;
    this.#denos = link.denos;
    this.#afterRound = afterRound;
    this.#denos.on("data", this.#end);
    this.#denos.on("error", this.#end);
  }

  /** Makes the connection; `node:net` is loaded only now. */
  static async create(): Promise<DenoTurn> {
    const net = await import("node:net");
    const { setImmediate } = await import("node:timers");
    return new DenoTurn(
      await connectByTcp(net) ?? connectByPair(net),
      setImmediate,
    );
  }

  /** Resolves once Deno has called what is due, without asking the system for more. */
  brief(): Promise<void> {
    return new Promise((resolve) => this.#afterRound(resolve));
  }

  /**
   * Resolves once Deno has asked the system, and called what that brought.
   *
   * @param longest Milliseconds after which it has had its turn in any case
   */
  async full(longest: number): Promise<void> {
    const start = now();
    this.#deadline = start + longest;
    const turn = new Promise<void>((resolve) => this.#resume = resolve);
    this.#ours.send(ONE_BYTE);
    if (this.#restless && !this.#looking) this.#look();
    await turn;
    this.#restless = now() >= this.#deadline;
  }

  /**
   * A program whose own promises never rest would keep the read waiting for tens
   * of milliseconds: then the turn ends after its time. Looking keeps Deno's loop
   * from resting, too, so it is not done otherwise.
   */
  #look(): void {
    this.#looking = true;
    this.#afterRound(() => {
      this.#looking = false;
      if (this.#resume === null) return;
      if (now() >= this.#deadline) this.#end();
      else this.#look();
    });
  }

  /** Whether the connection keeps the process open: only while turns are taken. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
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
async function connectByTcp(net: NodeNet): Promise<Link | null> {
  const ours = Socket.create("IPv4");
  const server = net.createServer();
  try {
    using listener = Socket.create("IPv4");
    listener.bind({ hostname: "127.0.0.1", port: 0 });
    listener.listen(1);
    ours.connect(listener.localAddress);
    ours.setOption("noDelay", true);
    const listening = listener.detach();
    const denos = await acceptWith(server, listening);
    const { port } = ours.localAddress as InternetAddress;
    if (denos.remotePort === port) {
      return { ours, denos, selector: DenoSelector.find(listening, ours.fd) };
    }
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

function connectByPair(net: NodeNet): Link {
  const [ours, theirs] = socketPair();
  const options = { fd: theirs.detach(), readable: true, writable: false };
  return { ours, denos: new net.Socket(options), selector: null };
}
