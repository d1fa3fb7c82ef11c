/**
 * What a WASI program on our host costs beyond the same server in TypeScript:
 * an echo server in C, in both ways of running, beside the reactor and the raw
 * selector.
 *
 *     deno run -A bench/wasi_echo.ts [--only WORD] [--rounds N] [--slice MS]
 *
 * @module
 */

import { polluxRun, polluxSelector, polluxServe } from "./peers/pollux.ts";
import { wasiRun, wasiServe } from "./peers/wasi_guest.ts";
import { run } from "./run.ts";

await run([polluxRun, polluxServe, polluxSelector, wasiRun, wasiServe], {
  rounds: 9,
  slice: 300,
  only: ["50 × 64", "1,000 × 64", "50 × 16"],
});
