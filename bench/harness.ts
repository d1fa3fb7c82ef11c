/**
 * Measures servers side by side: all of them run, each is loaded for a short
 * slice in turn, A, B, C, A, B, C …, and the median of the slices counts. So a
 * machine that slows down for a while slows all of them down.
 *
 * What counts is the CPU time of the server for a message: it is hardly moved
 * by what else the machine does, whereas messages a second are.
 *
 * @module
 */

import { Churn } from "./load/churn.ts";
import { Latencies, type Percentiles } from "./load/latencies.ts";
import type { Load } from "./load/load.ts";
import type { Peer } from "./peers/peer.ts";
import {
  cpuSeconds,
  cpuSplit,
  descriptorLimit,
  residentBytes,
} from "./proc.ts";
import { type Scenario, takesPart } from "./scenarios.ts";
import { LOAD_CORE, Server } from "./server.ts";
import { countSystemCalls } from "./system_calls.ts";

/** How long a load runs unmeasured after its connections were opened, in milliseconds. */
const SETTLE_MS = 30;

/**
 * How long connections come and go before memory is measured, in milliseconds: a
 * thousand or two, since the heap that they leave must not pass for a later one's.
 */
const MEMORY_WARM_UP_MS = 50;

/** How long and how often. */
export interface Effort {
  /** How many slices each server gets. */
  readonly rounds: number;
  /** How long a slice is, in milliseconds. */
  readonly slice: number;
  /** How long a server is loaded before the first, at least. */
  readonly warmUp: number;
  /** Whether servers may complain on the terminal. */
  readonly verbose: boolean;
  /** Hears of every step. */
  progress(step: string): void;
}

/** What one slice came to. */
export interface Slice {
  /** Messages a second. */
  readonly rate: number;
  /** Microseconds of the server's CPU for a message. */
  readonly cpu: number;
  /** The median of its messages' latencies, in microseconds. */
  readonly p50: number;
  /** The part of a core that the load has used. */
  readonly loadShare: number;
}

/** What one server made of one scenario. */
export interface Result {
  readonly peer: string;
  readonly scenario: string;
  /** The server that its ratios are of, in a group. */
  readonly unit: string | null;
  /** The slices, in the order of the rounds; none in a scenario about memory. */
  readonly slices: readonly Slice[];
  /** The part of the CPU time that was spent outside the kernel. */
  readonly userShare: number;
  readonly latency: Percentiles | null;
  /** System calls for a message, or why they were not counted; null outside of a group. */
  readonly calls: number | string | null;
  /** Bytes that each connection has cost the server; null where nobody asked. */
  readonly bytesPerConnection: number | null;
  /** Why there is no result. */
  readonly failure: string | null;
}

/** A server, its load, and what was measured so far. */
interface Subject {
  readonly peer: Peer;
  readonly server: Server;
  readonly latencies: Latencies;
  readonly slices: Slice[];
  load: Load | null;
  calls: number | string | null;
  failure: string | null;
  user: number;
  system: number;
}

/** Puts the load on its core, this process with all its threads. */
export async function pinLoad(): Promise<void> {
  await new Deno.Command("taskset", {
    args: ["-a", "-p", "-c", String(LOAD_CORE), String(Deno.pid)],
    stdout: "null",
  }).output();
}

/** Measures one scenario with every peer that can do it. */
export async function measure(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  const able = peers.filter((peer) => takesPart(peer, scenario));
  if (scenario.descriptors + 100 > descriptorLimit()) {
    const failure = `needs ${scenario.descriptors} open files (ulimit -n)`;
    return able.map((peer) => failed(peer, scenario, failure));
  }
  return scenario.memory
    ? await measureMemory(scenario, able, effort)
    : await measureSpeed(scenario, able, effort);
}

/** One server after the other: memory needs no interleaving. */
async function measureMemory(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const peer of peers) {
    effort.progress(`${scenario.name}: ${peer.name}`);
    try {
      await using server = await Server.start(
        peer,
        scenario.mode,
        effort.verbose,
      );
      warmUpWithConnections(server.port);
      await settled();
      const before = residentBytes(server.pid);
      using load = scenario.open(server.port);
      await settled();
      const bytes = residentBytes(server.pid) - before;
      results.push({
        ...failed(peer, scenario, null),
        bytesPerConnection: bytes / load.connections,
      });
    } catch (error) {
      results.push(failed(peer, scenario, (error as Error).message));
    }
  }
  return results;
}

/**
 * What a server needs once is no connection's: above all the pages of its own
 * program, of which accepting the first ones reads some megabytes into memory.
 */
function warmUpWithConnections(port: number): void {
  using churn = new Churn(port, 50, 64);
  churn.run(MEMORY_WARM_UP_MS, new Latencies());
}

