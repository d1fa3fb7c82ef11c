/**
 * What Linux says about a process in `/proc`.
 *
 * @module
 */

/** How many ticks of `/proc/<pid>/stat` are in a second: USER_HZ, 100 on every processor. */
const TICKS = 100;

/** The CPU time that all threads of a process have had, in seconds, to the nanosecond. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    // Three numbers: time on the CPU, time in the queue, slices.
    const schedstat = readProc(`${pid}/task/${name}/schedstat`);
    nanoseconds += Number(schedstat.split(" ")[0]);
  }
  return nanoseconds / 1e9;
}

/**
 * The user and system seconds of a process, threads that are gone included.
 * The kernel samples which of both a tick falls into: good for a share of
 * seconds, not of milliseconds.
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
 * How many connections to a local port stand, and wait to be accepted.
 *
 * @throws {Error} if nobody listens there
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
  throw new Error(`Nobody listens on port ${port}`);
}

/** How many files a process may have open. */
export function descriptorLimit(): number {
  const line = /^Max open files\s+(\d+)/m.exec(readProc("self/limits"));
  return Number(line?.[1] ?? Infinity);
}

/** The model of the processor, as its maker calls it. */
export function processorName(): string {
  const line = /^model name\s*: (.*)$/m.exec(readProc("cpuinfo"));
  return line?.[1] ?? Deno.build.arch;
}

/** The kernel's release. */
export function kernelRelease(): string {
  // What a distributor appends says nothing about speed.
  return readProc("sys/kernel/osrelease").trim().split("-")[0]!;
}

/** As much as one read gives: the tables of sockets begin with those that listen. */
function readBeginning(path: string): string {
  using file = Deno.openSync(`/proc/${path}`);
  const bytes = new Uint8Array(16 * 1024);
  return new TextDecoder().decode(bytes.subarray(0, file.readSync(bytes) ?? 0));
}

function readProc(path: string): string {
  return Deno.readTextFileSync(`/proc/${path}`);
}
