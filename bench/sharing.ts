/**
 * What lives beside a saturated `serve()` in one thread, and what it costs the
 * reactor: a 5 ms interval and a ping-pong on Deno's own network.
 *
 *     deno run -A bench/sharing.ts [--rounds N] [--markdown]
 *
 * @module
 */

import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { ClosedLoop } from "./load/closed_loop.ts";
import { Latencies } from "./load/latencies.ts";
import { pinLoad } from "./harness.ts";
import { asMarkdown, asText, median } from "./report.ts";
import type { Report } from "./sharing/server.ts";
import { LOAD_CORE, SERVER_CORE } from "./server.ts";

/** A server: what it has beside the reactor, and whether the reactor is busy. */
interface Company {
  readonly beside: readonly string[];
  readonly busy: boolean;
}

/** The servers, that with nothing beside it first. The last shows how this machine keeps time. */
const COMPANIES: readonly Company[] = [
  { beside: [], busy: true },
  { beside: ["timer"], busy: true },
  { beside: ["network"], busy: true },
  { beside: ["timer", "network"], busy: true },
  { beside: ["timer"], busy: false },
];

/** Enough to keep the server busy while the ping, which shares the load's core, is at work. */
const CONNECTIONS = 200;
const MESSAGE_BYTES = 64;
const SLICE_MS = 1000;

/** A server, its load, and what it said after each round. */
class Subject implements AsyncDisposable {
  readonly reports: Report[] = [];
  #load: ClosedLoop | undefined;
  #control: Deno.TcpConn | undefined;
  readonly #process: Deno.ChildProcess;

  readonly #lines: AsyncIterator<string>;
  #ping: Deno.ChildProcess | undefined;

  constructor(readonly company: Company) {
    this.#process = start(SERVER_CORE, "server.ts", company.beside);
    this.#lines = linesOf(this.#process.stdout);
  }

  async connect(): Promise<void> {
    const port = await this.#nextPort();
    this.#control = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#load = new ClosedLoop(port, CONNECTIONS, MESSAGE_BYTES);
    if (!this.company.beside.includes("network")) return;
    const pong = await this.#nextPort();
    this.#ping = start(LOAD_CORE, "ping.ts", [String(pong)]);
    // Without precedence it would be measured how seldom it gets to its core.
    setPriority(this.#ping.pid, -20);
    this.#ping.kill("SIGSTOP");
  }

  async round(): Promise<void> {
    this.#ping?.kill("SIGCONT");
    await this.#ask();
    const start = performance.now();
    if (this.company.busy) this.#load!.run(SLICE_MS, new Latencies());
    else await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    const report = await this.#ask();
    const seconds = (performance.now() - start) / 1000;
    // It would go on in the others' rounds.
    this.#ping?.kill("SIGSTOP");
    this.reports.push({
      echoes: report.echoes / seconds,
      ticks: report.ticks / seconds,
      rounds: report.rounds / seconds,
      worstGap: report.worstGap,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#load?.[Symbol.dispose]();
    this.#control?.close();
    for (const process of [this.#ping, this.#process]) {
      process?.kill("SIGKILL");
      await process?.status;
    }
    await this.#lines.return?.();
    await this.#ping?.stdout.cancel();
  }

  async #nextPort(): Promise<number> {
    const { value } = await this.#lines.next();
    return JSON.parse(value).port;
  }

  /** What has happened since it was asked last. */
  async #ask(): Promise<Report> {
    await this.#control!.write(new TextEncoder().encode("?"));
    const buffer = new Uint8Array(1024);
    const count = await this.#control!.read(buffer);
    return JSON.parse(new TextDecoder().decode(buffer.subarray(0, count!)));
  }
}

function start(
  core: number,
  name: string,
  args: readonly string[],
): Deno.ChildProcess {
  const program = new URL(`sharing/${name}`, import.meta.url).pathname;
  const deno = [Deno.execPath(), "run", "--allow-ffi", "--allow-net"];
  return new Deno.Command("taskset", {
    args: ["-c", String(core), ...deno, program, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function* linesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    markdown: { type: "boolean", default: false },
  },
});

await pinLoad();
await using subjects = new AsyncDisposableStack();
const all = COMPANIES.map((company) => subjects.use(new Subject(company)));
for (const subject of all) await subject.connect();
for (let round = 0; round < Number(values.rounds); round++) {
  for (const subject of all) await subject.round();
}

function medianOf(subject: Subject, figure: keyof Report): number {
  return median(subject.reports.map((report) => report[figure]));
}

/** Of the echoes that the first server made in the same round: the machine's pace varies. */
function ofAlone(subject: Subject): number {
  return median(
    subject.reports.map(({ echoes }, round) =>
      echoes / all[0]!.reports[round]!.echoes
    ),
  );
}

const print = values.markdown ? asMarkdown : asText;
console.log(print({
  title: "Beside a saturated serve(), in one thread",
  headings: [
    "beside",
    "echoes/s",
    "of alone",
    "ticks/s",
    "worst gap ms",
    "rounds/s",
  ],
  rows: all.map((subject) => [
    (subject.company.beside.join(" and ") || "nothing") +
    (subject.company.busy ? "" : ", reactor idle"),
    Math.round(medianOf(subject, "echoes")).toLocaleString("en"),
    ofAlone(subject).toFixed(3),
    medianOf(subject, "ticks").toFixed(0),
    medianOf(subject, "worstGap").toFixed(1),
    medianOf(subject, "rounds").toFixed(0),
  ]),
  notes: [],
}));
