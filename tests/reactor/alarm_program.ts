/**
 * Parks reactors, and prints one line: whether Deno's loop reads an alarm for them, and
 * how many threads there are more than before. As a worker, it parks one reactor.
 */

import { EVENT_READ } from "../../backends/mod.ts";
import { socketPair } from "../../backends/ffi/mod.ts";
import { parking } from "../../reactor/parking.ts";
import { Reactor } from "../../reactor/mod.ts";

/** Milliseconds after which idle reactors are parked, and Deno's link exists. */
const PARKED = 100;

/** Parks a reactor; `ask()` resolves when it has received a message. */
function park(): { ask(): Promise<void> } {
  const [left, right] = socketPair();
  let answered = (): void => {};
  const reactor = new Reactor();
  reactor.register(right, EVENT_READ, () => {
    right.recv(new Uint8Array(16));
    answered();
  });
  reactor.serve();
  return {
    ask(): Promise<void> {
      left.send(new Uint8Array(1));
      return new Promise((resolve) => answered = resolve);
    },
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PARKED));
}

function threads(): number {
  return [...Deno.readDirSync("/proc/self/task")].length;
}

/** Ends threads whose reactors are parked. */
async function endWorkers(count: number): Promise<void> {
  for (let ended = 0; ended < count; ended++) {
    const worker = new Worker(import.meta.url, {
      type: "module",
      name: "park",
    });
    await new Promise((resolve) => worker.onmessage = resolve);
    worker.terminate();
  }
}

if (self.name === "park") {
  const parked = park();
  await pause();
  await parked.ask();
  (self as unknown as Worker).postMessage("parked");
} else {
  const [reactors, workers] = Deno.args.map(Number);
  const counts = Deno.args.includes("count");
  let before = 0;
  if (counts) {
    // The first one loads modules, which Deno reads on other threads.
    park();
    await pause();
    before = threads();
  }
  await endWorkers(workers!);
  const parked = Array.from({ length: reactors! }, park);
  await pause();
  for (let round = 0; round < 3; round++) {
    for (const reactor of parked) await reactor.ask();
    await pause();
  }
  const more = counts ? threads() - before : 0;
  console.log(JSON.stringify([parking.hasAlarm, more]));
  Deno.exit(0);
}
