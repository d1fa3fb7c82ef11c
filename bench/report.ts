/**
 * The table of a scenario.
 *
 * CPU times are shown as the median ratio to the yardstick, times the yardstick's
 * own median. So the column of CPU times agrees with the column of ratios, also if
 * the machine was slow in some of the rounds. The same holds for p50 in a group.
 *
 * @module
 */

import { ratios, scaled } from "./ratios.ts";
import type { Result } from "./result.ts";
import type { Scenario } from "./scenarios.ts";
import { median, spread } from "./statistics.ts";
import type { Table } from "./table.ts";

/** A load that used this share of its core limits messages a second. */
const BOTTLENECK = 0.95;

/** The meaning of the mark of a load at its limit. */
const LOAD_BOUND =
  "*: the load used its whole core, so it limits messages/s and latency. The CPU time is the server's";

/** A result, and the result to which its ratios refer; null if that one has failed. */
interface Row {
  readonly result: Result;
  readonly unit: Result | null;
}

interface Column {
  readonly heading: string;
  cell(row: Row): string;
}

/**
 * The table of one scenario.
 *
 * @param circumstances Where, when and how it was measured
 */
export function table(
  scenario: Scenario,
  results: readonly Result[],
  circumstances: string,
): Table {
  const rows = results.filter(({ failure }) => failure === null)
    .map((result) => ({ result, unit: unitOf(result, results) }));
  const columns = columnsOf(scenario, results[0]?.unit ?? "");
  return {
    title: scenario.name,
    circumstances,
    headings: columns.map(({ heading }) => heading),
    rows: rows.map((row) => columns.map(({ cell }) => cell(row))),
    notes: notesOf(scenario, results),
  };
}

function unitOf(result: Result, results: readonly Result[]): Result | null {
  return results.find(({ peer, failure }) =>
    peer === result.unit && failure === null
  ) ?? null;
}

function columnsOf(scenario: Scenario, yardstick: string): Column[] {
  const server = { heading: "server", cell: (row: Row) => row.result.peer };
  if (scenario.memory) return [server, MEMORY];
  const counts = scenario.counts ?? "message";
  const speed = [server, rate(scenario), P50, P99];
  switch (scenario.group) {
    case "as Deno has it":
      return [
        ...speed,
        ...cpu(counts),
        calls(counts),
        ratio("p50", "Deno's"),
        ratio("cpu", "Deno's"),
      ];
    case "datagrams":
      return [...speed, ...cpu(counts), ratio("cpu", yardstick), BUSY, LOST];
    default:
      return [
        ...speed,
        P999,
        ...cpu(counts),
        ratio("cpu", yardstick),
        load(scenario),
      ];
  }
}

const MEMORY: Column = {
  heading: "RSS KiB/connection",
  cell: ({ result }) => (result.bytesPerConnection! / 1024).toFixed(2),
};

function rate({ counts = "message", spins = false }: Scenario): Column {
  return {
    heading: `${counts}s/s`,
    cell: ({ result }) =>
      Math.round(median(result.slices.map(({ rate }) => rate)))
        .toLocaleString("en") + (!spins && isLoadBound(result) ? "*" : ""),
  };
}

const P50: Column = {
  heading: "p50 µs",
  cell: (row) => microseconds(scaled(row.result, row.unit, "p50")),
};
const P99: Column = {
  heading: "p99 µs",
  cell: ({ result }) => microseconds(result.latency?.p99),
};
const P999: Column = {
  heading: "p99.9 µs",
  cell: ({ result }) => microseconds(result.latency?.p999),
};

function cpu(counts: string): Column[] {
  const part = (
    heading: string,
    share: (result: Result) => number,
  ): Column => ({
    heading,
    cell: (row) => {
      const microseconds = scaled(row.result, row.unit, "cpu") *
        share(row.result);
      return Number.isNaN(microseconds) ? "" : microseconds.toFixed(2);
    },
  });
  return [
    part(`CPU µs/${counts}`, () => 1),
    part("user", ({ userShare }) => userShare),
    part("system", ({ userShare }) => 1 - userShare),
  ];
}

function calls(counts: string): Column {
  return {
    heading: `calls/${counts}`,
    cell: ({ result: { calls } }) =>
      typeof calls === "number" ? calls.toFixed(2) : "",
  };
}

function load(scenario: Scenario): Column {
  return {
    heading: "load's CPU",
    cell: ({ result }) => scenario.spins ? "spins" : percent(loadShare(result)),
  };
}

/** How much of its core the server has used: less than all if the load was too slow. */
const BUSY: Column = {
  heading: "server's CPU",
  cell: ({ result: { slices } }) =>
    percent(median(slices.map(({ rate, cpu }) => rate * cpu / 1e6))),
};

const LOST: Column = {
  heading: "lost",
  cell: ({ result: { slices } }) => {
    const sum = (figure: "lost" | "answered"): number =>
      slices.reduce((total, slice) => total + slice[figure], 0);
    const lost = sum("lost");
    return lost === 0 ? "0" : percent(lost / (lost + sum("answered")), 2);
  },
};

function percent(share: number, digits: number = 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** The figures that are compared. */
type Figure = "cpu" | "p50";

function ratio(figure: Figure, unit: string): Column {
  const name = figure === "cpu" ? "CPU" : figure;
  return {
    heading: `${name}, × ${unit}`,
    cell: (row) => ratioCell(row, figure),
  };
}

function ratioCell(row: Row, figure: Figure): string {
  if (row.unit === null) return "";
  return row.unit === row.result
    ? "1.00"
    : spread(ratios(row.result, row.unit, figure));
}

function microseconds(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(value < 100 ? 1 : 0);
}

function loadShare({ slices }: Result): number {
  return median(slices.map(({ loadShare }) => loadShare));
}

function isLoadBound(result: Result): boolean {
  return loadShare(result) >= BOTTLENECK;
}

function notesOf(scenario: Scenario, results: readonly Result[]): string[] {
  const failures = results
    .filter(({ failure }) => failure !== null)
    .map(({ peer, failure }) => `${peer}: ${failure}`);
  const uncounted = new Set(
    results.map(({ calls }) => calls).filter((why) => typeof why === "string"),
  );
  return [
    ...failures,
    ...[...uncounted].map((why) => `System calls were not counted: ${why}`),
    ...(!scenario.spins && results.some(isLoadBound) ? [LOAD_BOUND] : []),
  ];
}
