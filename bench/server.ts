/**
 * Starts a server as a process on a core of its own.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Socket } from "../backends/ffi/socket.ts";
import type { SocketType } from "../backends/ffi/socket_fd.ts";
import type { InternetAddress } from "../backends/ffi/socket_address.ts";
import type { Mode, Peer } from "./peers/peer.ts";

/** Servers run on this core; the load runs on the other. */
export const SERVER_CORE = 0;
/** The core of the load. */
export const LOAD_CORE = 1;

const HOSTNAME = "127.0.0.1";

/** The interval of attempts to connect, in milliseconds. */
const PROBE_MS = 20;

/** How long a server may take to start, in milliseconds. */
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
   * @param verbose Whether its standard error is shown
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
      await server.#awaitAnswer(mode);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`${peer.name} does not start: ${command.join(" ")}`, {
        cause: error,
      });
    }
    return server;
  }

  /** The process ID: `taskset` has become the server. */
  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
  }

  async #awaitAnswer(mode: Mode): Promise<void> {
    const ended = this.#process.status.then(({ code }) => {
      throw new Error(`it has ended with status ${code}`);
    });
    // After its first answer its end is no error.
    ended.catch(() => {});
    const deadline = performance.now() + START_MS;
    while (!await probe(mode, this.port)) {
      if (performance.now() > deadline) throw new Error("it does not answer");
      await Promise.race([pause(PROBE_MS), ended]);
    }
  }
}

/** A free port of 127.0.0.1. */
export function freePort(mode: Mode): number {
  using socket = Socket.create("IPv4", socketType(mode));
  socket.bind({ hostname: HOSTNAME, port: 0 });
  return (socket.localAddress as InternetAddress).port;
}

function socketType(mode: Mode): SocketType {
  return mode === "datagram" ? "datagram" : "stream";
}

/** Whether a server accepts connections, or answers a datagram. */
async function probe(mode: Mode, port: number): Promise<boolean> {
  using socket = Socket.create("IPv4", socketType(mode));
  try {
    // On loopback the connection is established or refused before `connect` returns.
    socket.connect({ hostname: HOSTNAME, port });
    if (mode !== "datagram") return socket.takeError() === null;
    socket.send(new Uint8Array(1));
    await pause(PROBE_MS);
    return socket.recv(new Uint8Array(1)) === 1;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}
