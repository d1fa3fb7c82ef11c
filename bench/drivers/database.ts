/**
 * Database servers of one's own: each in a folder of its own, on a port of
 * 127.0.0.1, gone when the benchmark is over.
 *
 * @module
 */

import { firstLine, which } from "../peers/peer.ts";
import { freePort, LOAD_CORE } from "../server.ts";

/** The user `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65534;

/** How long a server may take to start, in milliseconds. */
const START_MS = 10_000;

/** How long it is left alone between two questions, in milliseconds. */
const PROBE_MS = 50;

/** A kind of server. */
export interface Database {
  /** The driver that it is for. */
  readonly driver: string;
  /** Where its program is; null if it is not installed. */
  find(): Promise<string | null>;
  /** What has to be done to an empty folder first. */
  prepare?(program: string, directory: string): string[];
  /** How it is started. */
  command(program: string, directory: string, port: number): string[];
  /** A command that succeeds once it answers. */
  ready(program: string, port: number): string[];
}

const postgres: Database = {
  driver: "postgres",
  // Debian keeps versions side by side, outside of PATH.
  find: async () =>
    await firstLine("sh", "-c", "ls -d /usr/lib/postgresql/*/bin/postgres") ||
    await which("postgres"),
  prepare: (program, directory) => [
    beside(program, "initdb"),
    ...["--no-sync", "--auth=trust", "--username=postgres", "-D", directory],
  ],
  command: (program, directory, port) => [
    program,
    ...["-D", directory, "-p", String(port), "-h", "127.0.0.1"],
    ...["-c", "unix_socket_directories="],
  ],
  ready: (program, port) => [
    beside(program, "pg_isready"),
    ...["--quiet", "-h", "127.0.0.1", "-p", String(port)],
  ],
};

const redis: Database = {
  driver: "redis",
  find: () => which("redis-server"),
  command: (program, directory, port) => [
    program,
    ...["--bind", "127.0.0.1", "--port", String(port)],
    ...["--dir", directory, "--save", ""],
  ],
  ready: (program, port) => [
    beside(program, "redis-cli"),
    ...["-h", "127.0.0.1", "-p", String(port), "ping"],
  ],
};

/** All of them. */
export const databases: readonly Database[] = [postgres, redis];

/** Another program of the same folder. */
function beside(program: string, name: string): string {
  return program.replace(/[^/]*$/, name);
}

/** A server that answers. */
export class DatabaseServer implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;
  readonly #process: Deno.ChildProcess;

  private constructor(
    port: number,
    directory: string,
    process: Deno.ChildProcess,
  ) {
    this.port = port;
    this.#directory = directory;
    this.#process = process;
  }

  /**
   * Starts a server, on the core of the load.
   *
   * @throws {Error} if it does not answer
   */
  static async start(
    database: Database,
    program: string,
  ): Promise<DatabaseServer> {
    const directory = await Deno.makeTempDir({ prefix: "pollux-database-" });
    if (Deno.uid() === 0) await Deno.chown(directory, NOBODY, NOBODY);
    const port = freePort("echo");
    const prepare = database.prepare?.(program, directory);
    if (prepare !== undefined) await succeeds(prepare);
    const process = command([
      ...["taskset", "-c", String(LOAD_CORE)],
      ...database.command(program, directory, port),
    ]).spawn();
    const server = new DatabaseServer(port, directory, process);
    const deadline = performance.now() + START_MS;
    while (!await succeeds(database.ready(program, port))) {
      if (performance.now() > deadline) {
        await server[Symbol.asyncDispose]();
        throw new Error(`${program} does not start`);
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // To both it means to end at once and in order.
      this.#process.kill("SIGINT");
    } catch {
      // It is gone already.
    }
    await this.#process.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function command([program, ...args]: string[]): Deno.Command {
  const user = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  return new Deno.Command(program!, {
    args,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...user,
  });
}

async function succeeds(line: string[]): Promise<boolean> {
  return (await command(line).output()).success;
}
