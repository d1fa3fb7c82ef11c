/**
 * Measures echo servers that are seldom busy: the CPU time of a message, and the delay
 * of its answer. The loads are 100 messages a second to saturation. The picture is an
 * SVG file in `docs/img/`.
 *
 *     deno task bench:partial-load [--rate N]... [--peer WORD]... [--rounds N] [--markdown]
 *
 * All servers have been loaded for some seconds first, as programs that have run for a
 * while: just-in-time compilers need it. While a server is saturated, a wait has many
 * messages. So it is loaded at a rate at which a wait has one, too.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { draw, type Point } from "./chart.ts";
import { circumstances } from "./circumstances.ts";
import { measure, pinLoad, WARM_UP_SLICE_MS } from "./harness.ts";
import { ClosedLoop } from "./load/closed_loop.ts";
import { Latencies } from "./load/latencies.ts";
import type { Load } from "./load/load.ts";
import { OpenLoop } from "./load/open_loop.ts";
import { available, chosen, versionsOf, withControl } from "./participants.ts";
import { bun } from "./peers/bun.ts";
import { cEpoll } from "./peers/c_epoll.ts";
import { libuv } from "./peers/c_library.ts";
import { denoListen } from "./peers/deno_listen.ts";
import { node } from "./peers/node_net.ts";
import { isControl, type Peer } from "./peers/peer.ts";
import { polluxRun, polluxServe } from "./peers/pollux.ts";
import { uvloop } from "./peers/python.ts";
import { progress } from "./progress.ts";
import { ratios, scaled } from "./ratios.ts";
import type { Result } from "./result.ts";
import type { Scenario } from "./scenarios.ts";
import { spread } from "./statistics.ts";
import { print, type Table } from "./table.ts";

const CONNECTIONS = 50;
const MESSAGE_BYTES = 64;

/** How often the servers are prepared, in turn, before they are measured. */
const PREPARATIONS = 10;
/** How long a server is saturated each time, in milliseconds. */
const SATURATED_MS = 100;
/** How long it then gets so many messages a second that each has a wait of its own. */
const SINGLE_MS = 500;
const SINGLE_RATE = 20_000;

/** One load. */
interface Rate {
  /** Messages a second; `Infinity` saturates the server. */
  readonly perSecond: number;
  /** The length of a slice, in milliseconds: enough messages for a median. */
  readonly slice: number;
}

const RATES: readonly Rate[] = [
  { perSecond: 100, slice: 800 },
  { perSecond: 1000, slice: 300 },
  { perSecond: 5000, slice: 200 },
  { perSecond: 20_000, slice: 150 },
  { perSecond: 50_000, slice: 150 },
  { perSecond: Infinity, slice: 150 },
];

/** The first is the yardstick. It runs twice: the difference is the noise. */
const PEERS: readonly Peer[] = withControl([
  cEpoll,
  polluxRun,
  polluxServe,
  libuv,
  uvloop,
  denoListen,
  node,
  bun,
]);

/** The results of all servers under one load. */
interface Measured {
  readonly rate: Rate;
  readonly results: readonly Result[];
}

function nameOf({ perSecond }: Rate): string {
  return perSecond === Infinity ? "saturated" : perSecond.toLocaleString("en");
}

function openLoad(port: number, { perSecond }: Rate): Load {
  return perSecond === Infinity
    ? new ClosedLoop(port, CONNECTIONS, MESSAGE_BYTES)
    : new OpenLoop(port, CONNECTIONS, MESSAGE_BYTES, perSecond);
}

function prepare(port: number): void {
  using closed = new ClosedLoop(port, CONNECTIONS, MESSAGE_BYTES);
  closed.run(SATURATED_MS, new Latencies());
  using open = new OpenLoop(port, CONNECTIONS, MESSAGE_BYTES, SINGLE_RATE);
  open.run(SINGLE_MS, new Latencies());
}

