/**
 * The table of servers that are compared with one of their own group: what each
 * figure is as a multiple of the other's, with its quartiles.
 *
 * @module
 */

import type { Result, Slice } from "./harness.ts";
import {
  isLoadBound,
  LOAD_BOUND,
  median,
  microseconds,
  quantile,
  type Table,
} from "./report.ts";
import type { Scenario } from "./scenarios.ts";

/** The table of a scenario of a group. */
export function sideBySide(
  scenario: Scenario,
  results: readonly Result[],
): Table {
  const measured = results.filter(({ failure }) => failure === null);
  const what = scenario.counts ?? "message";
  return {
    title: scenario.name,
    headings: [
      "server",
      `${what}s/s`,
      "p50 µs",
      "p99 µs",
      `CPU µs/${what}`,
      "user",
      "system",
      `calls/${what}`,
      "p50, × Deno's",
      "CPU, × Deno's",
    ],
    rows: measured.map((result) => row(result, unitOf(result, measured))),
    notes: notes(results),
  };
}

function unitOf(
  { unit }: Result,
  results: readonly Result[],
): Result | undefined {
  return results.find(({ peer }) => peer === unit);
}

function row(result: Result, unit: Result | undefined): string[] {
  const { peer, slices, latency, userShare, calls } = result;
  const cpu = median(slices.map((slice) => slice.cpu));
  const mark = isLoadBound(result) ? "*" : "";
  const ratios = (figure: "cpu" | "p50"): string =>
    unit === undefined || unit === result
      ? ""
      : ratioCell(slices, unit.slices, figure);
  return [
    peer,
    Math.round(median(slices.map(({ rate }) => rate))).toLocaleString("en") +
    mark,
    microseconds(latency?.p50),
    microseconds(latency?.p99),
    cpu.toFixed(2),
    (cpu * userShare).toFixed(2),
    (cpu * (1 - userShare)).toFixed(2),
    typeof calls === "number" ? calls.toFixed(2) : "",
    ratios("p50"),
    ratios("cpu"),
  ];
}

/** "0.95 (0.92–0.99)": the median and the quartiles of what it is within a round. */
function ratioCell(
  slices: readonly Slice[],
  unit: readonly Slice[],
  figure: "cpu" | "p50",
): string {
  return spread(
    slices.map((slice, round) => slice[figure] / unit[round]![figure]),
  );
}

/** A median with its quartiles. */
export function spread(values: readonly number[]): string {
  const low = quantile(values, 0.25).toFixed(2);
  const high = quantile(values, 0.75).toFixed(2);
  return `${median(values).toFixed(2)} (${low}–${high})`;
}

function notes(results: readonly Result[]): string[] {
  const failures = results
    .filter(({ failure }) => failure !== null)
    .map(({ peer, failure }) => `${peer}: ${failure}`);
  const uncounted = new Set(
    results.map(({ calls }) => calls).filter((why) => typeof why === "string"),
  );
  return [
    ...failures,
    ...[...uncounted].map((why) => `system calls were not counted: ${why}`),
    ...(results.some(isLoadBound) ? [LOAD_BOUND] : []),
  ];
}
