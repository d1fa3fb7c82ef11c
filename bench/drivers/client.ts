/**
 * A client process. Each line of its input is a number of milliseconds, for which it
 * makes one query at a time. Then it prints how many there were.
 *
 *     deno run -A bench/drivers/client.ts postgres|redis|mariadb deno|reactor PORT
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { createConnection } from "../../adapters/node/mod.ts";
import { Reactor } from "../../mod.ts";
import { type Client, type Connect, drivers } from "./queries.ts";

const VERIFIED_BYTES = 1024 * 1024;

/** Its answer to a line. */
export interface Report {
  readonly queries: number;
  readonly seconds: number;
}

function reactorConnect(port: number): Connect {
  const reactor = new Reactor();
  reactor.serve();
  return () => createConnection(reactor, { hostname: "127.0.0.1", port });
}

async function run(client: Client, milliseconds: number): Promise<Report> {
  const start = performance.now();
  const end = start + milliseconds;
  let queries = 0;
  let now = start;
  for (; now < end; now = performance.now()) {
    await client.query();
    queries++;
  }
  return { queries, seconds: (now - start) / 1000 };
}

if (import.meta.main) {
  const [driver, network, port] = Deno.args as [string, string, string];
  const connect = network === "reactor" ? reactorConnect(Number(port)) : null;
  const client = await drivers[driver]!(Number(port), connect);
  await client.verify(randomFillSync(Buffer.alloc(VERIFIED_BYTES)));
  console.log("ready");
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  for await (const line of lines) {
    console.log(JSON.stringify(await run(client, Number(line))));
  }
  Deno.exit();
}
