/**
 * Summarizes the tables of `BENCHMARKS.md`: prints the CPU time of each server as a
 * multiple of C, and draws the chart of the README.
 *
 *     deno task bench:summary
 *
 * @module
 */

import { type BarChart, drawBars } from "./bar_chart.ts";
import { numberIn, type ReadTable, tablesIn } from "./read_tables.ts";

/** The table of the chart. */
const CHARTED = "50 × 64 B";

/** Its rows that are drawn, with their names in the chart. */
const ROWS: Readonly<Record<string, string>> = {
  "C epoll": "C with epoll",
  "Pollux run()": "Pollux, run()",
  "Pollux serve()": "Pollux, serve()",
  "Deno.listen": "Deno.listen",
  "asyncio": "Python asyncio",
  "Node.js": "Node.js",
  "node:net in Deno": "node:net in Deno",
};

const CPU = "CPU µs/message";

/** The column with ratios to C. */
const RATIO = /^(?:CPU, )?× C/;

/** The chart of the README. */
export function chartOf(document: string): BarChart {
  const table = tablesIn(document).find(({ title }) => title === CHARTED)!;
  const column = table.headings.indexOf(CPU);
  const bars = table.rows.filter(([server]) => server! in ROWS)
    .map((cells) => {
      const name = ROWS[cells[0]!]!;
      const isOurs = name.startsWith("Pollux");
      return { name, value: numberIn(cells[column]), isOurs };
    });
  return {
    title: "CPU time of an echo server, µs a message",
    subtitle: "50 connections, 64 bytes, one core; less is better",
    bars: bars.sort((a, b) => a.value - b.value),
    circumstances: table.circumstances,
  };
}

/** The ratios of all tables, with a row for each server and a column for each table. */
export function ratiosOf(document: string): string[][] {
  const tables = tablesIn(document).filter(({ headings }) =>
    headings.some((heading) => RATIO.test(heading))
  );
  const servers = new Set(
    tables.flatMap(({ rows }) => rows.map(([server]) => server!)),
  );
  return [
    ["server", ...tables.map(({ title }) => title)],
    ["---", ...tables.map(() => "--:")],
    ...Array.from(
      servers,
      (server) => [server, ...tables.map((table) => ratioIn(table, server))],
    ),
  ];
}

function ratioIn({ headings, rows }: ReadTable, server: string): string {
  const column = headings.findIndex((heading) => RATIO.test(heading));
  const ratio = numberIn(rows.find(([name]) => name === server)?.[column]);
  return Number.isNaN(ratio) ? "" : ratio.toFixed(2);
}

const BENCHMARKS = new URL("../BENCHMARKS.md", import.meta.url);
const CHART = new URL("../docs/img/cpu_per_message.svg", import.meta.url);

if (import.meta.main) {
  const document = await Deno.readTextFile(BENCHMARKS);
  await Deno.writeTextFile(CHART, drawBars(chartOf(document)));
  console.log("![CPU time of an echo server](docs/img/cpu_per_message.svg)\n");
  for (const cells of ratiosOf(document)) {
    console.log(`| ${cells.join(" | ")} |`);
  }
}
