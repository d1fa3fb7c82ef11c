/**
 * Prints the CPU time of an echo in nanoseconds, and the milliseconds in which
 * `diagnose()` began.
 *
 *     deno run -A bench/observability/echo.ts off|on|stacks|ended
 *
 * @module
 */

import { bindCalls } from "../../backends/ffi/calls.ts";
import { Reactor, socketPair } from "../../mod.ts";
import { quantile } from "../statistics.ts";

/** `CLOCK_PROCESS_CPUTIME_ID` of `<time.h>`: all threads, so that of a profiler, too. */
const PROCESS_CPU = 2;

const ECHOES = 2000;
const WARM_UP = 20;
const BLOCKS = 120;

const { clock_gettime } = bindCalls({
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
});

const time = new BigInt64Array(2);

function cpuNanoseconds(): number {
  clock_gettime(PROCESS_CPU, time);
  return Number(time[0]) * 1e9 + Number(time[1]);
}

const mode = Deno.args[0];
const reactor = new Reactor();
const begin = performance.now();
if (mode !== "off") {
  await reactor.diagnose({ stallThreshold: 100, stacks: mode === "stacks" });
}
const begun = performance.now() - begin;
const [peer, socket] = socketPair();
const connection = reactor.adopt(socket, { reuseBuffer: true });
connection.onData = (chunk): void => void connection.write(chunk);
const message = new Uint8Array(64);

function block(): number {
  const start = cpuNanoseconds();
  for (let count = 0; count < ECHOES; count++) {
    peer.send(message);
    reactor.runOnce();
    peer.recv(message);
  }
  return (cpuNanoseconds() - start) / ECHOES;
}

for (let count = 0; count < WARM_UP; count++) block();
if (mode === "ended") {
  await reactor.diagnose(false);
  for (let count = 0; count < WARM_UP; count++) block();
}
const blocks = Array.from({ length: BLOCKS }, block);
console.log(JSON.stringify([quantile(blocks, 0.1), begun]));
Deno.exit();
