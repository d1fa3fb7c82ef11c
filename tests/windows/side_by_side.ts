/**
 * Runs suites side by side, each in a process of its own. A line of their output
 * begins with the name of the suite.
 */

import { hasCounts, lineOf, type Result, resultOf, sumOf } from "./results.ts";
import { ignoredSummary } from "./ignored.ts";
import type { Suite } from "./suites.ts";

/** How many lines of a suite that broke off are repeated at the end. */
const LAST_LINES = 20;

/** Runs a suite, calls `onLine` with each line of its output, and returns its exit status. */
export type RunSuite = (
  suite: Suite,
  onLine: (line: string) => void,
) => Promise<number>;

/** How a suite ended. */
interface Ending {
  readonly name: string;
  readonly output: string;
  readonly result: Result;
  readonly duration: string;
}

/** Runs suites, prints their sums, and returns whether all tests passed. */
export async function runSideBySide(
  suites: readonly Suite[],
  run: RunSuite,
  atOnce: number = navigator.hardwareConcurrency,
): Promise<boolean> {
  const elapsed = stopwatch();
  const waiting = [...suites];
  const endings: Ending[] = [];
  async function work(): Promise<void> {
    for (let suite; (suite = waiting.shift()) !== undefined;) {
      endings.push(await runSuite(suite, run));
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  const sum = sumOf(endings.map(({ result }) => result));
  console.log(ignoredSummary(endings.map(({ output }) => output).join("")));
  for (const { name, output } of endings) {
    if (!hasCounts(output)) console.log(`\n${name} broke off:\n${end(output)}`);
  }
  for (const { name, result, duration } of endings) {
    console.log(`${name} | ${lineOf(result)} (${duration})`);
  }
  console.log(`${lineOf(sum)} (${elapsed()})`);
  return sum.failed === 0;
}

async function runSuite(suite: Suite, run: RunSuite): Promise<Ending> {
  const { name } = suite;
  const elapsed = stopwatch();
  let output = "";
  const status = await run(suite, (line) => {
    output += `${line}\n`;
    console.log(`${name} | ${line}`);
  });
  const result = resultOf(output, status);
  return { name, output, result, duration: elapsed() };
}

/** The last lines of an output. */
function end(output: string): string {
  return output.split("\n").slice(-LAST_LINES).join("\n");
}

/** A function that returns how long ago it was made. */
function stopwatch(): () => string {
  const start = performance.now();
  return () => `${Math.round((performance.now() - start) / 1000)}s`;
}
