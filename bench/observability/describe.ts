/**
 * Prints how long a description of ten thousand descriptors takes, and how late a timer
 * was called at the most, during it and before it. All are milliseconds.
 *
 *     deno run -A bench/observability/describe.ts
 *
 * @module
 */

import { EVENT_READ, Reactor, socketPair } from "../../mod.ts";
import { dup } from "../../backends/ffi/mod.ts";

const COUNT = 10_000;

const reactor = new Reactor();
const [, socket] = socketPair();
for (let count = 0; count < COUNT; count++) {
  reactor.register(dup(socket), EVENT_READ, () => {});
}
let latest = 0;
const timer = reactor.callEvery(1, () => {
  latest = Math.max(latest, performance.now() - expected);
  expected = timer.deadline;
});
let expected = timer.deadline;
reactor.serve();

/** Waits, for as long as a description takes. */
await new Promise((resolve) => setTimeout(resolve, 300));
const before = latest;
latest = 0;
const start = performance.now();
let rows = 0;
for await (const _ of reactor.describe()) rows++;
const took = performance.now() - start;
if (rows < COUNT) throw new Error(`${rows} rows`);
console.log(JSON.stringify([took, latest, before]));
Deno.exit();
