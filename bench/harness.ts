/**
 * Measures servers in turn: all of them run, and each is loaded for a short slice,
 * A, B, C, A, B, C …. The median of the slices counts. So if the machine is slow for
 * a while, it is slow for all servers.
 *
 * The main figure is the CPU time of the server for a message. Other programs on the
 * machine affect it much less than messages a second.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Effort } from "./effort.ts";
import { Latencies } from "./load/latencies.ts";
import { type Load, LoadError } from "./load/load.ts";
import { measureMemory } from "./memory.ts";
import type { Peer } from "./peers/peer.ts";
import { cpuSeconds, cpuSplit, descriptorLimit } from "./proc.ts";
import { type Result, resultOf, type Slice } from "./result.ts";
import { type Scenario, takesPart } from "./scenarios.ts";
import { LOAD_CORE, Server } from "./server.ts";
import { countSystemCalls } from "./system_calls.ts";

/** Default time that a load runs unmeasured after it has connected, in milliseconds. */
const SETTLE_MS = 30;

/**
 * Length of the slices in which servers are warmed up, in turn. After half a minute of
 * idleness V8 has collected garbage, and serve() costs an eighth more for a while. So no
 * server may wait while all others are warmed up.
 */
export const WARM_UP_SLICE_MS = 300;

/** How often a slice is repeated in which all answers came too late. */
const TRIES = 5;

/** Descriptors that this process needs in addition to those of the loads. */
const OWN_DESCRIPTORS = 100;

/** A server, its load, and the measurements so far. */
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

/** Pins this process, which is the load, to its core, with all threads. */
export async function pinLoad(): Promise<void> {
  await new Deno.Command("taskset", {
    args: ["-a", "-p", "-c", String(LOAD_CORE), String(Deno.pid)],
    stdout: "null",
  }).output();
}

/** Measures one scenario with each peer that takes part. */
export async function measure(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  const able = peers.filter((peer) => takesPart(peer, scenario));
  if (scenario.descriptors + OWN_DESCRIPTORS > descriptorLimit()) {
    const failure = `needs ${scenario.descriptors} open files (ulimit -n)`;
    return able.map((peer) => resultOf(peer, scenario, { failure }));
  }
  return scenario.memory
    ? await measureMemory(scenario, able, effort)
    : await measureSpeed(scenario, able, effort);
}

async function measureSpeed(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  await using servers = new AsyncDisposableStack();
  const subjects: Subject[] = [];
  const failures: Result[] = [];
  for (const peer of peers) {
    effort.progress(`${scenario.name}: start ${peer.name}`);
    try {
      const server = servers.use(
        await Server.start(peer, scenario.mode, effort.verbose),
      );
      await scenario.verify?.(server.port);
      subjects.push(subjectOf(peer, server));
    } catch (error) {
      const failure = (error as Error).message;
      failures.push(resultOf(peer, scenario, { failure }));
    }
  }
  await runRounds(scenario, subjects, effort);
  if (scenario.countsCalls) {
    for (const subject of subjects) await countCalls(subject, effort);
  }
  for (const subject of subjects) closeLoad(subject);
  return [
    ...subjects.map((subject) => finished(subject, scenario)),
    ...failures,
  ];
}

/** The first rounds are the warm-up. */
async function runRounds(
  scenario: Scenario,
  subjects: readonly Subject[],
  effort: Effort,
): Promise<void> {
  const warmUp = Math.max(effort.warmUp, scenario.warmUp ?? 0);
  const before = Math.ceil(warmUp / WARM_UP_SLICE_MS);
  // Loads that fit into the limit together stay open from slice to slice.
  const together = scenario.descriptors * subjects.length + OWN_DESCRIPTORS;
  const keepOpen = together <= descriptorLimit();
  for (let round = 1 - before; round <= effort.rounds; round++) {
    for (const subject of rotated(subjects, round)) {
      effort.progress(
        `${scenario.name}: round ${round} of ${effort.rounds}, ${subject.peer.name}`,
      );
      await runSlice(scenario, subject, effort, round <= 0);
      if (!keepOpen) closeLoad(subject);
    }
  }
}

/** Changes the order, so that no server is always the first, or follows the same one. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const start = list.length === 0 ? 0 : Math.abs(by) % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function subjectOf(peer: Peer, server: Server): Subject {
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

async function runSlice(
  scenario: Scenario,
  subject: Subject,
  effort: Effort,
  isWarmUp: boolean,
): Promise<void> {
  if (subject.failure !== null) return;
  try {
    subject.load ??= await openLoad(scenario, subject.server.port);
    if (isWarmUp) {
      scenario.prepare?.(subject.server.port);
      subject.load.run(WARM_UP_SLICE_MS, new Latencies());
    } else {
      measureSlice(subject, subject.load, effort.slice);
    }
  } catch (error) {
    fail(subject, error);
  }
}

async function openLoad(scenario: Scenario, port: number): Promise<Load> {
  const load = scenario.open(port);
  // The cost of new connections is not part of a slice.
  await pause(10);
  load.run(scenario.settle ?? SETTLE_MS, new Latencies());
  return load;
}

/** Latencies of the present slice. */
const ofSlice = new Latencies();

function measureSlice(
  subject: Subject,
  load: Load,
  milliseconds: number,
): void {
  const { pid } = subject.server;
  const split = cpuSplit(pid);
  const cpu = cpuSeconds(pid);
  const ownCpu = cpuSeconds(Deno.pid);
  ofSlice.clear();
  const lost = load.lost ?? 0;
  const start = performance.now();
  let messages = 0;
  for (let tries = 0; messages === 0 && tries < TRIES; tries++) {
    messages = load.run(milliseconds, ofSlice);
  }
  const seconds = (performance.now() - start) / 1000;
  if (messages === 0) throw new LoadError("the server answers too late");
  const share = (cpuSeconds(Deno.pid) - ownCpu) / seconds;
  subject.slices.push({
    rate: messages / seconds,
    cpu: (cpuSeconds(pid) - cpu) / messages * 1e6,
    p50: ofSlice.percentiles()?.p50 ?? NaN,
    loadShare: share,
    lost: (load.lost ?? 0) - lost,
    answered: messages,
  });
  const splitAfter = cpuSplit(pid);
  subject.user += splitAfter.user - split.user;
  subject.system += splitAfter.system - split.system;
  subject.latencies.addAll(ofSlice);
}

/** Counts system calls in a run of its own, since counting may cost more than the calls. */
async function countCalls(subject: Subject, effort: Effort): Promise<void> {
  const { load, server, peer } = subject;
  if (subject.failure !== null || load === null) return;
  effort.progress(`system calls: ${peer.name}`);
  try {
    subject.calls = await countSystemCalls(
      server.pid,
      () => load.run(effort.slice, new Latencies()),
    );
  } catch (error) {
    fail(subject, error);
  }
}

function fail(subject: Subject, error: unknown): void {
  subject.failure = (error as Error).message;
  closeLoad(subject);
}

function closeLoad(subject: Subject): void {
  subject.load?.[Symbol.dispose]();
  subject.load = null;
}

function finished(subject: Subject, scenario: Scenario): Result {
  const { peer, failure, slices, user, system, latencies, calls } = subject;
  if (failure !== null) return resultOf(peer, scenario, { failure });
  return resultOf(peer, scenario, {
    slices,
    userShare: user / (user + system),
    latency: latencies.percentiles(),
    calls,
  });
}
