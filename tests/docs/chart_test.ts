/**
 * The chart of the README shows the figures of BENCHMARKS.md.
 */

import { assertEquals } from "@std/assert";
import { barsOf, BENCHMARKS, CHART, draw } from "../../bench/summary.ts";

Deno.test("README: its chart has the figures of BENCHMARKS.md (deno task bench:summary)", async () => {
  const bars = barsOf(await Deno.readTextFile(BENCHMARKS));
  assertEquals(bars.bars.length, 7);
  assertEquals(await Deno.readTextFile(CHART), draw(bars));
});
