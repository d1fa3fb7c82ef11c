/** Starts the examples, and the same programs in Python, as their users do. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  absenceOf,
  assertFailed,
  type Ending,
  Program,
  type ProgramOptions,
  startDeno,
} from "../program.ts";
import {
  denoProgram,
  emulated,
  NEEDS_UNIX_SOCKETS,
  test,
  unixSockets,
} from "../util.ts";
import { read } from "./transcripts.ts";

const ROOT = new URL("../../", import.meta.url);

/** Ports below those that a system chooses itself: no other socket takes one by chance. */
const LOWEST_PORT = 20_000;
const PORTS = 12_000;

/** Whether this is Windows, where only sockets have readiness. */
export const windows: boolean = Deno.build.os === "windows";

/** A tick of /proc: USER_HZ is 100 on Linux, for each tick rate of the kernel. */
const MILLISECONDS_PER_TICK = 10;

/** The CPU time of a process in milliseconds: utime and stime of proc(5). */
function cpuTime({ pid }: Program): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may have spaces. The third field follows.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MILLISECONDS_PER_TICK;
}

/**
 * How long idle programs are watched, and the CPU time that counts as idle, in
 * milliseconds. After its start a program compiles, for up to 70 ms of an idle machine.
 */
const WATCHED = 1000;
const IDLE = 300;

/** Asserts that programs wait for something, and do not spin. */
export async function assertIdle(programs: readonly Program[]): Promise<void> {
  const before = programs.map(cpuTime);
  await new Promise((resolve) => setTimeout(resolve, WATCHED));
  const used = programs.map((program, index) =>
    cpuTime(program) - before[index]!
  );
  assert(used.every((time) => time < IDLE), `CPU time in ms: ${used}`);
}

/**
 * A pattern for a text of the system. Windows has its own, in the language of its user;
 * Wine has none for some errors.
 */
export function textOfSystem(text: string): string {
  return windows ? ".+" : text;
}

/** Asserts that a server has failed, with one line, since its port is in use. */
export function assertPortInUse(ending: Ending, port: number): void {
  const text = textOfSystem("Address already in use");
  const line = `^${text} \\(os error \\d+\\): bind 127.0.0.1:${port}\n$`;
  assertFailed(ending, 1, new RegExp(line));
  assertEquals(ending.lines, []);
}

/** STATUS_CONTROL_C_EXIT of <ntstatus.h>, as the status of a process. */
const CONTROL_C_EXIT = 0xc000_013a | 0;

/** The end of a program that does not handle Ctrl-C: without a message. */
export function assertInterrupted(ending: Ending): void {
  const { code, signal, errors } = ending;
  const end = windows ? code : signal;
  const expected = windows ? CONTROL_C_EXIT : "SIGINT";
  assertEquals({ end, errors }, { end: expected, errors: "" });
}

/** The number of open descriptors of a process. */
export function descriptorsOf({ pid }: Program): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/**
 * Starts an example with the permission that its head names. It is quiet about packages
 * of npm, which the first run downloads.
 */
export function startExample(
  name: string,
  args: readonly string[] = [],
  permissions: readonly string[] = ["--allow-ffi"],
  options?: ProgramOptions,
): Program {
  const file = new URL(`examples/${name}.ts`, ROOT).href;
  const flags = ["--quiet", "--no-prompt", ...permissions];
  return startDeno(["run", ...flags, file, ...args], options);
}

/** The permissions of the client of `chat`. On Windows a Worker reads the keyboard. */
export const CHAT_CLIENT_PERMISSIONS: readonly string[] = windows
  ? ["--allow-ffi", "--allow-read=."]
  : ["--allow-ffi"];

/** Starts an example in which Ctrl-C can be pressed. */
export function startInConsole(
  name: string,
  args: readonly string[],
  permissions?: readonly string[],
): Program {
  return startExample(name, args, permissions, { hasConsole: true });
}

