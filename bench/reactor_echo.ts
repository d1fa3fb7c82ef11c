/**
 * Compares the reactor's echo server with raw epoll in C, and with the bare calls from
 * TypeScript. The reactor runs in `run()`, in `serve()`, and with a chunk of its own for
 * each message.
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
  rounds: 12,
  slice: 300,
  only: [],
});
