/** The client of PostgreSQL, with a real server. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ffiPermissionFlag } from "../../backends/ffi/mod.ts";
import { bindLibpq, PostgresConnection } from "../../examples/libpq.ts";
import { Reactor } from "../../mod.ts";
import { assertFailed } from "../program.ts";
import { postgresAbsence, PostgresServer } from "./postgres_server.ts";
import { absence, assertIdle, startExample, testExamples } from "./start.ts";

const reason = postgresAbsence();

/** Runs a body with a server, and connections to it. */
async function withConnections(
  count: number,
  body: (
    connections: readonly PostgresConnection[],
    server: PostgresServer,
  ) => Promise<void>,
): Promise<void> {
  await using server = await PostgresServer.start();
  await using reactor = new Reactor();
  reactor.serve();
  using pq = bindLibpq();
  const connections = await Promise.all(
    Array.from(
      { length: count },
      () => PostgresConnection.connect(reactor, pq, server.parameters),
    ),
  );
  try {
    await body(connections, server);
  } finally {
    for (const connection of connections) connection.close();
  }
}

testExamples(
  "postgres: prints results and notifications, then ends on Ctrl-C",
  async () => {
    await using server = await PostgresServer.start();
    await using program = startExample("postgres", [server.parameters]);
    await program.line(/^100 queries on 10 connections took \d+ ms$/);
    await program.line(/^The sum of the first 100 squares is 328350$/);
    await program.line(/^Waiting for NOTIFY pollux$/);
    await server.notify("pollux", "zwölf");
    await program.line(/^zwölf$/);
    await assertIdle([program]);
    program.kill("SIGINT");
    const { signal, errors } = await program.ending();
    assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  },
  absence.proc,
  reason,
);

testExamples(
  "postgres: a killed server is one line, and status 1",
  async () => {
    await using server = await PostgresServer.start();
    await using program = startExample("postgres", [server.parameters]);
    await program.line(/^Waiting for NOTIFY pollux$/);
    await server.kill();
    assertFailed(await program.ending(), 1, /^PostgreSQL: .*\n$/);
  },
  reason,
);

testExamples(
  "postgres: a server that is not there is one line, and status 1",
  async () => {
    await using program = startExample("postgres", ["host=/nowhere"]);
    assertFailed(
      await program.ending(),
      1,
      /^PostgreSQL: .*\/nowhere.* failed.*\n$/,
    );
  },
  reason,
);

testExamples(
  "postgres: without libpq it says so in one line, and status 1",
  async () => {
    const permissions = [ffiPermissionFlag()];
    await using program = startExample(
      "postgres",
      ["host=/nowhere"],
      permissions,
    );
    assertFailed(await program.ending(), 1, /^Cannot find library "libpq.*\n$/);
  },
  absence.task,
);

testExamples(
  "postgres: without parameters it prints its usage, and status 2",
  async () => {
    await using program = startExample("postgres");
    assertFailed(await program.ending(), 2, /^Usage: postgres.ts .*\n$/);
  },
);

testExamples(
  "PostgresConnection: ten queries wait at once, and a wrong one rejects",
  () =>
    withConnections(10, async (connections) => {
      const started = performance.now();
      await Promise.all(
        connections.map((connection) =>
          connection.query("SELECT pg_sleep(0.3)")
        ),
      );
      // One after another they take three seconds.
      assert(performance.now() - started < 1500);
      const [first] = connections;
      await assertRejects(
        () => first!.query("SELECT nothing"),
        Error,
        'column "nothing" does not exist',
      );
      assertEquals(await first!.query("VALUES ('a'), ('ü')"), ["a", "ü"]);
    }),
  reason,
);

testExamples(
  "PostgresConnection: a large query and a large result arrive whole",
  () =>
    withConnections(1, async ([connection]) => {
      const text = "x".repeat(8_000_000);
      const [result] = await connection!.query(`SELECT '${text}'`);
      assertEquals(result!.length, text.length);
    }),
  reason,
);

testExamples(
  "PostgresConnection: a notification that comes with an answer is not late",
  () =>
    withConnections(1, async ([connection]) => {
      await connection!.query("LISTEN pollux");
      await connection!.query("NOTIFY pollux, 'own'");
      for await (const text of connection!.notifications()) {
        assertEquals(text, "own");
        break;
      }
    }),
  reason,
);

testExamples(
  "PostgresConnection: if the server is killed, each query rejects",
  () =>
    withConnections(10, async (connections, server) => {
      const queries = connections.map((connection) =>
        connection.query("SELECT pg_sleep(60)")
      );
      const results = Promise.allSettled(queries);
      await server.kill();
      for (const result of await results) {
        assert(result.status === "rejected");
        assertMatch(
          (result.reason as Error).message,
          /^PostgreSQL: .*(terminating connection|closed the connection)/,
        );
      }
    }),
  reason,
);
