/** A PostgreSQL of the test's own, on a Unix socket in a temporary folder. */

import { assert } from "@std/assert";
import { findLibrary } from "../../backends/ffi/calls.ts";
import { eventually } from "../util.ts";

/** The user `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65534;

/** Where Debian keeps the versions of PostgreSQL, outside of PATH. */
const VERSIONS = "/usr/lib/postgresql";

/** The folder of the first version that has a server. */
function findPrograms(): string | undefined {
  try {
    for (const { name } of Deno.readDirSync(VERSIONS)) {
      const programs = [...Deno.readDirSync(`${VERSIONS}/${name}/bin`)];
      const hasServer = programs.some(({ name }) => name === "postgres");
      if (hasServer) return `${VERSIONS}/${name}/bin`;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return undefined;
}

const programs = findPrograms();

/** Why tests with PostgreSQL have to be ignored; undefined if it is installed. */
export function postgresAbsence(): string | undefined {
  if (programs === undefined) return `there is no server in ${VERSIONS}`;
  try {
    findLibrary("libpq.so.5");
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function command(name: string, args: string[]): Deno.Command {
  const user = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  return new Deno.Command(`${programs}/${name}`, {
    args,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...user,
  });
}

/** A server that answers, until an `await using` scope ends. */
export class PostgresServer implements AsyncDisposable {
  readonly directory: string = Deno.makeTempDirSync();
  /** For libpq. */
  readonly parameters = `host=${this.directory} user=postgres`;
  #process: Deno.ChildProcess | null = null;

  static async start(): Promise<PostgresServer> {
    const server = new PostgresServer();
    try {
      await server.#start();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { directory } = this;
    if (Deno.uid() === 0) Deno.chownSync(directory, NOBODY, NOBODY);
    const data = `${directory}/data`;
    const trust = ["--no-sync", "--auth=trust", "--username=postgres"];
    const prepared = await command("initdb", [...trust, "-D", data]).output();
    assert(prepared.success, "initdb failed");
    const options = ["-c", "listen_addresses=", "-c", "fsync=off"];
    const args = ["-D", data, "-k", directory, ...options];
    this.#process = command("postgres", args).spawn();
    let isReady = false;
    const probe = async (): Promise<void> => {
      const ready = command("pg_isready", ["--quiet", "-h", directory]);
      while (!(await ready.output()).success);
      isReady = true;
    };
    await Promise.all([probe(), eventually(() => isReady, "PostgreSQL")]);
  }

  /** Sends NOTIFY by psql. */
  async notify(channel: string, text: string): Promise<void> {
    const sql = `NOTIFY ${channel}, '${text}'`;
    const args = ["-h", this.directory, "-U", "postgres", "-c", sql];
    assert((await command("psql", args).output()).success);
  }

  /** Ends the server at once, as `pg_ctl stop -m immediate` does. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    process?.kill("SIGQUIT");
    await process?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.directory, { recursive: true });
  }
}
