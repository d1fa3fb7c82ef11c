/**
 * Bar charts as SVG.
 *
 * @module
 */

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Whether it is one of ours. */
  readonly isOurs: boolean;
}

/** A chart with a bar for each value. */
export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
  /** Where, when and how it was measured. */
  readonly circumstances: string;
}

const WIDTH = 640;
const NAMES = 150;
const HEIGHT = 22;
const TOP = 62;

/** Draws a chart. */
export function drawBars(chart: BarChart): string {
  const { title, subtitle, bars, circumstances } = chart;
  const scale = (WIDTH - NAMES - 60) / Math.max(...bars.map((b) => b.value));
  const height = TOP + bars.length * HEIGHT + 10;
  const bold = ` font-size="14" font-weight="bold"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    text(10, 22, title, bold),
    text(10, 40, subtitle),
    ...bars.flatMap(({ name, value, isOurs }, index) => {
      const y = TOP + index * HEIGHT;
      const color = isOurs ? "#4c78a8" : "#b0b0b0";
      const width = (value * scale).toFixed(1);
      return [
        text(NAMES - 8, y + 12, name, ` text-anchor="end"`),
        `<rect x="${NAMES}" y="${y}" width="${width}" height="16" fill="${color}"/>`,
        text(Math.round(NAMES + value * scale) + 6, y + 12, value.toFixed(2)),
      ];
    }),
    `<desc>${circumstances.replaceAll("&", "&amp;")}</desc>`,
    "</svg>\n",
  ].join("\n");
}

function text(x: number, y: number, words: string, more = ""): string {
  return `<text x="${x}" y="${y}"${more}>${words}</text>`;
}
