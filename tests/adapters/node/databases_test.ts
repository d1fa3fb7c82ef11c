/** Drivers of npm on connections of a reactor, with the real servers. */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { AbstractConnector, Redis } from "ioredis";
import mysql from "mysql2/promise";
import pg from "pg";
import { createConnection } from "../../../adapters/node/mod.ts";
import {
  postgresAbsence,
  PostgresServer,
} from "../../examples/postgres_server.ts";
import { emulated, test } from "../../util.ts";
import { mariadb, redis } from "./database_servers.ts";
import { Bridge } from "./networks.ts";

const MEGABYTES = 5;

/** The first row of an answer. */
function rowOf(answer: { rows: unknown[] }): { i: number; pid: number } {
  return answer.rows[0] as { i: number; pid: number };
}

function testDatabase(
  name: string,
  absence: string | undefined,
  body: (bridge: Bridge) => Promise<void>,
): void {
  const reason = emulated ? "the emulator runs one program" : absence;
  test(
    reason === undefined ? name : `${name} (ignored: ${reason})`,
    async () => {
      await using bridge = new Bridge();
      await body(bridge);
    },
    // The drivers keep timers of connections that have ended.
    {
      ignore: reason !== undefined,
      sanitizeOps: false,
      sanitizeResources: false,
    },
  );
}

testDatabase(
  "pg: queries, prepares, and sends and gets megabytes",
  postgresAbsence(),
  async ({ reactor }) => {
    await using server = await PostgresServer.start();
    const path = `${server.directory}/.s.PGSQL.5432`;
    const client = new pg.Client({
      user: "postgres",
      database: "postgres",
      stream: () => createConnection(reactor, { path }),
    });
    await client.connect();
    for (let i = 0; i < 100; i++) {
      const { rows } = await client.query({
        name: "next",
        text: "SELECT $1::int4 + 1 AS next",
        values: [i],
      });
      assertEquals(rows[0].next, i + 1);
    }
    const bytes = randomFillSync(Buffer.alloc(MEGABYTES * 1024 * 1024));
    const query = { text: "SELECT $1::bytea AS bytes", values: [bytes] };
    const { rows } = await client.query(query);
    assertEquals(Buffer.compare(rows[0].bytes, bytes), 0);
    const many = await client.query("SELECT * FROM generate_series(1, 50000)");
    assertEquals(many.rows.length, 50_000);
    await client.end();
  },
);

testDatabase(
  "pg: a pool of ten, and a notification",
  postgresAbsence(),
  async ({ reactor }) => {
    await using server = await PostgresServer.start();
    const path = `${server.directory}/.s.PGSQL.5432`;
    const pool = new pg.Pool({
      user: "postgres",
      database: "postgres",
      max: 10,
      stream: () => createConnection(reactor, { path }),
    });
    const answers = await Promise.all(
      Array.from(
        { length: 200 },
        (_, i) =>
          pool.query("SELECT $1::int4 AS i, pg_backend_pid() AS pid", [i]),
      ),
    );
    const rows: { i: number; pid: number }[] = answers.map(rowOf);
    assertEquals(rows.map(({ i }) => i), [...answers.keys()]);
    assertEquals(new Set(rows.map(({ pid }) => pid)).size, 10);
    const listener = await pool.connect();
    const notified = new Promise((resolve) =>
      listener.once(
        "notification",
        (notification: { payload: string }) => resolve(notification.payload),
      )
    );
    await listener.query("LISTEN pollux");
    await pool.query("NOTIFY pollux, 'hello'");
    assertEquals(await notified, "hello");
    listener.release();
    await pool.end();
  },
);

testDatabase(
  "pg: a server that is killed is an error of the client",
  postgresAbsence(),
  async ({ reactor }) => {
    await using server = await PostgresServer.start();
    const path = `${server.directory}/.s.PGSQL.5432`;
    const client = new pg.Client({
      user: "postgres",
      database: "postgres",
      stream: () => createConnection(reactor, { path }),
    });
    await client.connect();
    const error = new Promise<Error>((resolve) =>
      client.once("error", resolve)
    );
    await server.kill();
    assertEquals((await error) instanceof Error, true);
    await client.end().catch(() => {});
  },
);

testDatabase(
  "ioredis: commands, a pipeline, and megabytes",
  redis.absence,
  async ({ reactor }) => {
    await using server = await redis.start();
    class Connector extends AbstractConnector {
      constructor() {
        super(0);
      }

      connect(): Promise<never> {
        const stream = createConnection(reactor, { path: server.path });
        return Promise.resolve(this.stream = stream as never);
      }
    }
    const client = new Redis({ Connector } as never);
    for (let i = 1; i <= 100; i++) assertEquals(await client.incr("count"), i);
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.incr("count");
    const results = await pipeline.exec();
    assertEquals(results!.at(-1), [null, 1100]);
    const bytes = randomFillSync(Buffer.alloc(MEGABYTES * 1024 * 1024));
    await client.set("bytes", bytes);
    const answer = await client.getBuffer("bytes");
    assertEquals(Buffer.compare(answer!, bytes), 0);
    const subscriber = client.duplicate();
    const message = new Promise((resolve) =>
      subscriber.once("message", (_, text) => resolve(text))
    );
    await subscriber.subscribe("channel");
    await client.publish("channel", "hello");
    assertEquals(await message, "hello");
    await subscriber.quit();
    await client.quit();
  },
);

testDatabase(
  "mysql2: queries, prepares, and sends and gets megabytes",
  mariadb.absence,
  async ({ reactor }) => {
    await using server = await mariadb.start();
    const client = await mysql.createConnection({
      user: "root",
      stream: () => createConnection(reactor, { path: server.path }),
    });
    for (let i = 0; i < 100; i++) {
      const [rows] = await client.execute("SELECT ? + 1 AS next", [i]);
      assertEquals(Number((rows as { next: number }[])[0]!.next), i + 1);
    }
    const bytes = randomFillSync(Buffer.alloc(MEGABYTES * 1024 * 1024));
    const [rows] = await client.query("SELECT ? AS bytes", [bytes]);
    const answer = (rows as { bytes: Uint8Array }[])[0]!.bytes;
    assertEquals(Buffer.compare(Buffer.from(answer), bytes), 0);
    await client.end();
  },
);
