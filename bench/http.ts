/**
 * Compares the CPU time of a request: `node:http` on Deno's sockets, the same server on
 * a reactor, and `Deno.serve`. The load is `wrk`, with 50 connections that are kept alive.
 *
 *     deno task bench:http [--rounds N] [--slice SECONDS] [--markdown]
 *
 * Servers are pinned to one core, `wrk` to the other. They take turns. `node:http` is
 * measured twice, as a control: the difference is the noise.
 *
 * @module
 */

import { parseArguments, requirePrograms } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { program } from "./peers/peer.ts";
import { cpuSeconds } from "./proc.ts";
import { LOAD_CORE, SERVER_CORE } from "./server.ts";
import { median, spread } from "./statistics.ts";
import { print } from "./table.ts";
import { runWrk, wrkVersion } from "./wrk.ts";

/** The servers: their names in the table, and the arguments of their processes. */
const SERVERS = [
  ["node:http", "node"],
  ["node:http, again", "node"],
  ["node:http on a reactor", "reactor"],
  ["Deno.serve", "serve"],
] as const;

const CONNECTIONS = 50;

/** How long a server is warmed up, in seconds. */
const WARM_UP = 3;

interface Slice {
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU for a request. */
  readonly cpu: number;
}

/** A server process, and its measurements so far. */
class Server implements AsyncDisposable {
  readonly slices: Slice[] = [];
  readonly #process: Deno.ChildProcess;
  #port = "";

  constructor(kind: string) {
    const file = program("../http/server.ts");
    this.#process = new Deno.Command("taskset", {
      args: [
        ...["-c", String(SERVER_CORE), Deno.execPath(), "run", "-A"],
        ...[file, kind],
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
  }

  /** Waits for the port, which is short enough to come in one chunk. */
  async start(): Promise<void> {
    const reader = this.#process.stdout.getReader();
    const { value } = await reader.read();
    this.#port = new TextDecoder().decode(value).trim();
    reader.releaseLock();
    await this.run(WARM_UP);
  }

  async run(seconds: number): Promise<Slice> {
    const { pid } = this.#process;
    const cpu = cpuSeconds(pid);
    const prefix = ["taskset", "-c", String(LOAD_CORE)];
    const run = await runWrk(this.#port, CONNECTIONS, seconds, { prefix });
    return {
      rate: run.count / run.seconds,
      cpu: (cpuSeconds(pid) - cpu) / run.count * 1e6,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#process.stdout.cancel();
  }
}

function row(name: string, { slices }: Server, unit: Server): string[] {
  const ratios = slices.map(({ cpu }, i) => cpu / unit.slices[i]!.cpu);
  return [
    name,
    Math.round(median(slices.map(({ rate }) => rate))).toLocaleString("en"),
    median(slices.map(({ cpu }) => cpu)).toFixed(1),
    spread(ratios),
  ];
}

async function measure(rounds: number, slice: number): Promise<string[][]> {
  await using servers = new AsyncDisposableStack();
  const all = SERVERS.map(([, kind]) => servers.use(new Server(kind)));
  for (const server of all) await server.start();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < all.length; i++) {
      const server = all[(round + i) % all.length]!;
      server.slices.push(await server.run(slice));
    }
  }
  return all.map((server, i) => row(SERVERS[i]![0], server, all[0]!));
}

if (import.meta.main) {
  const { rounds, slice, markdown } = parseArguments();
  await requirePrograms("wrk");
  const where = circumstances({
    versions: [await wrkVersion()],
    rounds,
    slice: slice * 1000,
  });
  print({
    title: `HTTP, "Hello, world", ${CONNECTIONS} connections`,
    circumstances: where,
    headings: ["server", "requests/s", "CPU µs/request", "CPU, × node:http"],
    rows: await measure(rounds, slice),
    notes: [],
  }, markdown);
}
