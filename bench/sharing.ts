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
import { cpuSeconds } from "./proc.ts";
import { asMarkdown, asText, median } from "./report.ts";
import type { Report } from "./sharing/server.ts";
import { LOAD_CORE, SERVER_CORE } from "./server.ts";

/** What is beside the reactor, and whether it is busy. */
interface Company {
  readonly beside: readonly string[];
  readonly busy: boolean;
}

/** The last shows how this machine keeps time. */
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

/** What one slice came to, a second. */
interface Slice extends Report {
  /** Microseconds of the server's CPU for an echo, whatever else it did. */
  readonly cpu: number;
}

/** The server, its load, and a ping that can be stopped. */
class Scene implements AsyncDisposable {
  readonly #process = start(SERVER_CORE, "server.ts", []);
  readonly #lines: AsyncIterator<string> = linesOf(this.#process.stdout);
  #load: ClosedLoop | undefined;
  #control: Deno.TcpConn | undefined;
  #ping: Deno.ChildProcess | undefined;

  async open(): Promise<void> {
    const port = await this.#nextPort();
    this.#control = await Deno.connect({ hostname: "127.0.0.1", port });
    this.#load = new ClosedLoop(port, CONNECTIONS, MESSAGE_BYTES);
    const pong = await this.#nextPort();
    this.#ping = start(LOAD_CORE, "ping.ts", [String(pong)]);
    // Without precedence it would be measured how seldom it gets to its core.
    setPriority(this.#ping.pid, -20);
    this.#ping.kill("SIGSTOP");
  }

  async slice({ beside, busy }: Company): Promise<Slice> {
    const { pid } = this.#process;
    if (beside.includes("network")) this.#ping!.kill("SIGCONT");
    await this.#ask();
    if (beside.includes("timer")) await this.#say("+");
    const cpu = cpuSeconds(pid);
    const start = performance.now();
    if (busy) this.#load!.run(SLICE_MS, new Latencies());
    else await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    const seconds = (performance.now() - start) / 1000;
    const used = cpuSeconds(pid) - cpu;
    const report = await this.#ask();
    this.#ping!.kill("SIGSTOP");
    return {
      echoes: report.echoes / seconds,
      ticks: report.ticks / seconds,
      rounds: report.rounds / seconds,
      worstGap: report.worstGap,
      cpu: used / report.echoes * 1e6,
    };
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

  async #say(order: string): Promise<void> {
    await this.#control!.write(new TextEncoder().encode(order));
  }

  /** What has happened since it was asked last; the interval ends. */
  async #ask(): Promise<Report> {
    await this.#say("?");
    const buffer = new Uint8Array(1024);
    const count = await this.#control!.read(buffer);
    return JSON.parse(new TextDecoder().decode(buffer.subarray(0, count!)));
  }
}

/** What a company's slices came to, and what they cost beyond one without it just before. */
interface Result {
  readonly company: Company;
  readonly slices: Slice[];
  readonly costs: number[];
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
await using scene = new Scene();
await scene.open();
const results: Result[] = COMPANIES.map((company) => ({
  company,
  slices: [],
  costs: [],
}));
await scene.slice(COMPANIES[0]!);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const { company, slices, costs } of results) {
    // In the same process: two servers differ by more than what is measured here.
    const alone = await scene.slice(COMPANIES[0]!);
    const slice = await scene.slice(company);
    slices.push(slice);
    costs.push(slice.cpu / alone.cpu - 1);
  }
}

function medianOf({ slices }: Result, figure: keyof Slice): string {
  const digits = figure === "worstGap" ? 1 : 0;
  const value = median(slices.map((slice) => slice[figure]));
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}

const print = values.markdown ? asMarkdown : asText;
console.log(print({
  title: "Beside a saturated serve(), in one thread",
  headings: [
    "beside",
    "echoes/s",
    "cost",
    "ticks/s",
    "worst gap ms",
    "rounds/s",
  ],
  rows: results.map((result) => [
    (result.company.beside.join(" and ") || "nothing") +
    (result.company.busy ? "" : ", reactor idle"),
    medianOf(result, "echoes"),
    result.company.busy ? percent(median(result.costs)) : "",
    medianOf(result, "ticks"),
    medianOf(result, "worstGap"),
    medianOf(result, "rounds"),
  ]),
  notes: [],
}));
