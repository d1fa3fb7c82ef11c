/**
 * The second attempt of tests that failed under Wine, each alone.
 *
 * Wine emulates handles, completion ports and consoles by a server process of its own.
 * When both processors are busy, an answer of it can come late: about one test in some
 * thousands then fails. A test that fails on an idle machine, too, is a failure. The
 * name of one that passes only then is printed.
 */

import { type Result, resultOf } from "./results.ts";
import type { Ending, RunTests } from "./side_by_side.ts";

/** A failed test. Without a name it is the whole suite, which broke off. */
export interface Failure {
  readonly files: readonly string[];
  readonly name?: string;
}

/** With more failures than this, Wine is not the cause. */
const MOST_FAILURES = 20;

const FILE = /^running \d+ tests? from \.\/(.*)$/;
/** A line of the list at the end. It has the place of `Deno.test()`, which is a helper's. */
const FAILED = /^(.*) => \.\/\S+$/;

/** The failed tests of a suite. */
export function failuresOf({ files, output, result }: Ending): Failure[] {
  const lines = output.split(/\r?\n/);
  const failures = lines.slice(lines.indexOf(" FAILURES ") + 1)
    .flatMap((line) => FAILED.exec(line)?.[1] ?? [])
    .map((name) => ({ files: [fileOf(name, lines)], name }));
  return failures.length === result.failed ? failures : [{ files }];
}

/** The file under whose heading a test was reported. */
function fileOf(name: string, lines: readonly string[]): string {
  const report = lines.findIndex((line) => line.startsWith(`${name} ...`));
  const heading = lines.slice(0, report).findLast((line) => FILE.test(line));
  return FILE.exec(heading ?? "")?.[1] ?? "";
}

/** The arguments of `deno test` that select a failed test. */
export function argumentsOf({ files, name }: Failure): string[] {
  if (name === undefined) return [...files];
  // No character that a command line could change.
  const pattern = name.replace(/[^A-Za-z0-9 ]/gu, ".");
  return [`--filter=/^${pattern}$/`, ...files];
}

/** Repeats the failed tests of suites, prints those that pass, and returns how many did. */
export async function secondAttempt(
  endings: readonly Ending[],
  run: RunTests,
  print: (line: string) => void = console.log,
): Promise<number> {
  const failures = endings.filter(({ result }) => result.failed > 0)
    .flatMap(failuresOf);
  if (failures.length > MOST_FAILURES) return 0;
  let passed = 0;
  for (const failure of failures) {
    const result = await repeat(failure, run, print);
    const ok = result.failed === 0 && result.passed > 0;
    const name = failure.name ?? failure.files.join(" ");
    print(`${ok ? "Passed" : "Failed"} at the second attempt: ${name}`);
    if (ok) passed++;
  }
  return passed;
}

async function repeat(
  failure: Failure,
  run: RunTests,
  print: (line: string) => void,
): Promise<Result> {
  let output = "";
  const status = await run(argumentsOf(failure), (line) => {
    output += `${line}\n`;
    print(`again | ${line}`);
  });
  return resultOf(output, status);
}
