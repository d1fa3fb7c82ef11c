/**
 * Measures how select, poll, epoll and kqueue scale: the cost of a wake-up by the number
 * of watched and of ready descriptors. It also measures the effect of edge-triggering.
 * The pictures are SVG files in `docs/img/`. Steps 3 to 6 of docs/io_multiplexing.md
 * explain them.
 *
 *     deno task bench:scaling [--markdown | --points]
 *
 * With `--points` it prints the wake-ups by watched descriptors as JSON, and draws
 * nothing: `windows_scaling.ts` runs it so, under Wine.
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  createSelector,
  SELECTOR_NAMES,
  type SelectorName,
} from "../backends/selectors.ts";
import { KqueueSelector } from "../backends/kqueue_selector.ts";
import { libc } from "../backends/ffi/libc.ts";
import {
  EVENT_READ,
  type LoopSelector,
  MODE_EDGE,
} from "../backends/selector.ts";
import type { Point } from "./chart.ts";
import { circumstances } from "./circumstances.ts";
import { Eventfds } from "./eventfds.ts";
import { readyFiles } from "./ready_files.ts";
import { descriptorLimit } from "./proc.ts";
import { progress } from "./progress.ts";
import { print, type Table } from "./table.ts";
import { nanosecondsPerCall } from "./timing.ts";

/** How many descriptors are watched while one of them is ready. */
const WATCHED = [10, 30, 100, 300, 900, 3000, 10_000, 15_000];
/** How many are ready while `CROWD` are watched. */
const READY = [1, 3, 10, 30, 100, 300, 900];
const CROWD = 900;
/** The sets of select have 1,024 bits, and some descriptors are open already. */
const SELECT_LIMIT = 1000;

/** From the slowest to the fastest, as in the charts. */
const SELECTORS = SELECTOR_NAMES.toReversed();

/** How each ready descriptor is read. */
interface Habit {
  readonly name: string;
  readonly modes: number;
  readonly reads: number;
}

const HABITS: readonly Habit[] = [
  { name: "level, one read", modes: 0, reads: 1 },
  { name: "edge, read until EAGAIN", modes: MODE_EDGE, reads: 2 },
  { name: "edge, one read", modes: MODE_EDGE, reads: 1 },
];

/** One picture, and its numbers. */
interface Study {
  readonly file: string;
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly yScale: "linear" | "log";
  readonly points: readonly Point[];
}

/** The library that has kqueue on a system without it. */
const kqueueLibrary = Deno.env.get("POLLUX_KQUEUE_LIBRARY");

function makeSelector(name: SelectorName): LoopSelector<null> {
  return name === "kqueue" && kqueueLibrary
    ? new KqueueSelector({ library: kqueueLibrary })
    : createSelector(name);
}

/** Whether this system has the call. */
function exists(selector: SelectorName): boolean {
  try {
    makeSelector(selector).close();
    return true;
  } catch {
    return false;
  }
}

function watching(
  name: SelectorName,
  fds: readonly number[],
  events: number,
): LoopSelector<null> {
  const selector = makeSelector(name);
  for (const fd of fds) selector.register(fd, events, null);
  return selector;
}

/** Waits, and looks up the key of each ready descriptor, as a loop does. */
function wait(selector: LoopSelector<null>, expected: number): void {
  const count = selector.wait(0);
  if (count !== expected) throw new Error(`${count} of ${expected} are ready`);
  for (let i = 0; i < count; i++) selector.readyKey(i);
}

/** Microseconds of a wait that returns `ready` of `watched` descriptors. */
function wakeUp(name: SelectorName, watched: number, ready: number): number {
  using files = readyFiles(watched);
  const selector = watching(name, files.fds, EVENT_READ);
  files.raise(ready);
  const cost = nanosecondsPerCall((calls) => {
    for (let call = 0; call < calls; call++) wait(selector, ready);
  });
  selector.close();
  return cost / 1000;
}

const value = new ArrayBuffer(8);
const one = BigUint64Array.of(1n).buffer;

/** A function of its own, like `readOnce`, so that V8 compiles it as a whole. */
function makeReady(fd: number): void {
  libc().write(fd, one, 8);
}

function readOnce(fd: number): void {
  libc().read(fd, value, 8);
}

