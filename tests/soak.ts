/**
 * Opens and closes connections for some minutes. Then checks that descriptors,
 * registrations, timers, queued bytes and memory are as they were.
 *
 *     deno task soak [--minutes N]
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { InternetAddress } from "../backends/ffi/mod.ts";
import { type Connection, Reactor } from "../reactor/mod.ts";
import { chooseSeed, openFds, Random } from "./util.ts";

/** How many connections are open at a time. */
const CONNECTIONS = 200;

/** The result of a soak. */
export interface SoakResult {
  /** How many connections were opened and closed. */
  readonly connections: number;
  /** How many bytes were echoed. */
  readonly bytes: number;
  /** A sentence for each number that is not as it was. */
  readonly leftovers: readonly string[];
}

/** Clients that replace each other, each with a random size and end. */
class Churn {
  connections = 0;
  bytes = 0;
  readonly #reactor: Reactor;
  readonly #target: InternetAddress;
  readonly #random: Random;
  readonly #open = new Set<Connection>();
  #isOver = false;

  constructor(reactor: Reactor, target: InternetAddress, random: Random) {
    this.#reactor = reactor;
    this.#target = target;
    this.#random = random;
    for (let count = 0; count < CONNECTIONS; count++) this.#connect();
  }

  /** Aborts all connections, and opens no more. */
  end(): void {
    this.#isOver = true;
    for (const connection of this.#open) connection.abort();
  }

  #connect(): void {
    const connection = this.#reactor.connect(this.#target);
    this.connections++;
    this.#open.add(connection);
    const data = new Uint8Array(1 + this.#random.below(20_000));
    let left = data.length;
    connection.write(data);
    connection.onData = (chunk) => {
      this.bytes += chunk.length;
      left -= chunk.length;
      if (left === 0) this.#finish(connection);
    };
    connection.onClose = () => {
      this.#open.delete(connection);
      if (!this.#isOver) this.#connect();
    };
  }

  /** Ends a connection in one of four ways. */
  #finish(connection: Connection): void {
    const ways = [
      () => connection.end(),
      () => connection.close(),
      () => connection.abort(),
      () => {
        connection.pause();
        this.#reactor.callLater(1, () => connection.close());
      },
    ];
    ways[this.#random.below(ways.length)]!();
  }
}

/** Collects garbage if Deno was started with `--v8-flags=--expose-gc`. */
function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Opens and closes connections for a time, and returns all leftovers. */
export function soak(milliseconds: number, random: Random): SoakResult {
  const fds = openFds().size;
  const reactor = new Reactor();
  const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
    peer.onData = (chunk) => {
      if (!peer.write(chunk)) peer.pause();
    };
    peer.onDrain = () => peer.resume();
    peer.setIdleTimeout(10_000);
  });
  collect();
  const memory = Deno.memoryUsage().heapUsed;
  const churn = new Churn(reactor, server.address, random);
  reactor.callLater(milliseconds, () => {
    churn.end();
    server.close();
  });
  reactor.run();
  collect();
  const grown = (Deno.memoryUsage().heapUsed - memory) / 2 ** 20;
  const { registered, timers, bytesQueued } = reactor.stats();
  reactor.close();
  const figures: [string, number, number][] = [
    ["registrations", registered, 0],
    ["timers", timers, 0],
    ["queued bytes", bytesQueued, 0],
    ["descriptors", openFds().size, fds],
  ];
  const leftovers = figures.filter(([, actual, expected]) =>
    actual !== expected
  )
    .map(([name, actual, expected]) => `${name}: ${actual}, not ${expected}`);
  // Without a collection on demand, the size of the heap means little.
  const canCollect = "gc" in globalThis;
  if (canCollect && grown > 8) {
    leftovers.push(`${grown.toFixed(1)} MiB of heap`);
  }
  return { connections: churn.connections, bytes: churn.bytes, leftovers };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "2" } },
  });
  const seed = chooseSeed();
  console.log(`Soaking for ${values.minutes} minutes; POLLUX_SEED=${seed}`);
  const result = soak(Number(values.minutes) * 60_000, new Random(seed));
  console.log(`${result.connections} connections, ${result.bytes} bytes`);
  for (const leftover of result.leftovers) {
    console.log(`Left over: ${leftover}`);
  }
  Deno.exit(result.leftovers.length === 0 ? 0 : 1);
}
