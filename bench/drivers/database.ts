/**
 * Starts database servers: each in a temporary folder, on a port of 127.0.0.1, until the
 * benchmark ends.
 *
 * @module
 */

import { firstLine, which } from "../peers/peer.ts";
import { freePort, LOAD_CORE } from "../server.ts";

/** The user `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65534;

/** How long a server may take to start, in milliseconds. */
const START_MS = 10_000;

/** The interval of attempts to connect, in milliseconds. */
const PROBE_MS = 50;

/** A kind of server. */
export interface Database {
  /** The name of its driver. */
  readonly driver: string;
  /** The path of its program, or null if it is not installed. */
  find(): Promise<string | null>;
  /** The command that prepares an empty folder. */
  prepare?(program: string, directory: string): string[];
  /** The command that starts it. */
  command(program: string, directory: string, port: number): string[];
  /** A command that succeeds when the server answers. */
  ready(program: string, port: number): string[];
}

const postgres: Database = {
  driver: "postgres",
  // Debian keeps versions side by side, outside of PATH.
  find: async () =>
    await firstLine("sh", "-c", "ls -d /usr/lib/postgresql/*/bin/postgres") ||
    await which("postgres"),
  prepare: (program, directory) => [
    sibling(program, "initdb"),
    ...["--no-sync", "--auth=trust", "--username=postgres", "-D", directory],
  ],
  command: (program, directory, port) => [
    program,
    ...["-D", directory, "-p", String(port), "-h", "127.0.0.1"],
    ...["-c", "unix_socket_directories="],
  ],
  ready: (program, port) => [
    sibling(program, "pg_isready"),
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
    sibling(program, "redis-cli"),
    ...["-h", "127.0.0.1", "-p", String(port), "ping"],
  ],
};

const mariadb: Database = {
  driver: "mariadb",
  // Debian keeps it outside of the PATH of most users.
  find: async () =>
    await which("mariadbd") ??
      (await firstLine("sh", "-c", "ls /usr/sbin/mariadbd") || null),
  prepare: (_program, directory) => [
    ...["mariadb-install-db", "--no-defaults", "--skip-test-db"],
    ...[`--datadir=${directory}/data`],
    "--auth-root-authentication-method=normal",
  ],
  command: (program, directory, port) => [
    ...[program, "--no-defaults", `--datadir=${directory}/data`],
    ...["--bind-address=127.0.0.1", `--port=${port}`, "--skip-grant-tables"],
    ...["--skip-name-resolve", "--skip-networking=0"],
    ...[`--socket=${directory}/socket`, `--pid-file=${directory}/pid`],
  ],
  ready: (_program, port) => [
    ...["mariadb-admin", "--no-defaults", "--host=127.0.0.1"],
    ...[`--port=${port}`, "--silent", "ping"],
  ],
};

/** All kinds of servers. */
export const databases: readonly Database[] = [postgres, redis, mariadb];

/** Another program of the same folder. */
function sibling(program: string, name: string): string {
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
      // PostgreSQL waits for its clients, which have ended before.
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended already.
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
