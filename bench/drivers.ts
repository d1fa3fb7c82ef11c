/**
 * Database drivers of npm, one query at a time, on Deno's own sockets and on a
 * reactor's.
 *
 *     deno task bench:drivers [--rounds N] [--slice MS] [--markdown]
 *
 * The driver's process is pinned to one core, the database to the other. Deno's
 * sockets are measured twice: how far the second is from the first is what the
 * machine adds.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { circumstances } from "./circumstances.ts";
import type { Report } from "./drivers/client.ts";
import {
  type Database,
  databases,
  DatabaseServer,
} from "./drivers/database.ts";
import { firstLine, program } from "./peers/peer.ts";
import { cpuSeconds } from "./proc.ts";
import { asMarkdown, asText, median } from "./report.ts";
import { SERVER_CORE } from "./server.ts";
import { spread } from "./side_by_side.ts";

/** What tables call a client, and what its process is told. */
const NETWORKS = [
  ["Deno's sockets", "deno"],
  ["Deno's sockets, again", "deno"],
  ["reactor", "reactor"],
] as const;

/** How long a client queries before the first slice, in milliseconds. */
const WARM_UP_MS = 1000;

/** What one slice came to. */
interface Slice {
  /** Queries a second. */
  readonly rate: number;
  /** Microseconds of the client's CPU for a query. */
  readonly cpu: number;
}

/** A client process, and what was measured so far. */
class Client implements AsyncDisposable {
  readonly slices: Slice[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#orders = process.stdin.getWriter();
    this.#answers = process.stdout
      .pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts a client, and waits until it has verified what it gets. */
  static async start(
    driver: string,
    network: string,
    port: number,
  ): Promise<Client> {
    const file = program("../drivers/client.ts");
    const client = new Client(
      new Deno.Command("taskset", {
        args: [
          ...["-c", String(SERVER_CORE), Deno.execPath(), "run", "-A"],
          ...[file, driver, network, String(port)],
        ],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn(),
    );
    await client.#answer();
    return client;
  }

  async run(milliseconds: number): Promise<Slice> {
    const { pid } = this.#process;
    const cpu = cpuSeconds(pid);
    await this.#orders.write(new TextEncoder().encode(`${milliseconds}\n`));
    const { queries, seconds }: Report = JSON.parse(await this.#answer());
    return {
      rate: queries / seconds,
      cpu: (cpuSeconds(pid) - cpu) / queries * 1e6,
    };
  }

  /** The next line: short enough to come in one piece. */
  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.read();
    if (done) throw new Error("the client has ended");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It is gone already.
    }
    await this.#process.status;
    await this.#answers.cancel();
    await this.#orders.abort().catch(() => {});
  }
}

async function measure(database: Database, found: string): Promise<string[][]> {
  const { driver } = database;
  await using server = await DatabaseServer.start(database, found);
  await using clients = new AsyncDisposableStack();
  const all: Client[] = [];
  for (const [, network] of NETWORKS) {
    const client = await Client.start(driver, network, server.port);
    all.push(clients.use(client));
  }
  for (const client of all) await client.run(WARM_UP_MS);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (let i = 0; i < all.length; i++) {
      const client = all[(round + i) % all.length]!;
      client.slices.push(await client.run(Number(values.slice)));
    }
  }
  return all.map((client, i) =>
    row(driver, NETWORKS[i]![0], client, i === 0 ? null : all[0]!)
  );
}

function row(
  driver: string,
  network: string,
  { slices }: Client,
  unit: Client | null,
): string[] {
  const ratio = (figure: keyof Slice): string =>
    unit === null ? "" : spread(
      slices.map((slice, i) => slice[figure] / unit.slices[i]![figure]),
    );
  return [
    `${driver}, ${network}`,
    Math.round(median(slices.map(({ rate }) => rate))).toLocaleString("en"),
    median(slices.map(({ cpu }) => cpu)).toFixed(1),
    ratio("rate"),
    ratio("cpu"),
  ];
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    slice: { type: "string", default: "300" },
    markdown: { type: "boolean", default: false },
  },
});

const rows: string[][] = [];
const notes: string[] = [];
const versions: string[] = [];
for (const database of databases) {
  const found = await database.find();
  if (found === null) {
    notes.push(`${database.driver}: its server is not installed`);
    continue;
  }
  const version = await firstLine(found, "--version");
  versions.push(`${database.driver} ${/\d[\d.]*/.exec(version)?.[0]}`);
  rows.push(...await measure(database, found));
}
const print = values.markdown ? asMarkdown : asText;
console.log(`${circumstances(versions)}\n`);
console.log(print({
  title: "Database drivers, one query at a time",
  headings: [
    "driver",
    "queries/s",
    "CPU µs/query",
    "queries/s, × Deno's",
    "CPU, × Deno's",
  ],
  rows,
  notes,
}));
