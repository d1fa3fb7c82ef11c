/**
 * Compares the DNS server of the examples with public servers, by dnsperf.
 *
 *     deno task bench:dns [--rounds N] [--queries N] [--markdown]
 *
 * Servers are pinned to one core, and dnsperf to the other. nsd is the yardstick. It
 * runs twice, as a control: the difference is the noise. All servers must give the same
 * response codes.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { requirePrograms } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { ask, type Run, writeQuestions } from "./dns/dnsperf.ts";
import { RunningServer } from "./dns/running_server.ts";
import { type DnsServer, knot, nsd, pollux } from "./dns/servers.ts";
import { firstLine } from "./peers/peer.ts";
import { progress } from "./progress.ts";
import { median, spread } from "./statistics.ts";
import { print } from "./table.ts";

/** How many questions the file has. */
const QUESTIONS = 10;

/** The first round is for the compilers of JavaScript, so it asks more. */
const WARM_UP = 3;

/** A server, and its measurements so far. */
interface Subject {
  readonly name: string;
  readonly server: RunningServer;
  readonly runs: (Run & { readonly cpu: number })[];
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "12" },
    queries: { type: "string", default: "50000" },
    markdown: { type: "boolean", default: false },
  },
});

async function measure(
  subject: Subject,
  questions: string,
  times: number,
): Promise<void> {
  const { server, runs } = subject;
  const before = server.cpu();
  const run = await ask(server.port, questions, times);
  const cpu = (server.cpu() - before) / run.answered * 1e6;
  runs.push({ ...run, cpu });
}

/** Starts the installed servers, and measures them in turn. */
async function measureAll(
  entries: readonly (readonly [string, DnsServer])[],
): Promise<Subject[]> {
  await using servers = new AsyncDisposableStack();
  const questions = await Deno.makeTempFile({ prefix: "pollux-bench-" });
  servers.defer(() => Deno.remove(questions));
  await writeQuestions(questions);
  const all: Subject[] = [];
  for (const [name, one] of entries) {
    const server = servers.use(await RunningServer.start(one));
    all.push({ name, server, runs: [] });
  }
  const times = Number(values.queries) / QUESTIONS;
  for (const subject of all) {
    await measure(subject, questions, times * WARM_UP);
    subject.runs.pop();
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    progress(`round ${round + 1} of ${values.rounds}`);
    for (let i = 0; i < all.length; i++) {
      await measure(all[(round + i) % all.length]!, questions, times);
    }
  }
  progress("");
  return all;
}

function row({ name, runs }: Subject, unit: Subject): string[] {
  const ratios = runs.map(({ cpu }, i) => cpu / unit.runs[i]!.cpu);
  // So that the column of CPU times agrees with the column of ratios.
  const cpu = median(unit.runs.map(({ cpu }) => cpu)) * median(ratios);
  const rate = median(runs.map(({ rate }) => rate));
  const lost = runs.reduce((sum, run) => sum + run.lost, 0);
  return [
    name,
    Math.round(rate).toLocaleString("en"),
    median(runs.map(({ latency }) => latency)).toFixed(0),
    cpu.toFixed(2),
    unit.runs === runs ? "1.00" : spread(ratios),
    `${Math.round(rate * cpu / 1e4)} %`,
    String(lost),
  ];
}

/** @throws {Error} if the servers do not give the same answers */
function checkCodes(all: readonly Subject[]): void {
  const codes = new Set(
    all.flatMap(({ runs }) => runs.map((run) => run.codes)),
  );
  if (codes.size > 1) throw new Error(`Other codes: ${[...codes].join("; ")}`);
}

/** The servers that are installed, with their versions. */
async function installedServers(): Promise<Map<DnsServer, string>> {
  const installed = new Map<DnsServer, string>();
  for (const server of [nsd, knot, pollux]) {
    const version = await server.version();
    if (version !== null) installed.set(server, version);
    else console.error(`skipped ${server.name}: not installed`);
  }
  return installed;
}

async function dnsperfVersion(): Promise<string> {
  const line = await firstLine("sh", "-c", "dnsperf -h | grep '^Version'");
  return line.replace("Version", "dnsperf");
}

await requirePrograms("dnsperf");
const installed = await installedServers();
const servers = [...installed.keys()];
const yardstick = servers[0]!;
const where = circumstances({
  versions: [
    ...[...installed.values()].filter((version) => version !== ""),
    await dnsperfVersion(),
  ],
  rounds: Number(values.rounds),
});
const subjects = await measureAll([
  [yardstick.name, yardstick],
  [`${yardstick.name}, again`, yardstick],
  ...servers.slice(1).map((server) => [server.name, server] as const),
]);
checkCodes(subjects);
print({
  title: "DNS: 10 clients, 100 open queries",
  circumstances: where,
  headings: [
    "server",
    "queries/s",
    "mean latency µs",
    "CPU µs/query",
    `CPU, × ${yardstick.name}`,
    "server's CPU",
    "lost",
  ],
  rows: subjects.map((subject) => row(subject, subjects[0]!)),
  notes: [
    `A round has ${
      Number(values.queries).toLocaleString("en")
    } queries. Response codes: ${subjects[0]!.runs[0]!.codes}`,
  ],
}, values.markdown);
