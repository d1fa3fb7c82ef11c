/**
 * Measures examples/many_cores.ts with one thread and with two: requests a second, and how
 * many cores the server has used.
 *
 *     deno task bench:cores [--rounds N] [--slice SECONDS] [--markdown]
 *
 * The load is `wrk`, with 50 connections that are kept alive. It is another process on the
 * same cores, so with two cores a second thread cannot double the rate. One thread is
 * measured twice, as a control. `deno serve` is Deno's own server with threads.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { circumstances } from "./circumstances.ts";
import { firstLine, program, which } from "./peers/peer.ts";
import { cpuSeconds } from "./proc.ts";
import { freePort } from "./server.ts";
import { median, spread } from "./statistics.ts";
import { print } from "./table.ts";
import { runWrk } from "./wrk.ts";

const CONNECTIONS = 50;

/** How long a server is warmed up, in seconds. */
const WARM_UP = 3;

/** The interval of attempts to connect, in milliseconds. */
const PROBE_MS = 20;

interface Slice {
  /** Requests a second. */
  readonly rate: number;
  /** How many cores the server has used. */
  readonly cores: number;
}

/** A server process, and its measurements so far. */
class Server implements AsyncDisposable {
  readonly name: string;
  readonly slices: Slice[] = [];
  readonly #port: number;
  readonly #process: Deno.ChildProcess;

  constructor(
    name: string,
    command: (port: string) => string[],
    env: Record<string, string> = {},
  ) {
    this.name = name;
    this.#port = freePort("echo");
    this.#process = new Deno.Command(Deno.execPath(), {
      args: command(String(this.#port)),
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
    const run = await runWrk(this.#port, CONNECTIONS, seconds);
    return {
      rate: run.count / run.seconds,
      cores: (cpuSeconds(pid) - cpu) / run.seconds,
    };
  }

  row(unit: Server): string[] {
    const ratios = this.slices.map(({ rate }, i) =>
      rate / unit.slices[i]!.rate
    );
    const cpu = this.slices.map(({ rate, cores }) => cores / rate * 1e6);
    return [
      this.name,
      Math.round(median(this.slices.map(({ rate }) => rate)))
        .toLocaleString("en"),
      spread(ratios),
      median(this.slices.map(({ cores }) => cores)).toFixed(2),
      median(cpu).toFixed(1),
    ];
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

function manyCores(workers: number): (port: string) => string[] {
  const file = program("../../examples/many_cores.ts");
  return (
    port,
  ) => ["run", "-A", file, "--workers", `${workers}`, "--port", port];
}

function denoServe(port: string): string[] {
  const address = ["--host", "127.0.0.1", "--port", port];
  return [
    "serve",
    "--quiet",
    "--parallel",
    ...address,
    program("../cores/serve.ts"),
  ];
}

const SERVERS = [
  ["many_cores, 1 thread", manyCores(1)],
  ["many_cores, 1 thread, again", manyCores(1)],
  ["many_cores, 2 threads", manyCores(2)],
  ["deno serve, 1 thread", denoServe, { DENO_JOBS: "1" }],
  ["deno serve, 2 threads", denoServe, { DENO_JOBS: "2" }],
] as const;

async function measure(rounds: number, slice: number): Promise<string[][]> {
  await using scope = new AsyncDisposableStack();
  const servers = SERVERS.map(([name, command, env]) =>
    scope.use(new Server(name, command, env))
  );
  for (const server of servers) await server.start();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(round + i) % servers.length]!;
      server.slices.push(await server.run(slice));
    }
  }
  return servers.map((server) => server.row(servers[0]!));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "12" },
      slice: { type: "string", default: "1" },
      markdown: { type: "boolean", default: false },
    },
  });
  if (await which("wrk") === null) throw new Error("wrk is not installed");
  const rounds = Number(values.rounds);
  const slice = Number(values.slice);
  const version = await firstLine("wrk", "-v");
  const where = circumstances({
    versions: [/^wrk \S+/.exec(version)?.[0] ?? "wrk"],
    rounds,
    slice: slice * 1000,
  });
  print({
    title: `HTTP on one and on two threads, ${CONNECTIONS} connections`,
    circumstances: where,
    headings: [
      "server",
      "requests/s",
      "requests/s, × 1 thread",
      "cores used",
      "CPU µs/request",
    ],
    rows: await measure(rounds, slice),
    notes: [],
  }, values.markdown);
}
