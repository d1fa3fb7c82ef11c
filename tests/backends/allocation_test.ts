/**
 * A wait allocates nothing, as `LoopSelector.wait()` promises.
 */

import { assertLess } from "@std/assert";
import {
  availableSelectors,
  createSelector,
} from "../../backends/selectors.ts";
import { system } from "../../backends/ffi/current_system.ts";
import { EVENT_READ, type LoopSelector } from "../../backends/mod.ts";
import { bytesOf, pairOf, test } from "../util.ts";

const WAITS = 2000;
/** Rounds until V8 has compiled the path; garbage collection spoils some. */
const ROUNDS = 100;
/** Bytes of the smallest object. */
const SMALLEST_OBJECT = 8;

/** The fewest bytes that a wait and reading its result allocate, over some rounds. */
function bytesPerWait(selector: LoopSelector<string>, timeout: number): number {
  let fewest = Infinity;
  for (let round = 0; round < ROUNDS && fewest >= SMALLEST_OBJECT; round++) {
    const before = Deno.memoryUsage().heapUsed;
    for (let wait = 0; wait < WAITS; wait++) {
      const count = selector.wait(timeout);
      for (let index = 0; index < count; index++) {
        if (selector.readyEvents(index) === 0) throw new Error("not ready");
        selector.readyData(index);
        selector.readyFileobj(index);
        selector.readyKey(index);
      }
    }
    const allocated = Deno.memoryUsage().heapUsed - before;
    if (allocated >= 0) fewest = Math.min(fewest, allocated / WAITS);
  }
  return fewest;
}

for (const name of availableSelectors(system())) {
  for (const timeout of [0, 0.01, 1000, Infinity]) {
    test(`${name}: wait(${timeout}) allocates nothing`, () => {
      using selector = createSelector<string>(name);
      using ready = pairOf();
      using silent = pairOf();
      selector.register(ready.right, EVENT_READ, "ready");
      selector.register(silent.right, EVENT_READ, "silent");
      ready.left.send(bytesOf("x"));
      assertLess(bytesPerWait(selector, timeout), SMALLEST_OBJECT);
    });
  }
}
