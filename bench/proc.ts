/**
 * Facts about processes and the machine from `/proc`.
 *
 * @module
 */

/** Ticks a second of `/proc/<pid>/stat`: USER_HZ, which is 100 on each processor. */
const TICKS = 100;

/** The CPU time of all threads of a process, in seconds, to the nanosecond. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    nanoseconds += threadNanoseconds(`${pid}/task/${name}`);
  }
  return nanoseconds / 1e9;
}

/** The CPU time of a thread; 0 for one that has ended since the list was read. */
function threadNanoseconds(thread: string): number {
  try {
    // Three numbers: time on the CPU, time in the queue, slices.
    return Number(readProc(`${thread}/schedstat`).split(" ")[0]);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** A process and all its descendants. */
export function processTree(pid: number): number[] {
  const children = readProc(`${pid}/task/${pid}/children`).trim();
  const below = children === "" ? [] : children.split(" ").map(Number);
  return [pid, ...below.flatMap(processTree)];
}

/**
 * The user and system seconds of a process, also of threads that have ended. The
 * kernel samples them by ticks, so they are exact enough for seconds, but not for
 * milliseconds.
 */
export function cpuSplit(pid: number): { user: number; system: number } {
  const stat = readProc(`${pid}/stat`);
  // The command, in parentheses, may contain anything. Fields 14 and 15 follow it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    user: Number(fields[11]) / TICKS,
    system: Number(fields[12]) / TICKS,
  };
}

/** The memory that a process holds, in bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`));
  return Number(line?.[1] ?? NaN) * 1024;
}

/**
 * How many established connections to a local port wait to be accepted.
 *
 * @throws {Error} if no socket listens on it
 */
export function unaccepted(port: number): number {
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, "0");
  // Local address, remote address, the state LISTEN, and two queues.
  const listener = new RegExp(
    `: [0-9A-F]+:${hexadecimal} [0-9A-F:]+ 0A [0-9A-F]+:([0-9A-F]+) `,
  );
  for (const table of ["net/tcp", "net/tcp6"]) {
    const match = listener.exec(readBeginning(table));
    if (match !== null) return parseInt(match[1]!, 16);
  }
  throw new Error(`No socket listens on port ${port}`);
}

/** How many files a process may have open. */
export function descriptorLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readProc("self/limits"));
  return Number(line?.[1] ?? Infinity);
}

/** How long `busyShare()` watches the CPUs, in milliseconds. */
const WATCHED_MS = 500;

/** The share of the CPUs' time that other programs use now, from 0 to 1. */
export function busyShare(): number {
  const before = cpuTicks();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WATCHED_MS);
  const after = cpuTicks();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}

/** The ticks of all CPUs together since the start of the system: proc_stat(5). */
function cpuTicks(): { idle: number; all: number } {
  const [line] = readProc("stat").split("\n");
  const ticks = line!.trim().split(/ +/).slice(1).map(Number);
  // user, nice, system, idle, iowait
  const idle = ticks[3]! + ticks[4]!;
  return { idle, all: ticks.reduce((sum, count) => sum + count) };
}

/** The model of the processor. */
export function processorName(): string {
  const line = /^model name\s*: (.*)$/m.exec(readProc("cpuinfo"));
  return line?.[1] ?? Deno.build.arch;
}

/** The kernel's release. */
export function kernelRelease(): string {
  // The suffix of a distribution does not affect speed.
  return readProc("sys/kernel/osrelease").trim().split("-")[0]!;
}

/** The bytes of one read: the tables of sockets begin with listening ones. */
function readBeginning(path: string): string {
  using file = Deno.openSync(`/proc/${path}`);
  const bytes = new Uint8Array(16 * 1024);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

function readProc(path: string): string {
  return Deno.readTextFileSync(`/proc/${path}`);
}
