/**
 * Summarizes the tables of `BENCHMARKS.md`: prints the CPU time of the main servers as
 * a multiple of C, with a line for each load. Draws the chart of the README, and writes
 * its text there.
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

/** The file of the chart, and the line of the README that shows it. */
const CHART = "docs/img/cpu_per_message.svg";
const CHART_LINE = /!\[.*\]\(docs\/img\/cpu_per_message\.svg\)/;

/** The column with ratios to C. */
const RATIO = /^(?:CPU, )?× C/;

/** The columns of the summary, and the rows of a table to look for, the best one first. */
const COLUMNS: readonly (readonly [string, readonly string[]])[] = [
  ["C again", ["C epoll, again", "C recvfrom, again"]],
  ["run()", [
    "Pollux run(), offload",
    "Pollux run(), reuseBuffer",
    "Pollux run()",
  ]],
  ["serve()", [
    "Pollux serve(), offload",
    "Pollux serve(), reuseBuffer",
    "Pollux serve()",
  ]],
  ["Deno", ["Deno.listen", "Deno.listenDatagram"]],
  ["Node.js", ["Node.js", "Node.js node:dgram"]],
  ["Bun", ["Bun", "Bun.udpSocket"]],
  ["Go", ["Go UDPConn"]],
  ["uvloop", ["uvloop"]],
  ["libuv", ["C libuv"]],
];

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

/** The chart as text, in place of the picture. */
export function textOf({ title, bars }: BarChart): string {
  const values = bars.map(({ name, value }) => `${name} ${value.toFixed(2)}`);
  return `${title}: ${values.join("; ")}`;
}

/** The README with the chart's text. */
export function withText(readme: string, chart: BarChart): string {
  return readme.replace(CHART_LINE, `![${textOf(chart)}](${CHART})`);
}

/** The ratios of all tables, with a row for each of them and a column for each server. */
export function ratiosOf(document: string): string[][] {
  const tables = tablesIn(document).filter(({ headings }) =>
    headings.some((heading) => RATIO.test(heading))
  );
  return [
    ["load", ...COLUMNS.map(([heading]) => heading)],
    ["---", ...COLUMNS.map(() => "--:")],
    ...tables.map((table) => [
      table.title,
      ...COLUMNS.map(([, names]) => ratioIn(table, names)),
    ]),
  ];
}

/** The ratio of the first of some servers that has one. */
function ratioIn(
  { headings, rows }: ReadTable,
  servers: readonly string[],
): string {
  const column = headings.findIndex((heading) => RATIO.test(heading));
  const row = servers.map((server) => rows.find(([name]) => name === server))
    .find((row) => row !== undefined);
  const ratio = numberIn(row?.[column]);
  return Number.isNaN(ratio) ? "" : ratio.toFixed(2);
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const readme = new URL("README.md", root);
  const document = await Deno.readTextFile(new URL("BENCHMARKS.md", root));
  const chart = chartOf(document);
  await Deno.writeTextFile(new URL(CHART, root), drawBars(chart));
  const text = await Deno.readTextFile(readme);
  await Deno.writeTextFile(readme, withText(text, chart));
  console.log(`![${textOf(chart)}](${CHART})\n`);
  for (const cells of ratiosOf(document)) {
    console.log(`| ${cells.join(" | ")} |`);
  }
}
