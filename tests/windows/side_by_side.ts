/**
 * Runs suites side by side, each in a process of its own. A line of their output
 * begins with the name of the suite.
 */

import { type Result, resultOf } from "./results.ts";
import type { Suite } from "./suites.ts";

/**
 * Runs `deno test` with arguments, calls `onLine` with each line of its output, and
 * returns its exit status.
 */
export type RunTests = (
  args: readonly string[],
  onLine: (line: string) => void,
) => Promise<number>;

/** How a suite ended. */
export interface Ending extends Suite {
  readonly output: string;
  readonly result: Result;
  readonly duration: string;
}

/** Runs suites, and returns how they ended. */
export async function runSideBySide(
  suites: readonly Suite[],
  run: RunTests,
  atOnce: number = navigator.hardwareConcurrency,
): Promise<Ending[]> {
  const waiting = [...suites];
  const endings: Ending[] = [];
  async function work(): Promise<void> {
    for (let suite; (suite = waiting.shift()) !== undefined;) {
      endings.push(await runSuite(suite, run));
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work));
  return endings;
}

async function runSuite(suite: Suite, run: RunTests): Promise<Ending> {
  const elapsed = stopwatch();
  let output = "";
  const status = await run(suite.files, (line) => {
    output += `${line}\n`;
    console.log(`${suite.name} | ${line}`);
  });
  const result = resultOf(output, status);
  return { ...suite, output, result, duration: elapsed() };
}

/** A function that returns how long ago it was made. */
function stopwatch(): () => string {
  const start = performance.now();
  return () => `${Math.round((performance.now() - start) / 1000)}s`;
}
