/**
 * Compares the speed and memory of the selectors with the limits that they guarantee.
 * Ends with status 1 if a limit is exceeded.
 *
 *     deno task bench:promises
 *
 * @module
 */

import { parseArgs } from "node:util";
import { createSelector, type SelectorName } from "../backends/selectors.ts";
import { EPOLL_CTL_ADD, EPOLLIN, EpollInstance } from "../backends/epoll.ts";
import { EpollSelector } from "../backends/epoll_selector.ts";
import { errorByValue } from "../backends/ffi/errno.ts";
import { libc } from "../backends/ffi/libc.ts";
import { errno, libraryPath } from "../backends/ffi/library.ts";
import { EVENT_READ } from "../backends/selector.ts";
import { circumstances } from "./circumstances.ts";
import { Eventfds } from "./eventfds.ts";
import { median } from "./statistics.ts";
import { print } from "./table.ts";
import { nanosecondsPerCall } from "./timing.ts";

/** A measured figure, and its limit. */
interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly measured: number;
  /** The maximum; null if there is none. */
  readonly limit: number | null;
}

const MANY = 10_000;

/** Nanoseconds of a wait that returns one ready descriptor, and of the lookup of its key. */
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

/** Nanoseconds of the same wait, as a bare call into the C library. */
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

function waits(): Figure[] {
  const few = waitCost("epoll", 10);
  const many = waitCost("epoll", MANY);
  return [
    figure("epoll: wait that finds 1 of 10", "ns", few),
    figure("epoll: wait that finds 1 of 10,000", "ns", many),
    guaranteed(
      "epoll: the second as a multiple of the first",
      "×",
      many / few,
      1.2,
    ),
    figure("poll: wait that finds 1 of 10", "ns", waitCost("poll", 10)),
    figure("poll: wait that finds 1 of 10,000", "ns", waitCost("poll", MANY)),
    figure("select: wait that finds 1 of 10", "ns", waitCost("select", 10)),
    figure("select: wait that finds 1 of 900", "ns", waitCost("select", 900)),
    guaranteed(
      "epoll: wait and key, beyond the bare call",
      "ns",
      few - bareWaitCost(),
      60,
    ),
  ];
}

/** Microseconds of one `register()` and `unregister()`. */
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

/** Bytes of V8's heap and of its external memory for each of many registrations. */
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

/** Nanoseconds that errno adds to a call that fails: `toupper(EOF)` is -1. */
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

/** Milliseconds that a program takes which ends as soon as it could accept. */
async function startup(name: string): Promise<number> {
  const path = new URL(`startup/${name}.ts`, import.meta.url).pathname;
  const start = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-ffi", "--allow-net", path],
  }).output();
  if (!success) throw new Error(`${path} fails`);
  return performance.now() - start;
}

async function startups(): Promise<Figure[]> {
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
    figure("start to listening: Deno.listen", "ms", median(theirs)),
    guaranteed(
      "a Socket of mod.ts, beyond that",
      "ms",
      beyond(times.pollux),
      15,
    ),
    figure("a reactor of mod.ts, beyond that", "ms", beyond(times.reactor)),
  ];
}

function guaranteed(
  name: string,
  unit: string,
  measured: number,
  limit: number,
): Figure {
  return { name, unit, measured, limit };
}

function figure(name: string, unit: string, measured: number): Figure {
  return { name, unit, measured, limit: null };
}

function holds({ measured, limit }: Figure): boolean {
  return limit === null || measured <= limit;
}

function row(figure: Figure): string[] {
  const { name, unit, measured, limit } = figure;
  return [
    name,
    `${measured.toFixed(measured < 100 ? 2 : 0)} ${unit}`,
    limit === null ? "" : `${limit} ${unit}`,
    limit === null ? "" : holds(figure) ? "holds" : "BROKEN",
  ];
}

const { values } = parseArgs({
  options: { markdown: { type: "boolean", default: false } },
});
const where = circumstances();
const figures = [
  ...waits(),
  guaranteed("register and unregister", "µs", registrationCost(), 3),
  guaranteed("memory of a registration", "bytes", registrationBytes(), 200),
  guaranteed("errno, beyond the bare call that fails", "ns", errnoCost(), 5),
  ...await startups(),
];
print({
  title: "Guarantees of the selectors",
  circumstances: where,
  headings: ["figure", "measured", "at most", ""],
  rows: figures.map(row),
  notes: [],
}, values.markdown);
if (!figures.every(holds)) Deno.exit(1);
