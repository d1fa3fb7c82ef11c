// Asks PostgreSQL a hundred things at once on ten connections, then prints the messages
// that other clients send. libpq.ts has the client.
//
//     deno run --allow-ffi examples/postgres.ts "host=localhost user=postgres"
//
// Then, in another terminal: psql -h localhost -U postgres -c "NOTIFY pollux, 'hello'"
//
// Ctrl-C ends it.

import { parseArgs } from "node:util";
import { Reactor } from "../mod.ts";
import { main, orRefuse } from "./command_line.ts";
import { bindLibpq, PostgresConnection } from "./libpq.ts";

const CONNECTIONS = 10, QUERIES = 100;

function parse(): string {
  const { positionals } = parseArgs({ allowPositionals: true });
  if (positionals.length === 1) return positionals[0]!;
  throw new TypeError('Usage: postgres.ts "host=HOST port=PORT user=NAME …"');
}

/** Runs queries, each on the first connection that is free. */
async function runQueries(
  connections: readonly PostgresConnection[],
): Promise<void> {
  let next = 0, sum = 0;
  const started = performance.now();
  await Promise.all(connections.map(async (connection) => {
    while (next < QUERIES) {
      const [square] = await connection.query(`SELECT ${next} * ${next++}`);
      sum += Number(square);
    }
  }));
  const time = Math.round(performance.now() - started);
  console.log(
    `${QUERIES} queries on ${connections.length} connections took ${time} ms`,
  );
  console.log(`The sum of the first ${QUERIES} squares is ${sum}`);
}

await main(async () => {
  const parameters = orRefuse(parse);
  const pq = bindLibpq();
  await using reactor = new Reactor();
  reactor.serve();
  const connections = await Promise.all(
    Array.from(
      { length: CONNECTIONS },
      () => PostgresConnection.connect(reactor, pq, parameters),
    ),
  );
  await runQueries(connections);
  const [listener, ...others] = connections;
  for (const connection of others) connection.close();
  await listener!.query("LISTEN pollux");
  console.log("Waiting for NOTIFY pollux");
  for await (const text of listener!.notifications()) console.log(text);
});
