/**
 * Serves a trickle of messages, while Deno has nothing else to do, and prints how long
 * something takes that a callback begins. Two lines: the port, and the milliseconds.
 */

import { EVENT_READ } from "../../backends/mod.ts";
import { socketPair } from "../../backends/ffi/mod.ts";
import { Reactor } from "../../reactor/mod.ts";

/** Messages before the first trial, between two trials, and in all. */
const FIRST = 100, EACH = 25, LAST = 600;

const [mode] = Deno.args;
const reactor = new Reactor();

/** The calls of read(2) so far: each parked wait ends by two of them. */
function reads(): number {
  return Number(
    /^syscr: (\d+)$/m.exec(Deno.readTextFileSync("/proc/self/io"))![1],
  );
}

let onSignal = (): void => {};
// A listener keeps nothing alive, so it is no work of Deno's loop.
Deno.addSignalListener("SIGUSR1", () => onSignal());

/** The work that a callback begins; it calls `done` at its end. */
const TRIALS: Record<string, (done: () => void) => void> = {
  file: (done) => Deno.stat(".").then(done),
  timer: (done) => setTimeout(done, 1),
  tick: (done) => globalThis.process.nextTick(done),
  promises: async (done) => {
    for (let step = 0; step < 10_000; step++) await null;
    done();
  },
  signal: (done) => {
    onSignal = done;
    Deno.kill(Deno.pid, "SIGUSR1");
  },
  rejection: (done) => {
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      done();
    }, { once: true });
    Promise.reject(new Error("not handled"));
  },
  unreferenced: (done) => Deno.unrefTimer(setTimeout(done, 1)),
  reactor: (done) => {
    const second = new Reactor();
    const [left, right] = socketPair();
    second.register(right, EVENT_READ, () => {
      done();
      left.close();
      right.close();
      second.close();
    });
    second.serve();
    left.send(new Uint8Array(1));
  },
};

let messages = 0;
let before = 0;
const times: number[] = [];

function begin(): void {
  const trial = TRIALS[mode!];
  if (trial === undefined) return;
  const started = performance.now();
  trial(() => times.push(performance.now() - started));
}

function median(): number {
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? NaN;
}

const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
  peer.onData = (chunk) => {
    peer.write(chunk);
    messages++;
    if (messages === FIRST) before = reads();
    if (messages >= FIRST && messages % EACH === 0) begin();
    if (messages !== LAST) return;
    const result = mode === "awaited" || mode === "resting"
      ? (reads() - before) / (LAST - FIRST)
      : median();
    console.log(result);
    Deno.exit(0);
  };
});
console.log(server.address.port);
const served = reactor.serve();
// A pending top-level `await` is work of Deno's loop.
if (mode === "awaited") await served;
