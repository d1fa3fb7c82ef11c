/**
 * A line on the terminal that says what a benchmark is doing.
 *
 * @module
 */

/** Replaces the line by another; nothing happens without a terminal. */
export function progress(step: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${step}`));
}
