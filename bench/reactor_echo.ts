/**
 * What the reactor costs beyond C: its echo server, in both ways of running,
 * beside raw epoll in C and beside the bare calls from TypeScript.
 *
 *     deno run -A bench/reactor_echo.ts [--only WORD] [--rounds N] [--slice MS]
 *
 * @module
 */

import { bareFfi } from "./peers/bare_ffi.ts";
import { cEpoll } from "./peers/c_epoll.ts";
import { polluxRun, polluxSelector, polluxServe } from "./peers/pollux.ts";
import { run } from "./run.ts";

await run([cEpoll, bareFfi, polluxSelector, polluxRun, polluxServe], {
  rounds: 9,
  slice: 300,
  only: [],
});
