/**
 * Starts the examples, and the same programs in Python, as a person would, and
 * waits for what they print.
 */

import { assertMatch, assertStringIncludes, fail } from "@std/assert";
import { emulated, test } from "../util.ts";
import { read } from "./transcripts.ts";

/** A program that has not ended by then is killed, and whoever waits for it fails. */
const PATIENCE = 30_000;

const ROOT = new URL("../../", import.meta.url);

/** How a program ended. */
export interface Ending {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  /** Standard output, line by line. */
  readonly lines: readonly string[];
  /** Standard error. */
  readonly errors: string;
}

/** A running program, which the end of an `await using` scope kills. */
export class Program implements AsyncDisposable {
  /** What it has printed up to now. */
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #watchdog: ReturnType<typeof setTimeout>;
  readonly #output: Promise<void>;
  readonly #errors: Promise<string>;
  #closed = false;
  #news = Promise.withResolvers<void>();

  constructor(
    program: string,
    args: readonly string[],
    env: Record<string, string> = {},
  ) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      cwd: ROOT,
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#watchdog = setTimeout(() => this.kill("SIGKILL"), PATIENCE);
    this.#output = this.#readLines();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits for a line like this one. */
  async line(wanted: RegExp): Promise<string> {
    await this.until(() => this.lines.some((line) => wanted.test(line)));
    return this.lines.find((line) => wanted.test(line))!;
  }

  /** Waits for lines that make it true. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#closed) {
        fail(`${condition}: ${this.lines.join("\n")}\n${await this.#errors}`);
      }
      await this.#news.promise;
    }
  }

  /** The port that a server says it listens on. */
  async port(): Promise<number> {
    const line = await this.line(/^Server start at: /);
    assertMatch(line, /:\d+$/);
    return Number(line.slice(line.lastIndexOf(":") + 1));
  }

  /** Waits until it ends by itself. */
  async ending(): Promise<Ending> {
    await this.#output;
    const errors = await this.#errors;
    const { code, signal } = await this.#child.status;
    return { code, signal, lines: this.lines, errors };
  }

  /** Sends it a signal, if it still runs. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ending();
    clearTimeout(this.#watchdog);
  }

  async #readLines(): Promise<void> {
    let rest = "";
    const text = this.#child.stdout.pipeThrough(new TextDecoderStream());
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      this.#tell();
    }
    if (rest !== "") this.lines.push(rest);
    this.#closed = true;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** One of /proc's ticks: USER_HZ is 100 on Linux, whatever the kernel's own is. */
const MILLISECONDS_PER_TICK = 10;

/** The milliseconds that a process has spent on a CPU: utime and stime of proc(5). */
export function cpuTime({ pid }: Program): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may have spaces: the third field follows it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MILLISECONDS_PER_TICK;
}

/** How many descriptors a process has. */
export function descriptorsOf({ pid }: Program): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Starts one of the examples, with the permission that it says it needs. */
export function startExample(
  name: string,
  args: readonly string[] = [],
  permissions: readonly string[] = ["--allow-ffi"],
): Program {
  const file = new URL(`examples/${name}.ts`, ROOT).href;
  return startDeno(["run", "--no-prompt", ...permissions, file, ...args]);
}

/** Starts one of the examples with a limit on its descriptors. */
export function startLimited(
  limit: number,
  name: string,
  args: readonly string[],
  permissions: readonly string[] = ["--allow-ffi"],
): Program {
  const file = new URL(`examples/${name}.ts`, ROOT).href;
  const program = Deno.env.get("POLLUX_DENO") ?? Deno.execPath();
  const command = [program, "run", "--no-prompt", ...permissions, file];
  const script = 'ulimit -n "$0" && exec "$@"';
  return new Program("sh", ["-c", script, `${limit}`, ...command, ...args], {
    // A file that Deno would open after a while, and warn of if it cannot.
    NODE_EXTRA_CA_CERTS: "",
  });
}

/** Starts Deno. */
export function startDeno(args: readonly string[]): Program {
  // Under emulation it has another name than that of the running program.
  return new Program(Deno.env.get("POLLUX_DENO") ?? Deno.execPath(), args);
}

/** Starts the same program in Python. */
export function startPython(
  name: string,
  args: readonly string[] = [],
): Program {
  const file = `tests/examples/python/${name}.py`;
  return new Program("python3", [file, ...args], {
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
  });
}

/** Starts a program of the article as it is printed there, except for its port. */
export function startArticle(name: string, port: number): Program {
  const program = read(`${name}.py`).replace("PORT = 8001", `PORT = ${port}`);
  return new Program("python3", ["-c", program], { PYTHONUNBUFFERED: "1" });
}

async function findPython(): Promise<string | undefined> {
  try {
    await new Deno.Command("python3", { args: ["--version"] }).output();
    return undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "there is no python3";
  }
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

/** Why a test cannot run here, if so. */
export const absence = {
  any: Deno.build.os === "windows" ? "Windows has no backend" : undefined,
  epoll: linux ? undefined : "this is not Linux",
  proc: linux ? undefined : "there is no /proc",
  python: await findPython(),
  ipv6: findIPv6(),
  task: emulated ? "the emulator runs one program" : undefined,
} as const;

/** Defines a test that runs examples, or says why it cannot. */
export function testExamples(
  name: string,
  body: () => Promise<void>,
  ...reasons: (string | undefined)[]
): void {
  const reason = [absence.any, ...reasons].find((reason) => reason);
  test(
    reason === undefined ? name : `${name} (ignored: ${reason})`,
    body,
    { ignore: reason !== undefined },
  );
}

/** One of the servers. */
export interface Server {
  readonly title: string;
  readonly name: string;
  readonly args: readonly string[];
  /** Why it cannot run here, if so. */
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

/** Servers on the reactor, which answer whatever is sent. */
export const reactorServers: readonly Server[] = [
  server("reactor_server"),
  server("echo"),
  server("echo", "--mode", "serve"),
  server("echo", "--selector", "poll"),
  server("tcp_udp_echo"),
];

/** Starts a server at a port that is free. */
export function startServer(
  { name, args }: Server,
  permissions?: readonly string[],
): Program {
  return startExample(name, [...args, "--port", "0"], permissions);
}

/** The program with five services, and the port from which theirs are counted. */
export interface Services extends AsyncDisposable {
  readonly program: Program;
  readonly base: number;
}

/** Starts them where all of their ports are free, as a person would: by trying. */
export async function startServices(
  start: (name: string, args: readonly string[]) => Program = startExample,
): Promise<Services> {
  for (;;) {
    // Below the ports that the system gives away.
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    const program = start("services", ["--base-port", `${base}`]);
    const close = (): Promise<void> => program[Symbol.asyncDispose]();
    try {
      await program.line(/\(time\)$/);
      return { program, base, [Symbol.asyncDispose]: close };
    } catch {
      const { errors } = await program.ending();
      assertStringIncludes(errors, "Address already in use");
      await close();
    }
  }
}

/** A port that no program has, for one that cannot ask for any. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
