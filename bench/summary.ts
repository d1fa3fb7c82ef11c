/**
 * Draws the chart of the README from the figures in `BENCHMARKS.md`:
 *
 *     deno task bench:summary
 *
 * @module
 */

/** The table that is drawn. */
const TABLE = "### 50 × 64 B";

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

const COLUMN = "CPU µs/message";

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly value: number;
}

/** The bars, the shortest first, and where they were measured. */
export function barsOf(benchmarks: string): { bars: Bar[]; where: string } {
  const table = benchmarks.split(`${TABLE}\n`)[1]!.split("\n### ")[0]!;
  const lines = table.split("\n").filter((line) => line.startsWith("|"));
  const [headings, , ...rows] = lines.map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const column = headings!.indexOf(COLUMN);
  const bars = rows.filter(([name]) => name! in ROWS)
    .map((cells) => ({ name: ROWS[cells[0]!]!, value: Number(cells[column]) }))
    .sort((a, b) => a.value - b.value);
  const before = benchmarks.split(TABLE)[0]!.trimEnd().split("\n\n");
  const where = before.findLast((text) => /Linux \d/.test(text))!;
  return { bars, where: where.replaceAll("\n", " ") };
}

const WIDTH = 640;
const NAMES = 150;
const HEIGHT = 22;
const TOP = 62;

/** The chart as SVG. */
export function draw({ bars, where }: ReturnType<typeof barsOf>): string {
  const scale = (WIDTH - NAMES - 60) / Math.max(...bars.map((b) => b.value));
  const height = TOP + bars.length * HEIGHT + 10;
  const text = (x: number, y: number, words: string, more = ""): string =>
    `<text x="${x}" y="${y}"${more}>${words}</text>`;
  const bold = ` font-size="14" font-weight="bold"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(10, 22, "CPU time of an echo server, µs a message", bold),
    text(10, 40, "50 connections, 64 bytes, one core; less is better"),
    ...bars.flatMap(({ name, value }, index) => {
      const y = TOP + index * HEIGHT;
      const color = name.startsWith("Pollux") ? "#4c78a8" : "#b0b0b0";
      const width = (value * scale).toFixed(1);
      return [
        text(NAMES - 8, y + 12, name, ` text-anchor="end"`),
        `<rect x="${NAMES}" y="${y}" width="${width}" height="16" fill="${color}"/>`,
        text(Math.round(NAMES + value * scale) + 6, y + 12, value.toFixed(2)),
      ];
    }),
    `<desc>${where.replaceAll("&", "&amp;")}</desc>`,
    "</svg>\n",
  ].join("\n");
}

export const BENCHMARKS = new URL("../BENCHMARKS.md", import.meta.url);
export const CHART = new URL(
  "../docs/img/cpu_per_message.svg",
  import.meta.url,
);

if (import.meta.main) {
  const bars = barsOf(await Deno.readTextFile(BENCHMARKS));
  await Deno.writeTextFile(CHART, draw(bars));
}
