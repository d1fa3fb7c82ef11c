/**
 * What one `poll_oneoff` costs a program that watches a hundred sockets, beside
 * the bare poll(2) of as many.
 *
 *     deno run -A bench/wasi_poll.ts
 *
 * @module
 */

import { socketPair } from "../backends/ffi/mod.ts";
import { PollFds } from "../backends/ffi/structs/pollfd.ts";
import { type LoopSelector, PollSelector } from "../backends/mod.ts";
import { POLLIN, pollOnce } from "../backends/poll.ts";
import {
  encodeSubscription,
  EVENT,
  SUBSCRIPTION,
  WasiHost,
} from "../adapters/wasi/mod.ts";

const SOCKETS = 100;
const ROUNDS = 9;
const CALLS = 20_000;

/** Where the program has its subscriptions, its events and their number. */
const AT = 1024;
const EVENTS = AT + (SOCKETS + 1) * SUBSCRIPTION.size;
const STORED = EVENTS + (SOCKETS + 1) * EVENT.size;

const pairs = Array.from({ length: SOCKETS }, () => socketPair());

/** The microseconds of one call: the median of several rounds. */
function measure(call: () => void): number {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let index = 0; index < CALLS; index++) call();
    return (performance.now() - start) * 1000 / CALLS;
  });
  return rounds.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

function barePoll(): number {
  const fds = new PollFds(SOCKETS);
  pairs.forEach(([socket], index) => fds.set(index, socket.fd, POLLIN));
  return measure(() => pollOnce(fds, SOCKETS, 0));
}

/** A program's poll of all its sockets, with a clock whose time has come. */
function guestPoll(selector?: LoopSelector<unknown>): number {
  const host = new WasiHost({
    sockets: pairs.map(([socket]) => socket),
    ...selector && { selector },
  });
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
  encodeSubscription(view, AT, {
    userdata: 0n,
    type: "clock",
    clockId: 1,
    timeout: 0n,
    precision: 0n,
    absolute: false,
  });
  for (let index = 1; index <= SOCKETS; index++) {
    encodeSubscription(view, AT + index * SUBSCRIPTION.size, {
      userdata: BigInt(index),
      type: "read",
      fd: 2 + index,
    });
  }
}

function report(name: string, bare: number, guest: number): void {
  const more = guest - bare;
  const added = `${more < 0 ? "" : "+"}${more.toFixed(2)}`;
  console.log(`${name.padEnd(32)}${guest.toFixed(2)} µs (${added})`);
}

for (const ready of [0, 10]) {
  for (const [, peer] of pairs.slice(0, ready)) peer.send(new Uint8Array(64));
  const bare = barePoll();
  console.log(`${SOCKETS} sockets, ${ready} of them ready`);
  console.log(`${"  poll(2)".padEnd(32)}${bare.toFixed(2)} µs`);
  report("  poll_oneoff, best selector", bare, guestPoll());
  report("  poll_oneoff, PollSelector", bare, guestPoll(new PollSelector()));
}
