/**
 * The queries of each driver: the same on Deno's sockets and on connections of a reactor.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { AbstractConnector, Redis } from "ioredis";
import mysql from "mysql2/promise";
import pg from "pg";

/** A client of a database, which makes one query at a time. */
export interface Client {
  /** Makes a query, and compares the answer with the expected one. */
  query(): Promise<void>;
  /** Sends many bytes to the database, and compares the bytes that it returns. */
  verify(bytes: Buffer): Promise<void>;
}

/** Creates the stream to the database; null if the driver creates one on Deno's sockets. */
export type Connect = (() => Duplex) | null;

/** Connects a driver to the database on a port of 127.0.0.1. */
export type Driver = (port: number, connect: Connect) => Promise<Client>;

async function postgres(port: number, connect: Connect): Promise<Client> {
  const stream = connect === null ? {} : { stream: connect };
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    database: "postgres",
    ...stream,
  });
  await client.connect();
  let count = 0;
  return {
    async query(): Promise<void> {
      const { rows } = await client.query({
        name: "successor",
        text: "SELECT $1::int4 + 1 AS successor",
        values: [count],
      });
      same(rows[0].successor, ++count);
    },
    async verify(bytes): Promise<void> {
      const query = { text: "SELECT $1::bytea AS bytes", values: [bytes] };
      const { rows } = await client.query(query);
      same(Buffer.compare(rows[0].bytes, bytes), 0);
    },
  };
}

async function redis(port: number, connect: Connect): Promise<Client> {
  class Connector extends AbstractConnector {
    constructor() {
      super(0);
    }

    connect(): Promise<never> {
      return Promise.resolve(this.stream = connect!() as never);
    }
  }
  const options = connect === null ? {} : { Connector };
  const client = new Redis({
    host: "127.0.0.1",
    port,
    ...options,
  });
  await client.ping();
  // Clients share the database, so each has a key of its own.
  const key = crypto.randomUUID();
  let count = 0;
  return {
    async query(): Promise<void> {
      same(await client.incr(key), ++count);
    },
    async verify(bytes): Promise<void> {
      await client.set(`${key}.bytes`, bytes);
      const answer = await client.getBuffer(`${key}.bytes`);
      same(Buffer.compare(answer!, bytes), 0);
    },
  };
}

async function mariadb(port: number, connect: Connect): Promise<Client> {
  const stream = connect === null ? {} : { stream: connect };
  const client = await mysql.createConnection({
    host: "127.0.0.1",
    port,
    user: "root",
    ...stream,
  });
  let count = 0;
  return {
    async query(): Promise<void> {
      const query = "SELECT CAST(? + 1 AS SIGNED) AS successor";
      const [rows] = await client.execute(query, [count]);
      same((rows as { successor: number }[])[0]!.successor, ++count);
    },
    async verify(bytes): Promise<void> {
      const [rows] = await client.query("SELECT ? AS bytes", [bytes]);
      const [row] = rows as { bytes: Uint8Array }[];
      same(Buffer.compare(Buffer.from(row!.bytes), bytes), 0);
    },
  };
}

function same(actual: unknown, expected: unknown): void {
  if (actual !== expected) {
    throw new Error(`The database answers ${actual} instead of ${expected}`);
  }
}

/** The drivers, by their names on the command line. */
export const drivers: Readonly<Record<string, Driver>> = {
  postgres,
  redis,
  mariadb,
};
