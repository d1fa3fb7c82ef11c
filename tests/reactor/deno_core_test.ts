/** The timers of Deno, as far as it exposes them. */

import { assertAlmostEquals, assertEquals } from "@std/assert";
import { now } from "../../reactor/clock.ts";
import { hasTimers, nextTimer } from "../../reactor/sharing/deno_core.ts";
import { test } from "../util.ts";

/** The clocks of Deno and of the reactor began within so many milliseconds. */
const APART = 5000;

test("hasTimers(): a timer counts unless it keeps nothing alive", () => {
  assertEquals(hasTimers(), false);
  const timer = setTimeout(() => {}, 60_000);
  assertEquals(hasTimers(), true);
  Deno.unrefTimer(timer);
  assertEquals(hasTimers(), false);
  const other = setTimeout(() => {}, 90_000);
  assertEquals(hasTimers(), true);
  clearTimeout(timer);
  clearTimeout(other);
});

test("nextTimer(): is the time of the earliest timer, also of one that keeps nothing alive", () => {
  const timers = [90_000, 30_000, 60_000].map((delay) =>
    setTimeout(() => {}, delay)
  );
  Deno.unrefTimer(timers[1]!);
  assertAlmostEquals(nextTimer()! - now(), 30_000, APART);
  timers.forEach(clearTimeout);
});
