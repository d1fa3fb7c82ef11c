/**
 * The echo server in `serve()`, and on demand what else lives in the thread: a
 * 5 ms interval, and the pong of a ping-pong on Deno's own network. Once a second it says
 * how they fared.
 *
 *     deno run --allow-ffi --allow-net bench/sharing/server.ts [timer] [network]
 *
 * @module
 */

import { type Connection, Reactor } from "../../mod.ts";

const INTERVAL_MS = 5;

/** What has happened since it was told last. */
export interface Report {
  /** Messages that the reactor has echoed. */
  readonly echoes: number;
  /** How often the interval was called. */
  readonly ticks: number;
  /** The longest time between two of its calls, in milliseconds. */
  readonly worstGap: number;
  /** How often a byte went to and fro on Deno's network. */
  readonly rounds: number;
}

let echoes = 0;
let ticks = 0;
let worstGap = 0;
let rounds = 0;

const QUESTION = "?".charCodeAt(0);

function echo(chunk: Uint8Array<ArrayBuffer>, connection: Connection): void {
  if (chunk.length === 1 && chunk[0] === QUESTION) return report(connection);
  echoes++;
  connection.write(chunk);
}

function report(connection: Connection): void {
  const text = JSON.stringify({ echoes, ticks, worstGap, rounds });
  connection.write(new TextEncoder().encode(text));
  echoes =
    ticks =
    worstGap =
    rounds =
      0;
}

function startInterval(): void {
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    worstGap = Math.max(worstGap, now - last);
    last = now;
    ticks++;
  }, INTERVAL_MS);
}

/** Sends back on Deno's own network what one client sends, and says where. */
async function pong(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(JSON.stringify(listener.addr));
  const client = await listener.accept();
  const byte = new Uint8Array(1);
  while (await client.read(byte) !== null) {
    await client.write(byte);
    rounds++;
  }
}

if (import.meta.main) {
  const reactor = new Reactor();
  const options = { hostname: "127.0.0.1", port: 0, lend: true };
  const server = reactor.listen(options, (connection) => {
    connection.onData = echo;
  });
  if (Deno.args.includes("timer")) startInterval();
  console.log(JSON.stringify(server.address));
  if (Deno.args.includes("network")) pong();
  await reactor.serve();
}
