/**
 * Counts the ignored tests of a run of `deno test` by their reasons. The name of a test
 * has its reason in parentheses: "Acceptor: pauses (ignored: Windows has no pipes)".
 */

const IGNORED = /^(.*) \.\.\. ignored \(\d+m?s\)$/;
const REASON = /.*\(ignored: (.*)\)$/;
const NO_REASON = "no reason given";

/** The reasons in the output of `deno test`, with the tests of each; most tests first. */
export function ignoredByReason(output: string): [reason: string, n: number][] {
  const counts = new Map<string, number>();
  for (const line of output.split(/\r?\n/)) {
    const name = IGNORED.exec(line)?.[1];
    if (name === undefined) continue;
    const reason = REASON.exec(name)?.[1] ?? NO_REASON;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** The lines that show these counts. */
export function ignoredSummary(output: string): string {
  const counts = ignoredByReason(output);
  if (counts.length === 0) return "No test was ignored";
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  const lines = counts.map(([reason, n]) => `${`${n}`.padStart(6)}  ${reason}`);
  return [`Ignored: ${total} tests, by reason`, ...lines].join("\n");
}
