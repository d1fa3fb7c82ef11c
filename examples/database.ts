// Asks PostgreSQL a hundred things at once, by the driver `pg` of npm. Its pool has ten
// connections, all of a reactor. postgres.ts does the same with libpq.
//
//     deno run --allow-ffi --allow-env --allow-read examples/database.ts
//
// `--path` is the server's Unix socket. With `--port` and `--host` it is asked over TCP,
// which is the default on Windows.

import pg from "pg";
import { createConnection } from "../adapters/node/mod.ts";
import { Reactor, type SocketAddress } from "../mod.ts";
import {
  type CommandLine,
  main,
  parseCommandLine,
  Refusal,
  report,
} from "./command_line.ts";

const PATH = "/run/postgresql/.s.PGSQL.5432";

/** The default of `--port`. With 0 the server is asked by its Unix socket. */
const PORT = Deno.build.os === "windows" ? "5432" : "0";
const CONNECTIONS = 10, QUERIES = 100;

/** The answer to each query: the square of its number, and the process that answered. */
interface Row {
  readonly square: number;
  readonly pid: number;
}

/** Where the server listens, by the options. */
function serverOf({ address, values: { path } }: CommandLine): SocketAddress {
  if (path === undefined && address.port !== 0) return address;
  return { path: String(path ?? PATH) };
}

/** Runs all queries, on the connections that are free. */
async function runQueries(pool: pg.Pool): Promise<void> {
  const started = performance.now();
  const answers = await Promise.all(
    Array.from({ length: QUERIES }, (_, index) =>
      pool.query({
        name: "square",
        text: "SELECT $1::int4 * $1::int4 AS square, pg_backend_pid() AS pid",
        values: [index],
      })),
  );
  const rows: Row[] = answers.map(({ rows }: { rows: Row[] }) => rows[0]!);
  const sum = rows.reduce((sum, { square }) => sum + square, 0);
  const connections = new Set(rows.map(({ pid }) => pid)).size;
  console.log(
    `Sum of ${QUERIES} squares: ${sum}, by ${connections} connections`,
  );
  console.log(`${(performance.now() - started).toFixed(0)} ms`);
}

if (import.meta.main) {
  await main(async () => {
    const line = parseCommandLine({
      path: { type: "string" },
      port: { type: "string", default: PORT },
      user: { type: "string", default: "postgres" },
    });
    const server = serverOf(line);
    await using reactor = new Reactor({ onError: report });
    reactor.serve();
    const pool = new pg.Pool({
      user: String(line.values.user),
      database: "postgres",
      max: CONNECTIONS,
      stream: () => createConnection(reactor, server),
    });
    try {
      await runQueries(pool);
    } catch (error) {
      throw new Refusal((error as Error).message);
    } finally {
      await pool.end();
    }
  });
  Deno.exit();
}
