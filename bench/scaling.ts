/**
 * What the article says of select, poll, epoll and kqueue, measured: the cost
 * of a wake-up by the number of descriptors that are watched, and by the number
 * of those that are ready; and what edge-triggering saves, or does not. Drawn as
 * SVG into `docs/img/`.
 *
 *     deno task bench:scaling [--markdown]
 *
 * @module
 */

import { parseArgs } from "node:util";
import {
  createSelector,
  type SelectorName,
} from "../backends/default_selector.ts";
import { KqueueSelector } from "../backends/kqueue_selector.ts";
import { libc } from "../backends/ffi/libc.ts";
import {
  EVENT_READ,
  type LoopSelector,
  MODE_EDGE,
} from "../backends/selector.ts";
import { draw, type Point } from "./chart.ts";
import { circumstances } from "./circumstances.ts";
import { Eventfds } from "./eventfds.ts";
import { descriptorLimit } from "./proc.ts";
import { asMarkdown, asText, type Table } from "./report.ts";
import { nanosecondsPerCall } from "./timing.ts";

/** How many descriptors are watched while one of them is ready. */
const WATCHED = [10, 30, 100, 300, 900, 3000, 10_000, 15_000];
/** How many are ready while `CROWD` are watched. */
const READY = [1, 3, 10, 30, 100, 300, 900];
const CROWD = 900;
/** The sets of select end at 1,024, and some numbers are taken. */
const SELECT_LIMIT = 1000;

const SELECTORS: readonly SelectorName[] = [
  "select",
  "poll",
  "epoll",
  "kqueue",
];

/** What is done about each ready descriptor. */
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

/** Where kqueue is to be found on a system that has none of its own. */
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

/** Waits, and finds the key of each that is ready, as a loop would. */
function look(selector: LoopSelector<null>, expected: number): void {
  const count = selector.wait(0);
  if (count !== expected) throw new Error(`${count} of ${expected} are ready`);
  for (let i = 0; i < count; i++) selector.readyKey(i);
}

/** Microseconds of a wait that finds `ready` of `watched` descriptors. */
function wakeUp(name: SelectorName, watched: number, ready: number): number {
  using eventfds = new Eventfds(watched);
  const selector = watching(name, eventfds.fds, EVENT_READ);
  eventfds.raise(ready);
  const cost = nanosecondsPerCall((calls) => {
    for (let call = 0; call < calls; call++) look(selector, ready);
  });
  selector.close();
  return cost / 1000;
}

const value = new ArrayBuffer(8);
const one = BigUint64Array.of(1n).buffer;

/** What happens to each ready descriptor: functions of their own, which V8 compiles as a whole. */
function makeReady(fd: number): void {
  libc().write(fd, one, 8);
}

function readOnce(fd: number): void {
  libc().read(fd, value, 8);
}

/** Microseconds for each descriptor that becomes ready, is found, and is read. */
function service(habit: Habit, ready: number): number {
  using eventfds = new Eventfds(CROWD);
  const selector = watching("epoll", eventfds.fds, EVENT_READ | habit.modes);
  const active = eventfds.fds.slice(-ready);
  const cost = nanosecondsPerCall((calls) => {
    for (let call = 0; call < calls; call++) {
      for (let i = 0; i < ready; i++) makeReady(active[i]!);
      look(selector, ready);
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
    title: "A wake-up by one descriptor, among more and more",
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
    title: `More and more descriptors ready at once, of ${CROWD}`,
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
    title: "epoll: level- and edge-triggered, made ready and read",
    xTitle: "descriptors ready",
    yTitle: "µs for each of them",
    yScale: "linear",
    points,
  };
}

/** A line for each number on the x axis, a column for each series. */
function asTable({ title, xTitle, yTitle, points }: Study): Table {
  const series = [...new Set(points.map((point) => point.series))];
  const numbers = [...new Set(points.map(({ x }) => x))];
  const cell = (name: string, x: number): string => {
    const point = points.find((one) => one.series === name && one.x === x);
    return point === undefined ? "" : significant(point.y);
  };
  return {
    title: `${title} (${yTitle})`,
    headings: [xTitle, ...series],
    rows: numbers.map((x) => [
      x.toLocaleString("en"),
      ...series.map((name) => cell(name, x)),
    ]),
    notes: [],
  };
}

/** Three digits that mean something. */
function significant(value: number): string {
  return value < 100 ? value.toPrecision(3) : value.toFixed(0);
}

function progress(step: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${step}`));
}

const { values } = parseArgs({
  options: { markdown: { type: "boolean", default: false } },
});
const IMAGES = new URL("../docs/img/", import.meta.url);
const subtitle = circumstances();
console.log(`${subtitle}\n`);
await Deno.mkdir(IMAGES, { recursive: true });
for (const study of [byWatched(), byReady(), levelAndEdge()]) {
  progress("");
  const svg = await draw({ ...study, subtitle });
  await Deno.writeTextFile(new URL(study.file, IMAGES), `${svg}\n`);
  if (values.markdown) {
    console.log(`![${study.title}](docs/img/${study.file})\n`);
  }
  console.log(
    `${(values.markdown ? asMarkdown : asText)(asTable(study))}\n`,
  );
}
