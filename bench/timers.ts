/**
 * Measures the cost of a million timers: to add each, and to cancel each.
 *
 *     deno task bench:timers [--markdown]
 *
 * @module
 */

import { Reactor, type Timer } from "../mod.ts";
import { circumstances } from "./circumstances.ts";
import { median } from "./statistics.ts";
import { print } from "./table.ts";

const COUNT = 1_000_000;
const ROUNDS = 5;

function microseconds(action: () => void): number {
  const start = performance.now();
  action();
  return (performance.now() - start) * 1000 / COUNT;
}

/** Deadlines in random order, the harder case for a heap. */
const delays = Float64Array.from(
  { length: COUNT },
  () => 60_000 + Math.random() * 3_600_000,
);

function round(): { add: number; cancel: number } {
  using reactor = new Reactor();
  const timers: Timer[] = new Array(COUNT);
  const nothing = (): void => {};
  const add = microseconds(() => {
    for (let index = 0; index < COUNT; index++) {
      timers[index] = reactor.callLater(delays[index]!, nothing);
    }
  });
  const cancel = microseconds(() => {
    for (const timer of timers) timer.cancel();
  });
  return { add, cancel };
}

const where = circumstances({ rounds: ROUNDS });
const rounds = Array.from({ length: ROUNDS }, round);
const figures: readonly (readonly [string, number, number])[] = [
  ["add", median(rounds.map(({ add }) => add)), 0.5],
  ["cancel", median(rounds.map(({ cancel }) => cancel)), 0.3],
];
print({
  title: "A million timers",
  circumstances: where,
  headings: ["", "µs each", "at most", ""],
  rows: figures.map(([name, measured, limit]) => [
    name,
    measured.toFixed(3),
    limit.toFixed(1),
    measured <= limit ? "holds" : "BROKEN",
  ]),
  notes: [],
}, Deno.args.includes("--markdown"));
