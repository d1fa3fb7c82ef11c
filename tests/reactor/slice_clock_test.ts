/**
 * The clock of a slice: when a slice with a pause ends.
 */

import { assertEquals } from "@std/assert";
import { EVENT_READ, PollSelector } from "../../backends/mod.ts";
import { now } from "../../reactor/clock.ts";
import {
  createSliceClock,
  type SliceClock,
} from "../../reactor/sharing/slice_clock.ts";
import { ONLY_LINUX, PATIENCE, test } from "../util.ts";

/** The length of a slice with a pause, in milliseconds: no test waits so long. */
const CALM = 10_000;

/** How long after its start an event may end a slice, in milliseconds. */
const EARLIEST = 20;

/** Begins a slice, and finds its first pause. */
function pausing(clock: SliceClock, lead: number): number {
  const start = now();
  clock.start(start, 0.4, CALM, lead);
  assertEquals(clock.over(0), false);
  assertEquals(clock.sleeps, true);
  return start;
}

function spinUntil(time: number): void {
  while (now() < time);
}

function withClock(run: (clock: SliceClock) => void): void {
  const clock = createSliceClock({
    watch(): void {},
    unwatch(): void {},
  });
  try {
    run(clock);
  } finally {
    clock.close();
  }
}

test(
  "a slice with rare events ends at an event near its end",
  () =>
    withClock((clock) => {
      const start = pausing(clock, CALM - EARLIEST);
      spinUntil(start + EARLIEST);
      assertEquals(clock.over(1), true);
    }),
  ONLY_LINUX,
);

test(
  "a slice with rare events goes on after an earlier event",
  () =>
    withClock((clock) => {
      pausing(clock, 1);
      assertEquals(clock.over(1), false);
    }),
  ONLY_LINUX,
);

test(
  "a slice with many events takes all of its time",
  () =>
    withClock((clock) => {
      const start = pausing(clock, 0);
      spinUntil(start + EARLIEST);
      assertEquals(clock.over(1), false);
      assertEquals(clock.over(64), false);
    }),
  ONLY_LINUX,
);

test(
  "a wait before the first slice ends at its deadline",
  () => {
    using selector = new PollSelector<string>();
    const clock = createSliceClock({
      watch: (watched) => void selector.register(watched, EVENT_READ, "clock"),
      unwatch: (watched) => void selector.unregister(watched),
    });
    try {
      assertEquals(clock.wakeAfter(1), true);
      assertEquals(selector.select(PATIENCE).length, 1);
    } finally {
      clock.close();
    }
  },
  ONLY_LINUX,
);
