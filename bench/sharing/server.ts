/**
 * The echo server in `serve()`, with other work in its thread: a 5 ms interval, and the
 * pong of a ping-pong on Deno's own network. A client starts the interval, and asks for
 * counts.
 *
 *     deno run --allow-ffi --allow-net bench/sharing/server.ts
 *
 * @module
 */

import { type Connection, Reactor } from "../../mod.ts";

const INTERVAL_MS = 5;

/** Counts since the last report. */
export interface Report {
  /** How many messages the reactor has echoed. */
  readonly echoes: number;
  /** How often the interval was called. */
  readonly ticks: number;
  /** The longest time between two of its calls, in milliseconds. */
  readonly worstGap: number;
  /** How many round trips there were on Deno's network. */
  readonly rounds: number;
}

/** About two microseconds for 64 bytes. */
const WORK_ROUNDS = 20;

/** The checksum of the last message. */
const checksum = new Int32Array(1);
let interval: ReturnType<typeof setInterval> | undefined;
let echoes = 0;
let ticks = 0;
let worstGap = 0;
let rounds = 0;

/** The commands: start the interval; end it and report. */
const BEGIN = "+".charCodeAt(0);
const REPORT = "?".charCodeAt(0);

function echo(chunk: Uint8Array<ArrayBuffer>, connection: Connection): void {
  if (chunk.length === 1) return execute(chunk[0]!, connection);
  echoes++;
  work(chunk);
  connection.write(chunk);
}

/**
 * Takes as long as a small service for a message. So the server, and not the load, is
 * the bottleneck, and other work reduces the echoes.
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

function execute(command: number, connection: Connection): void {
  clearInterval(interval);
  if (command === BEGIN) startInterval();
  else if (command === REPORT) report(connection);
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

/** Prints an address of Deno's own network, and sends back the bytes of one client. */
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
