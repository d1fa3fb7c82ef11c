/**
 * A peer's server as a process on a core of its own.
 *
 * @module
 */

import type { Mode, Peer } from "./peers/peer.ts";

/** Servers run on this core; the load runs on the other. */
export const SERVER_CORE = 0;
/** The core of the load. */
export const LOAD_CORE = 1;

/** How long a server may take to answer, in milliseconds. */
const START_MS = 10_000;

/** A server that listens. */
export class Server implements AsyncDisposable {
  readonly port: number;
  readonly #process: Deno.ChildProcess;

  private constructor(process: Deno.ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /**
   * Starts a server and waits until it answers.
   *
   * @param verbose Whether its complaints are shown
   */
  static async start(
    peer: Peer,
    mode: Mode,
    verbose: boolean,
  ): Promise<Server> {
    const port = freePort(mode);
    const command = peer.command(mode, port);
    const process = new Deno.Command("taskset", {
      args: ["-c", String(SERVER_CORE), ...command],
      stdin: "null",
      stdout: "null",
      stderr: verbose ? "inherit" : "null",
    }).spawn();
    const server = new Server(process, port);
    try {
      await server.#answers(mode);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${peer.name} does not start: ${command.join(" ")}`, {
        cause: error,
      });
    }
    return server;
  }

  /** The process: `taskset` has become the server. */
  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
    await this.#process.status;
  }

  async #answers(mode: Mode): Promise<void> {
    const ended = this.#process.status.then(({ code }) => {
      throw new Error(`it ended with status ${code}`);
    });
    const deadline = performance.now() + START_MS;
    for (;;) {
      try {
        await Promise.race([probe(mode, this.port), ended]);
        return;
      } catch (error) {
        const refused = error instanceof Deno.errors.ConnectionRefused;
        if (!refused || performance.now() > deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A port that nothing uses now. */
function freePort(mode: Mode): number {
  const hostname = "127.0.0.1";
  if (mode === "datagram") return freeDatagramPort(hostname);
  using listener = Deno.listen({ hostname, port: 0 });
  return listener.addr.port;
}

function freeDatagramPort(hostname: string): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}

async function probe(mode: Mode, port: number): Promise<void> {
  const hostname = "127.0.0.1";
  if (mode !== "datagram") {
    (await Deno.connect({ hostname, port })).close();
    return;
  }
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const patience = setTimeout(() => socket.close(), 200);
  try {
    await socket.send(new Uint8Array(1), { transport: "udp", hostname, port });
    await socket.receive();
    socket.close();
  } catch {
    throw new Deno.errors.ConnectionRefused();
  } finally {
    clearTimeout(patience);
  }
}
