/**
 * A DNS server as processes on the core of servers.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Socket } from "../../backends/ffi/socket.ts";
import { cpuSeconds, processTree } from "../proc.ts";
import { SERVER_CORE } from "../server.ts";
import type { DnsServer } from "./servers.ts";

/** The ports that servers get. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;

/** The interval of questions until the first answer, in milliseconds. */
const PROBE_MS = 50;

/** How long a server may take to start, in milliseconds. */
const START_MS = 10_000;

/** How long a server may take to end, in milliseconds. */
const END_MS = 2000;

/** A query for the NS records of the root: any answer will do. */
const QUESTION = new Uint8Array([
  ...[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 2, 0, 1],
]);

/** A server that answers. */
export class RunningServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: Deno.ChildProcess;
  readonly #directory: string;

  private constructor(
    process: Deno.ChildProcess,
    port: number,
    directory: string,
  ) {
    this.#process = process;
    this.port = port;
    this.#directory = directory;
  }

  /** Starts a server and waits until it answers. */
  static async start(server: DnsServer): Promise<RunningServer> {
    const directory = await Deno.makeTempDir({ prefix: "pollux-bench-" });
    const port = freePort();
    const command = await server.command(directory, port);
    const process = new Deno.Command("taskset", {
      args: ["-c", String(SERVER_CORE), ...command],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const running = new RunningServer(process, port, directory);
    const deadline = performance.now() + START_MS;
    while (!await answers(port)) {
      if (performance.now() < deadline) continue;
      await running[Symbol.asyncDispose]();
      throw new Error(`${server.name} does not answer: ${command.join(" ")}`);
    }
    return running;
  }

  /** The CPU time of all its processes, in seconds. */
  cpu(): number {
    return processTree(this.#process.pid)
      .reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nsd ends its own children.
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), END_MS);
    await this.#process.status;
    clearTimeout(timer);
    await Deno.remove(this.#directory, { recursive: true });
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended already.
    }
  }
}

/** A port that is free for UDP and TCP, and below those that the system chooses. */
function freePort(): number {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      for (const type of ["datagram", "stream"] as const) {
        using socket = Socket.create("IPv4", type);
        socket.bind({ hostname: "127.0.0.1", port });
      }
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Whether a server answers a question. */
async function answers(port: number): Promise<boolean> {
  using socket = Socket.create("IPv4", "datagram");
  try {
    socket.connect({ hostname: "127.0.0.1", port });
    socket.send(QUESTION);
    await pause(PROBE_MS);
    return socket.recv(new Uint8Array(512)) > 0;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