/** Starts an example with a limit on its descriptors. */
export function startLimited(
  limit: number,
  name: string,
  args: readonly string[],
  permissions: readonly string[] = ["--allow-ffi"],
): Program {
  const file = new URL(`examples/${name}.ts`, ROOT).href;
  const command = [denoProgram(), "run", "--no-prompt", ...permissions, file];
  const script = 'ulimit -n "$0" && exec "$@"';
  return new Program("sh", ["-c", script, `${limit}`, ...command, ...args], {
    // Deno would open this file after a while, and warn if it cannot.
    env: { NODE_EXTRA_CA_CERTS: "" },
  });
}

/** Starts the same program in Python. */
export function startPython(
  name: string,
  args: readonly string[] = [],
): Program {
  const file = `tests/examples/python/${name}.py`;
  const env = { PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" };
  return new Program("python3", [file, ...args], { env });
}

/** Starts a program of the article as it is printed there, except for its port. */
export function startArticle(name: string, port: number): Program {
  const program = read(`${name}.py`).replace("PORT = 8001", `PORT = ${port}`);
  const env = { PYTHONUNBUFFERED: "1" };
  return new Program("python3", ["-c", program], { env });
}

function findIPv6(): string | undefined {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return undefined;
  } catch (error) {
    return `there is no IPv6: ${(error as Error).message}`;
  }
}

const linux = Deno.build.os === "linux";

/** Why tests have to be ignored; undefined if they can run. */
export const absence = {
  epoll: linux ? undefined : "this is not Linux",
  threads: linux || windows ? undefined : "this is not Linux or Windows",
  proc: linux ? undefined : "there is no /proc",
  python: await absenceOf("python3", "--version"),
  ipv6: findIPv6(),
  unixSockets: unixSockets ? undefined : NEEDS_UNIX_SOCKETS.reason,
  task: emulated ? "the emulator runs one program" : undefined,
} as const;

/** Defines a test that runs examples. If there is a reason to ignore it, the name says so. */
export function testExamples(
  name: string,
  body: () => Promise<void>,
  ...reasons: (string | undefined)[]
): void {
  const reason = reasons.find((reason) => reason);
  test(
    reason === undefined ? name : `${name} (ignored: ${reason})`,
    body,
    { ignore: reason !== undefined },
  );
}

/** A server. */
export interface Server {
  readonly title: string;
  readonly name: string;
  readonly args: readonly string[];
  /** Why it cannot run here; undefined if it can. */
  readonly absent: string | undefined;
}

function server(name: string, ...args: string[]): Server {
  const absent = name === "epoll_server" ? absence.epoll : undefined;
  return { title: [name, ...args].join(" "), name, args, absent };
}

/** All servers, in the order of the article. */
export const servers: readonly Server[] = [
  server("select_server"),
  server("poll_server"),
  server("epoll_server"),
  server("epoll_server", "--edge"),
  server("selectors_server"),
  server("callback_server"),
];

/** Servers on the reactor that answer all messages. */
export const reactorServers: readonly Server[] = [
  server("reactor_server"),
  server("echo"),
  server("echo", "--mode", "serve"),
  server("echo", "--selector", "poll"),
  server("tcp_udp_echo"),
];

/** Starts a server at a port of the system's choice. */
export function startServer(
  { name, args }: Server,
  permissions?: readonly string[],
  options?: ProgramOptions,
): Program {
  return startExample(name, [...args, "--port", "0"], permissions, options);
}

/** The program with five services, and its base port. */
export interface Services extends AsyncDisposable {
  readonly program: Program;
  readonly base: number;
}

/** Starts the services at a base port where all of their ports are free. */
export async function startServices(
  start: (name: string, args: readonly string[]) => Program = startExample,
): Promise<Services> {
  for (;;) {
    // Below the ephemeral ports.
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    const program = start("services", ["--base-port", `${base}`]);
    const close = (): Promise<void> => program[Symbol.asyncDispose]();
    try {
      await program.line(/\(time\)$/);
      return { program, base, [Symbol.asyncDispose]: close };
    } catch {
      const { errors } = await program.ending();
      assertMatch(errors, new RegExp(textOfSystem("Address already in use")));
      await close();
    }
  }
}

/** All ports that `freePort()` has returned. */
const givenPorts = new Set<number>();

/** A port that no program uses, another one at each call. */
export function freePort(): number {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(PORTS * Math.random());
    if (givenPorts.has(port)) continue;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      givenPorts.add(port);
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