/** Microseconds for each descriptor that becomes ready, is reported, and is read. */
function service(habit: Habit, ready: number): number {
  using eventfds = new Eventfds(CROWD);
  const selector = watching("epoll", eventfds.fds, EVENT_READ | habit.modes);
  const active = eventfds.fds.slice(-ready);
  const cost = nanosecondsPerCall((calls) => {
    for (let call = 0; call < calls; call++) {
      for (let i = 0; i < ready; i++) makeReady(active[i]!);
      wait(selector, ready);
      for (let i = 0; i < ready; i++) readOnce(active[i]!);
      if (habit.reads === 1) continue;
      for (let i = 0; i < ready; i++) readOnce(active[i]!);
    }
  });
  selector.close();
  return cost / 1000 / ready;
}

/** Whether a selector, and this process, can hold so many descriptors. */
function fits(name: SelectorName, watched: number): boolean {
  if (name === "select" && watched > SELECT_LIMIT) return false;
  // Under Wine, a wait for 3,000 sockets would take half a second.
  if (Deno.build.os === "windows") return watched <= SELECT_LIMIT;
  return watched + 100 <= descriptorLimit();
}

function byWatched(): Study {
  const points: Point[] = [];
  for (const series of SELECTORS.filter(exists)) {
    for (const x of WATCHED.filter((x) => fits(series, x))) {
      progress(`${series}, 1 of ${x}`);
      points.push({ series, x, y: wakeUp(series, x, 1) });
    }
  }
  return {
    file: "wake_up_by_watched.svg",
    title: "A wake-up by one descriptor, by the number of watched ones",
    xTitle: "descriptors watched",
    yTitle: "µs for a wake-up",
    yScale: "log",
    points,
  };
}

function byReady(): Study {
  const points: Point[] = [];
  for (const series of SELECTORS.filter(exists)) {
    for (const x of READY) {
      progress(`${series}, ${x} of ${CROWD}`);
      points.push({ series, x, y: wakeUp(series, CROWD, x) / x });
    }
  }
  return {
    file: "wake_up_by_ready.svg",
    title: `A wake-up by several descriptors of ${CROWD}`,
    xTitle: "descriptors ready",
    yTitle: "µs for each of them",
    yScale: "log",
    points,
  };
}

function levelAndEdge(): Study {
  const points: Point[] = [];
  for (const habit of exists("epoll") ? HABITS : []) {
    for (const x of READY) {
      progress(`${habit.name}, ${x} of ${CROWD}`);
      points.push({ series: habit.name, x, y: service(habit, x) });
    }
  }
  return {
    file: "level_and_edge.svg",
    title: "epoll: level-triggered and edge-triggered",
    xTitle: "descriptors ready",
    yTitle: "µs for each of them",
    yScale: "linear",
    points,
  };
}

/** A row for each number on the x axis, and a column for each series. */
function tableOf({ title, xTitle, yTitle, points }: Study): Table {
  const series = [...new Set(points.map((point) => point.series))];
  const numbers = [...new Set(points.map(({ x }) => x))];
  const cell = (name: string, x: number): string => {
    const point = points.find((one) => one.series === name && one.x === x);
    return point === undefined ? "" : significant(point.y);
  };
  return {
    title: `${title} (${yTitle})`,
    circumstances: subtitle,
    headings: [xTitle, ...series],
    rows: numbers.map((x) => [
      x.toLocaleString("en"),
      ...series.map((name) => cell(name, x)),
    ]),
    notes: [],
  };
}

/** Three significant digits. */
function significant(value: number): string {
  return value < 100 ? value.toPrecision(3) : value.toFixed(0);
}

const { values: { markdown, points } } = parseArgs({
  options: {
    markdown: { type: "boolean", default: false },
    points: { type: "boolean", default: false },
  },
});
const IMAGES = new URL("../docs/img/", import.meta.url);
let subtitle = "";
if (points) console.log(JSON.stringify(byWatched().points));
else {
  subtitle = circumstances();
  const { draw } = await import("./chart.ts");
  await Deno.mkdir(IMAGES, { recursive: true });
  for (const study of [byWatched(), byReady(), levelAndEdge()]) {
    progress("");
    const svg = await draw({ ...study, subtitle });
    await Deno.writeTextFile(new URL(study.file, IMAGES), `${svg}\n`);
    if (markdown) {
      console.log(`![${study.title}](docs/img/${study.file})\n`);
    }
    print(tableOf(study), markdown);
  }
}
