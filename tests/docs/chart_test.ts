/**
 * The chart of the README and the summary show the figures of BENCHMARKS.md.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { drawBars } from "../../bench/bar_chart.ts";
import { chartOf, ratiosOf, withText } from "../../bench/summary.ts";

const ROOT = new URL("../../", import.meta.url);
const document = await Deno.readTextFile(new URL("BENCHMARKS.md", ROOT));

Deno.test("README: its chart has the figures of BENCHMARKS.md (deno task bench:summary)", async () => {
  const chart = chartOf(document);
  assertEquals(chart.bars.length, 7);
  const path = new URL("docs/img/cpu_per_message.svg", ROOT);
  assertEquals(await Deno.readTextFile(path), drawBars(chart));
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  assertEquals(readme, withText(readme, chart));
});

Deno.test("BENCHMARKS.md: the summary has the ratios of the tables below (deno task bench:summary)", () => {
  const [, summary] = document.split(
    "<!-- measured by: deno task bench:summary",
  );
  const lines = summary!.split("<!-- end")[0]!.match(/^\|.*$/gm)!;
  const cells = lines.map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  assertGreater(cells.length, 10);
  const withoutRule = (rows: string[][]): string[][] => rows.toSpliced(1, 1);
  assertEquals(withoutRule(cells), withoutRule(ratiosOf(document)));
});
