/**
 * Counts the system calls of a process: with `perf`, which lets it run at its
 * speed, or with `strace`, which stops it at each call. Under the latter a server
 * finds more ready at each wait than it would otherwise, so that it waits less
 * often.
 *
 * @module
 */

import { which } from "./peers/peer.ts";

/** A program that counts until it is interrupted, and then says how many there were. */
interface Counter {
  readonly command: string;
  /** Its arguments for a process. */
  args(pid: number): string[];
  /** Whether it sees every thread, as far as `/proc` tells. */
  attached(own: number, pid: number): boolean;
  /** The number, in what it says on standard error. */
  count(output: string): number;
}

/** How long a program may take to attach itself, in milliseconds. */
const ATTACH_MS = 3000;

/** How long it is left alone between two questions, and to begin once it is attached. */
const SETTLE_MS = 100;

const perf: Counter = {
  command: "perf",
  args: (pid) => [
    ...["stat", "-x", ",", "-e", "raw_syscalls:sys_enter"],
    ...["-p", String(pid)],
  ],
  attached: (own, pid) => {
    const files = namesIn(`/proc/${own}/fd`);
    const counters = files.filter((name) =>
      linkOf(`/proc/${own}/fd/${name}`) === "anon_inode:[perf_event]"
    );
    return counters.length >= namesIn(`/proc/${pid}/task`).length;
  },
  // The number comes first: "1234,,raw_syscalls:sys_enter,…"
  count: (output) => Number(/^(\d+),/m.exec(output)?.[1] ?? NaN),
};

const strace: Counter = {
  command: "strace",
  args: (pid) => ["-f", "-c", "-p", String(pid)],
  attached: (own, pid) =>
    namesIn(`/proc/${pid}/task`).every((task) =>
      Deno.readTextFileSync(`/proc/${pid}/task/${task}/status`)
        .includes(`\nTracerPid:\t${own}\n`)
    ),
  // % time, seconds, usecs/call, calls: "100.00    0.5    1    1234    5 total"
  count: (output) =>
    Number(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+).* total$/m.exec(output)?.[1] ?? NaN),
};

/** The first that works here; found when it is needed. */
let counter: Promise<Counter | null> | undefined;

async function findCounter(): Promise<Counter | null> {
  if (await perfWorks()) return perf;
  return await which("strace") === null ? null : strace;
}

/** It may be there, but not for this kernel or this user. */
async function perfWorks(): Promise<boolean> {
  if (await which("perf") === null) return false;
  const { stderr } = await new Deno.Command("perf", {
    args: ["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "true"],
    stdout: "null",
    stderr: "piped",
  }).output();
  return perf.count(new TextDecoder().decode(stderr)) > 0;
}

/**
 * System calls for each of the messages that a load has had answered.
 *
 * @param load Runs, and returns how many there were
 * @returns the number, or why it cannot be known
 */
export async function countSystemCalls(
  pid: number,
  load: () => number,
): Promise<number | string> {
  const tool = await (counter ??= findCounter());
  if (tool === null) return "neither perf nor strace is here";
  const process = new Deno.Command(tool.command, {
    args: tool.args(pid),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const output = process.output();
  const attached = await awaitAttached(tool, process.pid, pid);
  const messages = attached ? load() : NaN;
  if (attached) process.kill("SIGINT");
  const said = new TextDecoder().decode((await output).stderr);
  const calls = tool.count(said) / messages;
  if (Number.isFinite(calls)) return calls;
  return `${tool.command} says: ${said.trim().split("\n")[0]}`;
}

/** @returns false if it has ended instead */
async function awaitAttached(
  tool: Counter,
  own: number,
  pid: number,
): Promise<boolean> {
  const deadline = performance.now() + ATTACH_MS;
  while (performance.now() < deadline) {
    await pause(SETTLE_MS);
    try {
      if (!tool.attached(own, pid)) continue;
    } catch {
      return false;
    }
    await pause(SETTLE_MS);
    return true;
  }
  return false;
}

function namesIn(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory), ({ name }) => name);
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    // Closed since the folder was read.
    return "";
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
