/**
 * Compares one `poll_oneoff` of a program that watches a hundred sockets with a bare
 * poll(2) of the same sockets.
 *
 *     deno run -A bench/wasi_poll.ts
 *
 * @module
 */

import { socketPair } from "../backends/ffi/mod.ts";
import { PollFds } from "../backends/ffi/structs/pollfd.ts";
import { POLLIN, pollOnce } from "../backends/poll.ts";
import { EVENTTYPE_FD_READ } from "../backends/wasi/abi.ts";
import {
  EVENT,
  SUBSCRIPTION,
  writeClockSubscription,
  writeFdSubscription,
} from "../backends/wasi/layout.ts";
import { WasiHost } from "../adapters/wasi/mod.ts";
import { circumstances } from "./circumstances.ts";
import { median } from "./statistics.ts";
import { print } from "./table.ts";

const SOCKETS = 100;
const READY = 10;
const ROUNDS = 9;
const CALLS = 20_000;

/** The addresses of subscriptions, events and their number in the program. */
const AT = 1024;
const EVENTS = AT + (SOCKETS + 1) * SUBSCRIPTION.size;
const STORED = EVENTS + (SOCKETS + 1) * EVENT.size;

const pairs = Array.from({ length: SOCKETS }, () => socketPair());

/** Microseconds of one call, the median of several rounds. */
function measure(call: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let index = 0; index < CALLS; index++) call();
    return (performance.now() - start) * 1000 / CALLS;
  });
  return median(rounds);
}

function barePoll(): number {
  const fds = new PollFds(SOCKETS);
  pairs.forEach(([socket], index) => fds.set(index, socket.fd, POLLIN));
  return measure(() => pollOnce(fds, SOCKETS, 0));
}

/** Microseconds of a poll of all sockets, and of a clock that has expired. */
function guestPoll(): number {
  const host = new WasiHost({ sockets: pairs.map(([socket]) => socket) });
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { poll_oneoff } = host.imports["wasi_snapshot_preview1"] as {
    poll_oneoff(...args: number[]): number;
  };
  writeSubscriptions(new DataView(memory.buffer));
  let result = NaN;
  const _start = (): void => {
    result = measure(() => poll_oneoff(AT, EVENTS, SOCKETS + 1, STORED));
  };
  host.start({ exports: { memory, _start } });
  return result;
}

function writeSubscriptions(view: DataView): void {
  writeClockSubscription(view, AT, 0n, 0n);
  for (let index = 1; index <= SOCKETS; index++) {
    const at = AT + index * SUBSCRIPTION.size;
    const userdata = BigInt(index);
    writeFdSubscription(view, at, userdata, EVENTTYPE_FD_READ, 2 + index);
  }
}

/** The rows while so many of the sockets are ready. */
function rowsOf(ready: number): string[][] {
  const bare = barePoll();
  const costs: readonly (readonly [string, number])[] = [
    ["poll(2)", bare],
    ["poll(2), again", barePoll()],
    ["poll_oneoff", guestPoll()],
  ];
  return costs.map(([name, cost]) => [
    `${name}, ${ready} ready`,
    cost.toFixed(2),
    (cost - bare).toFixed(2),
  ]);
}

const where = circumstances({ rounds: ROUNDS });
const idle = rowsOf(0);
for (const [, peer] of pairs.slice(0, READY)) peer.send(new Uint8Array(64));
print({
  title: `poll_oneoff of ${SOCKETS} sockets`,
  circumstances: where,
  headings: ["call", "µs", "more than poll(2)"],
  rows: [...idle, ...rowsOf(READY)],
  notes: [],
}, Deno.args.includes("--markdown"));
