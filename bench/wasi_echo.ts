/**
 * Compares an echo server in C as a WASI program with the same server in TypeScript, on
 * the reactor and on a selector.
 *
 *     deno run -A bench/wasi_echo.ts [--only WORD] [--rounds N] [--slice MS]
 *
 * @module
 */

import { polluxRun, polluxSelector, polluxServe } from "./peers/pollux.ts";
import { wasiRun, wasiServe } from "./peers/wasi_guest.ts";
import { run } from "./run.ts";

await run([polluxRun, polluxServe, polluxSelector, wasiRun, wasiServe], {
  rounds: 12,
  slice: 300,
  only: ["echo-50", "echo-1000", "echo-16k"],
});
