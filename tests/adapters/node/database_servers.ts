/** Redis and MariaDB of the tests' own, each on a Unix socket in a temporary folder. */

import { PATIENCE } from "../../util.ts";

/** The user `nobody`: database servers refuse to run as root. */
const NOBODY = 65534;

/** The paths of programs; MariaDB's server is outside of the PATH of most users. */
const FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/local/bin"];

function find(...names: string[]): string | undefined {
  for (const name of names) {
    for (const folder of FOLDERS) {
      try {
        Deno.statSync(`${folder}/${name}`);
        return `${folder}/${name}`;
      } catch {
        // The next folder may have it.
      }
    }
  }
  return undefined;
}

/** Starts a kind of server. */
export class DatabaseKind {
  readonly #program: string | undefined;
  readonly #prepare: (directory: string) => string[] | null;
  readonly #args: (directory: string) => string[];
  readonly #name: string;

  constructor(
    names: string[],
    args: (directory: string) => string[],
    prepare: (directory: string) => string[] | null = () => null,
  ) {
    this.#name = names[0]!;
    this.#program = find(...names);
    this.#args = args;
    this.#prepare = prepare;
  }

  /** Why tests with it have to be ignored; undefined if it is installed. */
  get absence(): string | undefined {
    if (this.#program !== undefined) return undefined;
    return `there is no ${this.#name}`;
  }

  /** Starts a server, and waits until it accepts connections. */
  async start(): Promise<DatabaseServer> {
    const directory = Deno.makeTempDirSync();
    if (Deno.uid() === 0) Deno.chownSync(directory, NOBODY, NOBODY);
    const prepare = this.#prepare(directory);
    if (prepare !== null) await command(prepare[0]!, prepare.slice(1)).output();
    const child = command(this.#program!, this.#args(directory)).spawn();
    const server = new DatabaseServer(directory, child);
    try {
      await server.ready();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** A server that runs until the end of an `await using` scope. */
export class DatabaseServer implements AsyncDisposable {
  readonly #directory: string;
  readonly #child: Deno.ChildProcess;

  constructor(directory: string, child: Deno.ChildProcess) {
    this.#directory = directory;
    this.#child = child;
  }

  /** The path of its socket. */
  get path(): string {
    return `${this.#directory}/socket`;
  }

  /** Waits until it accepts connections. */
  async ready(): Promise<void> {
    const end = performance.now() + PATIENCE * 4;
    for (;;) {
      try {
        (await Deno.connect({ transport: "unix", path: this.path })).close();
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function command(program: string, args: string[]): Deno.Command {
  const user = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  return new Deno.Command(program, {
    args,
    cwd: "/",
    stdin: "null",
    stdout: "null",
    stderr: "null",
    ...user,
  });
}

/** Redis, or Valkey. */
export const redis: DatabaseKind = new DatabaseKind(
  ["redis-server", "valkey-server"],
  (directory) => [
    ...["--port", "0", "--unixsocket", `${directory}/socket`],
    ...["--dir", directory, "--save", ""],
  ],
);

/** MariaDB, without a check of passwords. */
export const mariadb: DatabaseKind = new DatabaseKind(
  ["mariadbd"],
  (directory) => [
    ...["--no-defaults", `--datadir=${directory}/data`, "--skip-networking"],
    ...[`--socket=${directory}/socket`, "--skip-grant-tables"],
    ...[`--pid-file=${directory}/pid`, "--innodb-flush-method=fsync"],
  ],
  (directory) => [
    find("mariadb-install-db") ?? "mariadb-install-db",
    ...["--no-defaults", `--datadir=${directory}/data`, "--skip-test-db"],
    "--auth-root-authentication-method=normal",
  ],
);