function scenarioOf(rate: Rate): Scenario {
  return {
    key: nameOf(rate),
    name: `${nameOf(rate)} messages/s`,
    mode: "echo",
    descriptors: CONNECTIONS,
    warmUp: PREPARATIONS * WARM_UP_SLICE_MS,
    prepare,
    open: (port) => openLoad(port, rate),
  };
}

/** The results have the same order in each load: the yardstick is the first. */
function unitOf({ results }: Measured): Result {
  return results[0]!;
}

function cpuCell(result: Result, measured: Measured): string {
  const unit = unitOf(measured);
  const cpu = scaled(result, unit, "cpu").toFixed(1);
  return result === unit
    ? cpu
    : `${cpu}, ${spread(ratios(result, unit, "cpu"))}`;
}

function latencyCell({ latency }: Result): string {
  if (latency === null) return "";
  const { p50, p99, p999 } = latency;
  return [p50, p99, p999].map((value) => value.toFixed(0)).join(" / ");
}

/** A row for each server, and a column for each load. */
function tableOf(
  title: string,
  all: readonly Measured[],
  cell: (result: Result, measured: Measured) => string,
): Table {
  const names = all[0]!.results.map(({ peer }) => peer);
  const cellOf = (name: string, measured: Measured): string => {
    const result = measured.results.find(({ peer }) => peer === name)!;
    return result.failure === null ? cell(result, measured) : "failed";
  };
  return {
    title,
    circumstances: where,
    headings: ["server", ...all.map(({ rate }) => nameOf(rate))],
    rows: names.map((name) => [name, ...all.map((one) => cellOf(name, one))]),
    notes: all.flatMap(({ rate, results }) =>
      results.filter(({ failure }) => failure !== null)
        .map(({ peer, failure }) => `${peer}, ${nameOf(rate)}: ${failure}`)
    ),
  };
}

/** The points of the picture: all but the control, and but saturation, which has no rate. */
function pointsOf(all: readonly Measured[]): Point[] {
  return all.filter(({ rate }) => rate.perSecond !== Infinity).flatMap(
    (measured) =>
      measured.results
        .filter(({ peer, failure }) =>
          failure === null && !isControl({ name: peer })
        )
        .map((result) => ({
          series: result.peer,
          x: measured.rate.perSecond,
          y: scaled(result, unitOf(measured), "cpu"),
        })),
  );
}

async function drawPicture(all: readonly Measured[]): Promise<void> {
  const svg = await draw({
    title: "CPU time of an echo server, by its load",
    subtitle: where,
    xTitle: "messages a second, over 50 connections",
    yTitle: "CPU µs a message",
    yScale: "log",
    points: pointsOf(all),
  });
  const image = new URL("../docs/img/partial_load.svg", import.meta.url);
  await Deno.writeTextFile(image, `${svg}\n`);
}

const { values } = parseArgs({
  options: {
    rate: { type: "string", multiple: true, default: [] },
    peer: { type: "string", multiple: true, default: [] },
    rounds: { type: "string", default: "8" },
    markdown: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const wanted = RATES.filter(({ perSecond }) =>
  values.rate.length === 0 || values.rate.map(Number).includes(perSecond)
);
const peers = await available(chosen(PEERS, values.peer));
const where = circumstances({ versions: await versionsOf(peers), rounds });
await pinLoad();
const all: Measured[] = [];
for (const rate of wanted) {
  const { slice } = rate;
  const effort = { rounds, slice, warmUp: slice, verbose: false, progress };
  all.push({ rate, results: await measure(scenarioOf(rate), peers, effort) });
}
progress("");
if (values.markdown) {
  await drawPicture(all);
  console.log("![CPU time by load](docs/img/partial_load.svg)\n");
}
print(
  tableOf("CPU µs a message, and × C, by messages a second", all, cpuCell),
  values.markdown,
);
print(
  tableOf("p50 / p99 / p99.9 in µs, by messages a second", all, latencyCell),
  values.markdown,
);
