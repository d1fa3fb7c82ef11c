/**
 * Measures the selectors: a wait that returns one ready descriptor, of few and of many,
 * and `register()` with `unregister()`.
 *
 *     deno bench -A bench/selectors_bench.ts
 *
 * `promises.ts` compares these figures with their limits.
 *
 * @module
 */

import {
  availableSelectors,
  createSelector,
  type SelectorName,
} from "../backends/selectors.ts";
import { system } from "../backends/ffi/current_system.ts";
import { libc } from "../backends/ffi/libc.ts";
import { EVENT_READ, type LoopSelector } from "../backends/selector.ts";
import { Eventfds } from "./eventfds.ts";

const MANY = 10_000;
const FEW = 10;

// They stay open until the process ends. The few come first, since select has bits only
// for descriptors below 1,024.
const eventfds = new Eventfds(FEW + MANY);
const few = eventfds.fds.slice(0, FEW);
const many = eventfds.fds.slice(FEW);
for (const fd of [few[0]!, many.at(-1)!]) {
  libc().write(fd, BigUint64Array.of(1n), 8);
}

function watching(
  name: SelectorName,
  fds: readonly number[],
): LoopSelector<null> {
  const selector = createSelector<null>(name);
  for (const fd of fds) selector.register(fd, EVENT_READ, null);
  return selector;
}

function benchWait(name: SelectorName, fds: readonly number[]): void {
  const selector = watching(name, fds);
  const count = fds.length.toLocaleString("en");
  Deno.bench(`${name}: 1 of ${count}`, { group: `wait, ${count}` }, () => {
    selector.wait(0);
    selector.readyKey(0);
  });
}

function benchSelect(name: SelectorName): void {
  const selector = watching(name, few);
  Deno.bench(`${name}: select()`, { group: "as an array" }, () => {
    selector.select(0);
  });
}

function benchRegister(name: SelectorName): void {
  const selector = createSelector<null>(name);
  const fd = few[1]!;
  Deno.bench(`${name}: register, unregister`, { group: "register" }, () => {
    selector.register(fd, EVENT_READ, null);
    selector.unregister(fd);
  });
}

for (const name of availableSelectors(system())) {
  benchWait(name, few);
  if (name !== "select") benchWait(name, many);
  benchSelect(name);
  benchRegister(name);
}
