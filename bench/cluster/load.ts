/**
 * Saturates an echo server until it is killed.
 *
 *     deno run --allow-ffi --allow-read bench/cluster/load.ts PORT
 *
 * @module
 */

import { ClosedLoop } from "../load/closed_loop.ts";
import { Latencies } from "../load/latencies.ts";

const CONNECTIONS = 50;
const MESSAGE_BYTES = 64;
const SLICE_MS = 1000;

const load = new ClosedLoop(Number(Deno.args[0]), CONNECTIONS, MESSAGE_BYTES);
const latencies = new Latencies();
// It is about to be stopped.
console.log("ready");
for (;;) {
  load.run(SLICE_MS, latencies);
  latencies.clear();
}
