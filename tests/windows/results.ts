/** The counts in which a run of `deno test` ends, and their sums. */

/** The counts of one run, or of several. */
export interface Result {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const COUNTS = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(.*)$/m;
const IGNORED = / \| (\d+) ignored/;

/** The counts of a run. One that ends without them, or fails without a failed test, has one. */
export function resultOf(output: string, status: number): Result {
  const [, passed = 0, failed = 0, rest = ""] = COUNTS.exec(output) ?? [];
  const ignored = IGNORED.exec(rest)?.[1] ?? 0;
  const counted = Number(failed);
  return {
    passed: Number(passed),
    failed: status !== 0 && counted === 0 ? 1 : counted,
    ignored: Number(ignored),
  };
}

/** Whether a run has ended with its counts. */
export function hasCounts(output: string): boolean {
  return COUNTS.test(output);
}

/** The sums of several runs. */
export function sumOf(results: readonly Result[]): Result {
  const sum = (key: keyof Result): number =>
    results.reduce((total, result) => total + result[key], 0);
  return {
    passed: sum("passed"),
    failed: sum("failed"),
    ignored: sum("ignored"),
  };
}

/** Counts in the form of `deno test`. */
export function lineOf({ passed, failed, ignored }: Result): string {
  const verdict = failed === 0 ? "ok" : "FAILED";
  return `${verdict} | ${passed} passed | ${failed} failed | ${ignored} ignored`;
}
