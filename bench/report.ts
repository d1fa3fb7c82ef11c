/**
 * Results as tables: for a terminal, and for a document.
 *
 * @module
 */

import type { Result, Slice } from "./harness.ts";
import type { Scenario } from "./scenarios.ts";

/** From this share of its core on, the load is what limits the messages a second. */
const BOTTLENECK = 0.95;

const HEADINGS = [
  "server",
  "messages/s",
  "p50 µs",
  "p99 µs",
  "p99.9 µs",
  "CPU µs/message",
  "user",
  "system",
  "× C",
  "load's CPU",
];

/** What the mark of a load at its limit means. */
export const LOAD_BOUND =
  "*: the load used its whole core, so messages/s and latency are its own; the CPU time is the server's";

/** From this spread on, a table says that the machine was busy. */
const BUSY = 0.15;

/** One table: headings, rows, and what is to be said below. */
export interface Table {
  readonly title: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

/** The table of one scenario. The peer named `yardstick` is what ratios are of. */
export function table(
  scenario: Scenario,
  results: readonly Result[],
  yardstick: string,
): Table {
  const measured = results.filter(({ failure }) => failure === null);
  const unit = measured.find(({ peer }) => peer === yardstick);
  const notes = results
    .filter(({ failure }) => failure !== null)
    .map(({ peer, failure }) => `${peer}: ${failure}`);
  if (scenario.memory) return memoryTable(scenario, measured, notes);
  if (!scenario.spins && measured.some(isLoadBound)) {
    notes.push(LOAD_BOUND);
  }
  const spread = Math.max(...measured.map(({ slices }) => spreadOf(slices)));
  if (spread > BUSY) {
    notes.push(
      `slices of one server differ by ${
        percent(spread)
      } (quartiles): the machine was busy`,
    );
  }
  return {
    title: scenario.name,
    headings: HEADINGS,
    rows: measured.map((result) => row(scenario, result, unit)),
    notes,
  };
}

function row(
  scenario: Scenario,
  result: Result,
  unit: Result | undefined,
): string[] {
  const { slices, latency, userShare } = result;
  const cpu = median(slices.map((slice) => slice.cpu));
  const mark = !scenario.spins && isLoadBound(result) ? "*" : "";
  return [
    result.peer,
    Math.round(median(slices.map(({ rate }) => rate))).toLocaleString("en"),
    microseconds(latency?.p50),
    microseconds(latency?.p99),
    microseconds(latency?.p999),
    cpu.toFixed(2),
    (cpu * userShare).toFixed(2),
    (cpu * (1 - userShare)).toFixed(2),
    unit === undefined ? "" : ratio(slices, unit.slices).toFixed(2),
    scenario.spins ? "spins" : `${percent(loadShare(result))}${mark}`,
  ];
}

function memoryTable(
  scenario: Scenario,
  results: readonly Result[],
  notes: readonly string[],
): Table {
  return {
    title: scenario.name,
    headings: ["server", "RSS KiB/connection"],
    rows: results.map(({ peer, bytesPerConnection }) => [
      peer,
      (bytesPerConnection! / 1024).toFixed(2),
    ]),
    notes,
  };
}

/** The median of what each round's slice is of the other's in the same round. */
export function ratio(
  slices: readonly Slice[],
  unit: readonly Slice[],
): number {
  return median(slices.map(({ cpu }, round) => cpu / unit[round]!.cpu));
}

/** The middle of a list, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** How far the quartiles of the CPU time are apart, as a part of its median. */
function spreadOf(slices: readonly Slice[]): number {
  const cpu = slices.map((slice) => slice.cpu);
  return (quantile(cpu, 0.75) - quantile(cpu, 0.25)) / median(cpu);
}

/** The value that a part of the others, such as 0.25, is below. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * part)] ?? NaN;
}

function loadShare({ slices }: Result): number {
  return median(slices.map(({ loadShare }) => loadShare));
}

/** Whether the load was at its limit, and so not the server. */
export function isLoadBound(result: Result): boolean {
  return loadShare(result) >= BOTTLENECK;
}

/** Microseconds for a table. */
export function microseconds(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(value < 100 ? 1 : 0);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** A table in columns, for the terminal. */
export function asText(table: Table): string {
  const lines = [table.headings, ...table.rows];
  const widths = table.headings.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length))
  );
  const text = lines.map((line) =>
    line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    ).join("  ")
  );
  return [table.title, ...text, ...table.notes].join("\n");
}

/** A table in Markdown. */
export function asMarkdown(table: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = table.headings.map((_, column) => column === 0 ? "---" : "--:");
  return [
    `### ${table.title}`,
    "",
    line(table.headings),
    line(rule),
    ...table.rows.map(line),
    ...table.notes.flatMap((note) => ["", `- ${note}`]),
  ].join("\n");
}
