/**
 * Counts the system calls of a process with `perf`, or else with `strace`. The latter
 * stops the process at each call. Then each wait of a server returns more events, and
 * the server waits less often.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { which } from "./peers/peer.ts";

/** A program that counts until it is interrupted, and then prints the number. */
interface Counter {
  readonly command: string;
  /** Its arguments for a process. */
  args(pid: number): string[];
  /** Whether it is attached to all threads, according to `/proc`. */
  attached(own: number, pid: number): boolean;
  /** The number in its standard error. */
  count(output: string): number;
}

/** How long a program may take to attach, in milliseconds. */
const ATTACH_MS = 3000;

/** The interval of checks, and the time to begin after attaching, in milliseconds. */
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

/** The first that works here, if it has been looked for. */
let counter: Promise<Counter | null> | undefined;

async function findCounter(): Promise<Counter | null> {
  if (await perfWorks()) return perf;
  return await which("strace") === null ? null : strace;
}

/** Whether perf works, which depends on the kernel and on the user. */
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
 * Counts system calls for each message of a load.
 *
 * @param load Runs, and returns the number of messages
 * @returns the number, or why it cannot be counted
 */
export async function countSystemCalls(
  pid: number,
  load: () => number,
): Promise<number | string> {
  const tool = await (counter ??= findCounter());
  if (tool === null) return "neither perf nor strace is installed";
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
  return `${tool.command} prints: ${said.trim().split("\n")[0]}`;
}

/** Waits until the program is attached. @returns false if it has ended */
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
    // Closed meanwhile.
    return "";
  }
}
