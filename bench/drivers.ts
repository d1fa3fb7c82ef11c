/**
 * Compares database drivers of npm, one query at a time, on Deno's own sockets and on
 * connections of a reactor.
 *
 *     deno task bench:drivers [--rounds N] [--slice MS] [--markdown]
 *
 * The driver's process is pinned to one core, the database to the other. Deno's sockets
 * are measured twice, as a control: the difference is the noise.
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
import { ratios, scaled } from "./ratios.ts";
import { SERVER_CORE } from "./server.ts";
import { spread } from "./statistics.ts";
import { print } from "./table.ts";

/** The clients: their names in tables, and the arguments of their processes. */
const NETWORKS = [
  ["Deno's sockets", "deno"],
  ["Deno's sockets, again", "deno"],
  ["reactor", "reactor"],
] as const;

/** How long a client queries before the first slice, in milliseconds. */
const WARM_UP_MS = 1000;

/** The measurements of one slice. */
interface Slice {
  /** Queries a second. */
  readonly rate: number;
  /** Microseconds of the client's CPU for a query. */
  readonly cpu: number;
}

/** A client process, and its measurements so far. */
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

  /** Starts a client, and waits until it has verified an answer of the database. */
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

  /** Reads a line, which is short enough to come in one chunk. */
  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.read();
    if (done) throw new Error("the client has ended");
    return value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#answers.cancel();
    await this.#orders.abort().catch(() => {});
  }
}

/** Measures all clients of a database. Returns their rows. */
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
  client: Client,
  unit: Client | null,
): string[] {
  const ratio = (figure: keyof Slice): string =>
    unit === null ? "" : spread(ratios(client, unit, figure));
  return [
    `${driver}, ${network}`,
    Math.round(scaled(client, unit, "rate")).toLocaleString("en"),
    scaled(client, unit, "cpu").toFixed(1),
    ratio("rate"),
    ratio("cpu"),
  ];
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "12" },
    slice: { type: "string", default: "300" },
    markdown: { type: "boolean", default: false },
  },
});

const rows: string[][] = [];
const notes: string[] = [];
const installed = new Map<Database, string>();
const versions: string[] = [];
for (const database of databases) {
  const found = await database.find();
  if (found === null) {
    notes.push(`${database.driver}: its server is not installed`);
    continue;
  }
  installed.set(database, found);
  const version = await firstLine(found, "--version");
  versions.push(`${database.driver} ${/\d[\d.]*/.exec(version)?.[0]}`);
}
const where = circumstances({
  versions,
  rounds: Number(values.rounds),
  slice: Number(values.slice),
});
for (const [database, found] of installed) {
  rows.push(...await measure(database, found));
}
print({
  title: "Database drivers, one query at a time",
  circumstances: where,
  headings: [
    "driver",
    "queries/s",
    "CPU µs/query",
    "queries/s, × Deno's",
    "CPU, × Deno's",
  ],
  rows,
  notes,
}, values.markdown);
