/**
 * What the selectors promise about their speed and memory, beside what they do.
 * It ends with status 1 if a promise does not hold.
 *
 *     deno task bench:promises
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  createSelector,
  type SelectorName,
} from "../backends/default_selector.ts";
import { EPOLL_CTL_ADD, EPOLLIN, EpollInstance } from "../backends/epoll.ts";
import { EpollSelector } from "../backends/epoll_selector.ts";
import { errorByValue } from "../backends/ffi/errno.ts";
import { libc } from "../backends/ffi/libc.ts";
import { errno, libraryPath } from "../backends/ffi/library.ts";
import { EVENT_READ } from "../backends/selector.ts";
import { circumstances } from "./circumstances.ts";
import { Eventfds } from "./eventfds.ts";
import { asMarkdown, asText, median } from "./report.ts";
import { nanosecondsPerCall } from "./timing.ts";

/** One promise. */
interface Promised {
  readonly what: string;
  readonly unit: string;
  readonly measured: number;
  /** The most that it may be; null where it is only told. */
  readonly limit: number | null;
}

const MANY = 10_000;

/** Nanoseconds of a wait that finds one ready descriptor, and of finding its key. */
function waitCost(name: SelectorName, registered: number): number {
  using eventfds = new Eventfds(registered);
  const selector = createSelector<null>(name);
  for (const fd of eventfds.fds) selector.register(fd, EVENT_READ, null);
  eventfds.raise(1);
  const cost = nanosecondsPerCall((calls) => {
    for (let i = 0; i < calls; i++) {
      selector.wait(0);
      if (selector.readyKey(0) === undefined) throw new Error("nothing ready");
    }
  });
  selector.close();
  return cost;
}

/** Nanoseconds of the same wait, as a call into the C library. */
function bareWaitCost(): number {
  using eventfds = new Eventfds(10);
  using epoll = new EpollInstance();
  for (const fd of eventfds.fds) epoll.control(EPOLL_CTL_ADD, fd, EPOLLIN, 0);
  eventfds.raise(1);
  const { bytes, capacity } = epoll.events;
  const { epoll_wait } = libc();
  const { fd } = epoll;
  return nanosecondsPerCall((calls) => {
    for (let i = 0; i < calls; i++) {
      if (epoll_wait!(fd, bytes, capacity, 0) !== 1) throw new Error("not one");
    }
  });
}

function waits(): Promised[] {
  const few = waitCost("epoll", 10);
  const many = waitCost("epoll", MANY);
  return [
    told("epoll: wait that finds 1 of 10", "ns", few),
    told("epoll: wait that finds 1 of 10,000", "ns", many),
    promised(
      "epoll: the second as a multiple of the first",
      "×",
      many / few,
      1.2,
    ),
    told("poll: wait that finds 1 of 10", "ns", waitCost("poll", 10)),
    told("poll: wait that finds 1 of 10,000", "ns", waitCost("poll", MANY)),
    told("select: wait that finds 1 of 10", "ns", waitCost("select", 10)),
    told("select: wait that finds 1 of 900", "ns", waitCost("select", 900)),
    promised(
      "epoll: wait and key, beyond the bare call",
      "ns",
      few - bareWaitCost(),
      60,
    ),
  ];
}

/** Microseconds of a registration that is taken back at once. */
function registrationCost(): number {
  using eventfds = new Eventfds(1);
  using selector = new EpollSelector<null>();
  const fd = eventfds.fds[0]!;
  return nanosecondsPerCall((calls) => {
    for (let i = 0; i < calls; i++) {
      selector.register(fd, EVENT_READ, null);
      selector.unregister(fd);
    }
  }) / 1000;
}

/** Bytes of V8's heap, and of what hangs on it, for each of many registrations. */
function registrationBytes(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) {
    throw new Error("Memory is measured with --v8-flags=--expose-gc");
  }
  using eventfds = new Eventfds(MANY);
  using selector = new EpollSelector<null>();
  const used = (): number => {
    gc();
    const { heapUsed, external } = Deno.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  for (const fd of eventfds.fds) selector.register(fd, EVENT_READ, null);
  return (used() - before) / MANY;
}

/** Nanoseconds of learning why a call failed, beyond the bare call: `toupper(EOF)` is -1. */
function errnoCost(): number {
  const { toupper } = Deno.dlopen(libraryPath(), {
    toupper: { parameters: ["i32"], result: "i32" },
  }).symbols;
  const framed = errorByValue(toupper, 1, errno()) as typeof toupper;
  const bareCost = nanosecondsPerCall((calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += toupper(-1);
    return sum;
  });
  const framedCost = nanosecondsPerCall((calls) => {
    let sum = 0;
    for (let i = 0; i < calls; i++) sum += framed(-1);
    return sum;
  });
  return framedCost - bareCost;
}

/** Milliseconds from the start of a program to its end, which is when it could accept. */
async function startup(name: string): Promise<number> {
  const path = new URL(`startup/${name}.ts`, import.meta.url).pathname;
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-ffi", "--allow-net", path],
  }).output();
  if (!success) throw new Error(`${path} fails`);
  return performance.now() - start;
}

async function startups(): Promise<Promised[]> {
  const names = ["deno_listen", "pollux", "reactor"] as const;
  const times = { deno_listen: [], pollux: [], reactor: [] } as Record<
    typeof names[number],
    number[]
  >;
  for (let round = 0; round < 41; round++) {
    for (const name of names) times[name].push(await startup(name));
  }
  const theirs = times.deno_listen;
  const beyond = (ours: readonly number[]): number =>
    median(ours.map((time, round) => time - theirs[round]!));
  return [
    told("start to listening: Deno.listen", "ms", median(theirs)),
    promised("a Socket of mod.ts, beyond that", "ms", beyond(times.pollux), 15),
    told("a reactor of mod.ts, beyond that", "ms", beyond(times.reactor)),
  ];
}

function promised(
  what: string,
  unit: string,
  measured: number,
  limit: number,
): Promised {
  return { what, unit, measured, limit };
}

function told(what: string, unit: string, measured: number): Promised {
  return { what, unit, measured, limit: null };
}

function holds({ measured, limit }: Promised): boolean {
  return limit === null || measured <= limit;
}

function row(promise: Promised): string[] {
  const { what, unit, measured, limit } = promise;
  return [
    what,
    `${measured.toFixed(measured < 100 ? 2 : 0)} ${unit}`,
    limit === null ? "" : `${limit} ${unit}`,
    limit === null ? "" : holds(promise) ? "holds" : "BROKEN",
  ];
}

const { values } = parseArgs({
  options: { markdown: { type: "boolean", default: false } },
});
const promises = [
  ...waits(),
  promised("register and unregister", "µs", registrationCost(), 3),
  promised("memory of a registration", "bytes", registrationBytes(), 200),
  promised("errno, beyond the bare call that fails", "ns", errnoCost(), 5),
  ...await startups(),
];
const print = values.markdown ? asMarkdown : asText;
console.log(`${circumstances()}\n`);
console.log(print({
  title: "Promises of the selectors",
  headings: ["what", "measured", "at most", ""],
  rows: promises.map(row),
  notes: [],
}));
if (!promises.every(holds)) Deno.exit(1);
