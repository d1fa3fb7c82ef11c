/**
 * Measures the costs of `diagnose()` and `describe()`.
 *
 *     deno task bench:observability [--markdown]
 *
 * @module
 */

import { circumstances } from "./circumstances.ts";
import { median } from "./statistics.ts";
import { print } from "./table.ts";

const ROUNDS = 9;

/** The ways to measure an echo; the first is measured twice, as a control. */
const MODES = ["off", "off again", "on", "stacks", "ended"] as const;

/** Runs a program of `bench/observability/`, and returns the numbers that it prints. */
async function measure(program: string, mode: string): Promise<number[]> {
  const file = new URL(`observability/${program}`, import.meta.url).pathname;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", file, mode],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${program} ${mode} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

const where = circumstances({ rounds: ROUNDS });
const echoes = new Map<string, number[]>(MODES.map((mode) => [mode, []]));
const begins: number[] = [];
const descriptions: number[][] = [];
for (let round = 0; round < ROUNDS; round++) {
  // In one run, interleaved: the load of the machine changes.
  for (const mode of MODES) {
    const [nanoseconds, begin] = await measure("echo.ts", mode.split(" ")[0]!);
    echoes.get(mode)!.push(nanoseconds!);
    if (mode === "on") begins.push(begin!);
  }
  descriptions.push(await measure("describe.ts", ""));
}

const off = echoes.get("off")!;
const rows = MODES.map((mode) => {
  const values = echoes.get(mode)!;
  const ratios = values.map((value, round) => value / off[round]!);
  return [
    `an echo, ${mode}`,
    `${(median(values) / 1000).toFixed(2)} µs`,
    median(ratios).toFixed(3),
  ];
});
const column = (at: number): number =>
  median(descriptions.map((each) => each[at]!));
print({
  title: "Diagnosis and description",
  circumstances: where,
  headings: ["", "median", "by off"],
  rows: [
    ...rows,
    ["diagnose() begins", `${median(begins).toFixed(0)} ms`, ""],
    ["describe() of 10,000 descriptors", `${column(0).toFixed(0)} ms`, ""],
    ["longest wait of a timer meanwhile", `${column(1).toFixed(1)} ms`, ""],
    ["longest wait of a timer before", `${column(2).toFixed(1)} ms`, ""],
  ],
  notes: [
    "An echo is 64 bytes, in a turn of its own: its CPU time, lower decile.",
  ],
}, Deno.args.includes("--markdown"));
