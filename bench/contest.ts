/**
 * Servers that are loaded in turn, so that a slow moment of the machine is one for all of
 * them.
 *
 * @module
 */

import { cpuSeconds } from "./proc.ts";
import { freePort, SERVER_CORE } from "./server.ts";
import { median, spread } from "./statistics.ts";
import type { Requests } from "./wrk.ts";

/** How long a server is warmed up, in seconds. */
const WARM_UP = 3;

/** The interval of attempts to connect, in milliseconds. */
const PROBE_MS = 20;

/** A server: its name, and the arguments of Deno at a port. */
export interface Entry {
  readonly name: string;
  readonly command: (port: number) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** How servers are loaded. */
export interface Contest {
  readonly rounds: number;
  /** In seconds. */
  readonly slice: number;
  /** Whether the servers have one core, and the load has another. */
  readonly isPinned: boolean;
  /** Loads the server at a port. */
  run(port: number, seconds: number): Promise<Requests>;
}

/** One slice of a server. */
interface Slice {
  /** Requests a second. */
  readonly rate: number;
  /** How many cores the server has used. */
  readonly cores: number;
}

/** A server process, and its slices so far. */
class Server implements AsyncDisposable {
  readonly name: string;
  readonly slices: Slice[] = [];
  readonly #contest: Contest;
  readonly #port: number = freePort("echo");
  readonly #process: Deno.ChildProcess;

  constructor({ name, command, env = {} }: Entry, contest: Contest) {
    this.name = name;
    this.#contest = contest;
    const deno = [Deno.execPath(), ...command(this.#port)];
    const pinned = ["taskset", "-c", String(SERVER_CORE), ...deno];
    const [program, ...args] = contest.isPinned ? pinned : deno;
    this.#process = new Deno.Command(program!, {
      args,
      env,
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  }

  /** Waits until it answers, and warms it up. */
  async start(): Promise<void> {
    while (!await this.#answers()) {
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    }
    await this.run(WARM_UP);
  }

  async run(seconds: number): Promise<Slice> {
    const { pid } = this.#process;
    const cpu = cpuSeconds(pid);
    const run = await this.#contest.run(this.#port, seconds);
    return {
      rate: run.count / run.seconds,
      cores: (cpuSeconds(pid) - cpu) / run.seconds,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }

  async #answers(): Promise<boolean> {
    try {
      const options = { hostname: "127.0.0.1", port: this.#port };
      (await Deno.connect(options)).close();
      return true;
    } catch {
      return false;
    }
  }
}

/** The medians of a server's slices, with ratios to the first server of its contest. */
export interface Result {
  readonly name: string;
  /** Requests a second. */
  readonly rate: string;
  readonly rateRatio: string;
  /** How many cores the server has used. */
  readonly cores: string;
  /** Microseconds of CPU for a request. */
  readonly cpu: string;
  readonly cpuRatio: string;
}

/** Loads servers in turn, in another order in each round. */
export async function contest(
  entries: readonly Entry[],
  terms: Contest,
): Promise<Result[]> {
  await using scope = new AsyncDisposableStack();
  const servers = entries.map((entry) => scope.use(new Server(entry, terms)));
  for (const server of servers) await server.start();
  for (let round = 0; round < terms.rounds; round++) {
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(round + i) % servers.length]!;
      server.slices.push(await server.run(terms.slice));
    }
  }
  return servers.map((server) => resultOf(server, servers[0]!));
}

function resultOf({ name, slices }: Server, unit: Server): Result {
  const cost = ({ rate, cores }: Slice): number => cores / rate * 1e6;
  const ratios = (figure: (slice: Slice) => number): string =>
    spread(slices.map((slice, i) => figure(slice) / figure(unit.slices[i]!)));
  const rate = Math.round(median(slices.map(({ rate }) => rate)));
  return {
    name,
    rate: rate.toLocaleString("en"),
    rateRatio: ratios(({ rate }) => rate),
    cores: median(slices.map(({ cores }) => cores)).toFixed(2),
    cpu: median(slices.map(cost)).toFixed(1),
    cpuRatio: ratios(cost),
  };
}
