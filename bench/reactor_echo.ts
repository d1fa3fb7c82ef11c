/**
 * What the reactor costs beyond C: its echo server, in both ways of running, and
 * with a chunk of its own for each message, beside raw epoll in C and beside the
 * bare calls from TypeScript.
 *
 *     deno run -A bench/reactor_echo.ts [--only WORD] [--rounds N] [--slice MS]
 *
 * @module
 */

import { bareFfi } from "./peers/bare_ffi.ts";
import { cEpoll } from "./peers/c_epoll.ts";
import {
  polluxOwnChunks,
  polluxRun,
  polluxSelector,
  polluxServe,
} from "./peers/pollux.ts";
import { run } from "./run.ts";

await run([
  cEpoll,
  bareFfi,
  polluxSelector,
  polluxRun,
  polluxServe,
  polluxOwnChunks,
], {
  rounds: 9,
  slice: 300,
  only: [],
});
