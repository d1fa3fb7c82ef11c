/**
 * The echo server in `serve()`, and on demand what else lives in the thread: a
 * 5 ms interval, and the pong of a ping-pong on Deno's own network. When asked, it
 * says how they fared.
 *
 *     deno run --allow-ffi --allow-net bench/sharing/server.ts
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

/** About two microseconds with 64 bytes. */
const WORK_ROUNDS = 20;

/** Of the last message. */
const checksum = new Int32Array(1);
let interval: ReturnType<typeof setInterval> | undefined;
let echoes = 0;
let ticks = 0;
let worstGap = 0;
let rounds = 0;

/** What its controller says: to begin with the interval, to end it and report. */
const BEGIN = "+".charCodeAt(0);
const REPORT = "?".charCodeAt(0);

function echo(chunk: Uint8Array<ArrayBuffer>, connection: Connection): void {
  if (chunk.length === 1) return obey(chunk[0]!, connection);
  echoes++;
  work(chunk);
  connection.write(chunk);
}

/**
 * Takes as long as a small service does for a message, so that this thread has
 * more to do than the load: what else is done in it is seen in the echoes then.
 */
function work(chunk: Uint8Array<ArrayBuffer>): void {
  let hash = 0;
  for (let round = 0; round < WORK_ROUNDS; round++) {
    for (let i = 0; i < chunk.length; i++) {
      hash = Math.imul(hash, 31) + chunk[i]! | 0;
    }
  }
  checksum[0] = hash;
}

function obey(order: number, connection: Connection): void {
  clearInterval(interval);
  if (order === BEGIN) startInterval();
  else if (order === REPORT) report(connection);
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
  interval = setInterval(() => {
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
  const options = { hostname: "127.0.0.1", port: 0, reuseBuffer: true };
  const server = reactor.listen(options, (connection) => {
    connection.onData = echo;
  });
  console.log(JSON.stringify(server.address));
  pong();
  await reactor.serve();
}
