/**
 * Measures a saturated `serve()` and other work in the same thread: a 5 ms interval, and
 * a ping-pong on Deno's own network. It shows what they cost the reactor, and how late
 * they are.
 *
 *     deno task bench:sharing [--rounds N] [--markdown]
 *
 * @module
 */

import { setPriority } from "node:os";
import { parseArgs } from "node:util";
import { circumstances } from "./circumstances.ts";
import { ClosedLoop } from "./load/closed_loop.ts";
import { Latencies } from "./load/latencies.ts";
import { pinLoad } from "./harness.ts";
import { cpuSeconds } from "./proc.ts";
import type { Report } from "./sharing/server.ts";
import { LOAD_CORE, SERVER_CORE } from "./server.ts";
import { median, quantile } from "./statistics.ts";
import { print } from "./table.ts";

/** Other work in the thread, and whether the reactor is busy. */
interface Company {
  readonly work: readonly ("timer" | "network")[];
  readonly busy: boolean;
}

/** The last one shows how exact the timers of this machine are. */
const COMPANIES: readonly Company[] = [
  { work: [], busy: true },
  { work: ["timer"], busy: true },
  { work: ["network"], busy: true },
  { work: ["timer", "network"], busy: true },
  { work: ["timer"], busy: false },
];

/** Enough to saturate the server, although the ping shares the load's core. */
const CONNECTIONS = 200;
const MESSAGE_BYTES = 64;
const SLICE_MS = 1000;

/** The measurements of one slice, a second. */
interface Slice extends Report {
  /** Microseconds of the server's CPU for an echo, other work included. */
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
    // The load shares its core, and must not delay it.
    setPriority(this.#ping.pid, -20);
    this.#ping.kill("SIGSTOP");
  }

  async slice({ work, busy }: Company): Promise<Slice> {
    const { pid } = this.#process;
    if (work.includes("network")) this.#ping!.kill("SIGCONT");
    await this.#report();
    if (work.includes("timer")) await this.#command("+");
    const cpu = cpuSeconds(pid);
    const start = performance.now();
    if (busy) this.#load!.run(SLICE_MS, new Latencies());
    else await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    const seconds = (performance.now() - start) / 1000;
    const used = cpuSeconds(pid) - cpu;
    const report = await this.#report();
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

  async #command(command: string): Promise<void> {
    await this.#control!.write(new TextEncoder().encode(command));
  }

  /** Ends the interval, and returns the counts since the last report. */
  async #report(): Promise<Report> {
    await this.#command("?");
    const buffer = new Uint8Array(1024);
    const count = await this.#control!.read(buffer);
    return JSON.parse(new TextDecoder().decode(buffer.subarray(0, count!)));
  }
}

/** The slices, and their costs compared with a slice without other work just before. */
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
    rounds: { type: "string", default: "12" },
    markdown: { type: "boolean", default: false },
  },
});

const where = circumstances({
  rounds: Number(values.rounds),
  slice: SLICE_MS,
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
    // In the same process, since two servers differ by more than this cost.
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

/** The median, with the quartiles. */
function costOf({ costs }: Result): string {
  const quartiles = [0.25, 0.75].map((part) => percent(quantile(costs, part)));
  return `${percent(median(costs))} (${quartiles.join(" to ")})`;
}

print({
  title: "A saturated serve() with other work in its thread",
  circumstances: where,
  headings: [
    "other work",
    "echoes/s",
    "cost",
    "ticks/s",
    "worst gap ms",
    "rounds/s",
  ],
  rows: results.map((result) => [
    (result.company.work.join(" and ") || "none (control)") +
    (result.company.busy ? "" : ", reactor idle"),
    medianOf(result, "echoes"),
    result.company.busy ? costOf(result) : "",
    medianOf(result, "ticks"),
    medianOf(result, "worstGap"),
    medianOf(result, "rounds"),
  ]),
  notes: [],
}, values.markdown);