async function measureSpeed(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  await using servers = new AsyncDisposableStack();
  const subjects: Subject[] = [];
  const results: Result[] = [];
  for (const peer of peers) {
    effort.progress(`${scenario.name}: start ${peer.name}`);
    try {
      const server = servers.use(
        await Server.start(peer, scenario.mode, effort.verbose),
      );
      await scenario.verify?.(server.port);
      subjects.push(subject(peer, server));
    } catch (error) {
      results.push(failed(peer, scenario, (error as Error).message));
    }
  }
  // Loads that fit into the limit together stay open from slice to slice.
  const together = scenario.descriptors * subjects.length + 100;
  const keep = together <= descriptorLimit();
  for (let round = 0; round <= effort.rounds; round++) {
    for (const one of rotated(subjects, round)) {
      effort.progress(
        `${scenario.name}: round ${round} of ${effort.rounds}, ${one.peer.name}`,
      );
      await turn(scenario, one, effort, round === 0);
      if (!keep) close(one);
    }
  }
  if (scenario.group !== undefined) {
    for (const one of subjects) await count(one, effort);
  }
  for (const one of subjects) close(one);
  return [...subjects.map((one) => result(one, scenario)), ...results];
}

/** Nobody always follows the same neighbour, or always comes first. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function subject(peer: Peer, server: Server): Subject {
  return {
    peer,
    server,
    latencies: new Latencies(),
    slices: [],
    load: null,
    calls: null,
    failure: null,
    user: 0,
    system: 0,
  };
}

/** One server's turn; the very first is its warm-up. */
async function turn(
  scenario: Scenario,
  one: Subject,
  effort: Effort,
  warmUp: boolean,
): Promise<void> {
  if (one.failure !== null) return;
  try {
    if (one.load === null) {
      one.load = scenario.open(one.server.port);
      // What new connections still cost the server is not part of a slice.
      await pause(10);
      one.load.run(scenario.settle ?? SETTLE_MS, new Latencies());
    }
    if (warmUp) {
      const long = Math.max(effort.warmUp, scenario.warmUp ?? 0);
      one.load.run(long, one.latencies);
      one.latencies.clear();
    } else {
      measureSlice(one, one.load, effort.slice);
    }
  } catch (error) {
    one.failure = (error as Error).message;
    close(one);
  }
}

/** Latencies of the slice that is measured just now. */
const ofSlice = new Latencies();

function measureSlice(one: Subject, load: Load, milliseconds: number): void {
  const { pid } = one.server;
  const split = cpuSplit(pid);
  const cpu = cpuSeconds(pid);
  const ownCpu = cpuSeconds(Deno.pid);
  ofSlice.clear();
  const start = performance.now();
  const messages = load.run(milliseconds, ofSlice);
  const seconds = (performance.now() - start) / 1000;
  const share = (cpuSeconds(Deno.pid) - ownCpu) / seconds;
  one.slices.push({
    rate: messages / seconds,
    cpu: (cpuSeconds(pid) - cpu) / messages * 1e6,
    p50: ofSlice.percentiles()?.p50 ?? NaN,
    loadShare: share,
  });
  const splitAfter = cpuSplit(pid);
  one.user += splitAfter.user - split.user;
  one.system += splitAfter.system - split.system;
  one.latencies.addAll(ofSlice);
}

/** In a run of its own, since counting may cost more than what is counted. */
async function count(one: Subject, effort: Effort): Promise<void> {
  if (one.failure !== null || one.load === null) return;
  effort.progress(`system calls: ${one.peer.name}`);
  const { load } = one;
  try {
    one.calls = await countSystemCalls(
      one.server.pid,
      () => load.run(effort.slice, new Latencies()),
    );
  } catch (error) {
    one.failure = (error as Error).message;
  }
}

function close(one: Subject): void {
  one.load?.[Symbol.dispose]();
  one.load = null;
}

function result(one: Subject, scenario: Scenario): Result {
  if (one.failure !== null) {
    return failed(one.peer, scenario, one.failure);
  }
  return {
    ...failed(one.peer, scenario, null),
    slices: one.slices,
    userShare: one.user / (one.user + one.system),
    latency: one.latencies.percentiles(),
    calls: one.calls,
  };
}

function failed(
  peer: Peer,
  scenario: Scenario,
  failure: string | null,
): Result {
  return {
    peer: peer.name,
    scenario: scenario.name,
    unit: peer.unit ?? null,
    slices: [],
    userShare: NaN,
    latency: null,
    calls: null,
    bytesPerConnection: null,
    failure,
  };
}

/** Long enough for a server to accept and to collect its garbage. */
function settled(): Promise<void> {
  return pause(500);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
