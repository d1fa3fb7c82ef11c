/**
 * Linux's counters and timers that are descriptors.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import {
  EventFd,
  TimerFd,
  type TimerFdClock,
} from "../../../backends/ffi/calls.ts";
import { EVENT_READ, EVENT_WRITE, PollSelector } from "../../../mod.ts";
import { isCloseOnExec } from "../../descriptors.ts";
import { ONLY_LINUX, runDeno, test } from "../../util.ts";
import { reason, withCompiled } from "./c_compiler.ts";

test("EventFd: a read takes the sum of all writes", () => {
  using counter = new EventFd({ initial: 2 });
  assert(counter.write() && counter.write(3) && counter.write(2n ** 40n));
  assertEquals(counter.read(), 2n ** 40n + 6n);
  assertEquals(counter.read(), null);
  assert(isCloseOnExec(counter.fd));
}, ONLY_LINUX);

test("EventFd: a read of a semaphore takes 1", () => {
  using counter = new EventFd({ initial: 2, semaphore: true });
  assertEquals([counter.read(), counter.read(), counter.read()], [
    1n,
    1n,
    null,
  ]);
}, ONLY_LINUX);

test("EventFd: a full counter is not writable, and write() is false", () => {
  using counter = new EventFd();
  using selector = new PollSelector();
  assert(counter.write(2n ** 64n - 2n));
  assertEquals(counter.write(1), false);
  selector.register(counter, EVENT_READ | EVENT_WRITE, null);
  assertEquals(selector.select(0)[0]![1], EVENT_READ);
  counter.read();
  assertEquals(selector.select(0)[0]![1], EVENT_WRITE);
}, ONLY_LINUX);

test(
  "EventFd: wrong values and options are refused, and a closed counter",
  () => {
    using counter = new EventFd();
    for (const value of [-1, -1n, 2n ** 64n - 1n, NaN, 1.5, "2", true, null]) {
      const wrong = value as number;
      assertThrows(() => counter.write(wrong), RangeError, `add ${value}`);
    }
    assertEquals(counter.read(), null);
    assertThrows(() => new EventFd({ initial: -1 }), RangeError, "-1");
    const options = { semaphor: true } as object;
    assertThrows(() => new EventFd(options), TypeError, "semaphor");
    counter.close();
    assertThrows(() => counter.read(), Deno.errors.BadResource);
    assertEquals(counter.fd, -1);
  },
  ONLY_LINUX,
);

test("TimerFd: it is ready once its time is over, not earlier", () => {
  using timer = new TimerFd();
  using selector = new PollSelector();
  selector.register(timer, EVENT_READ, null);
  const start = performance.now();
  timer.set(20);
  assertEquals(timer.read(), null);
  selector.select();
  assert(performance.now() - start >= 20);
  assertEquals(timer.read(), { expirations: 1, clockWasSet: false });
  assertEquals(timer.read(), null);
}, ONLY_LINUX);

test(
  "TimerFd: an interval expires again and again, until it is disarmed",
  () => {
    using timer = new TimerFd("boottime");
    using selector = new PollSelector();
    selector.register(timer, EVENT_READ, null);
    timer.set(1, 1);
    let count = 0;
    while (count < 3) {
      selector.select();
      count += timer.read()!.expirations;
    }
    timer.set(0);
    assertEquals(selector.select(5), []);
  },
  ONLY_LINUX,
);

test("TimerFd: a time of day expires then, one in the past at once", () => {
  using timer = new TimerFd("realtime");
  using selector = new PollSelector();
  selector.register(timer, EVENT_READ, null);
  const end = Date.now() + 20;
  timer.setAt(new Date(end), { cancelOnSet: true });
  selector.select();
  assert(Date.now() >= end);
  assertEquals(timer.read(), { expirations: 1, clockWasSet: false });
  timer.setAt(1);
  selector.select();
  assertEquals(timer.read()?.expirations, 1);
}, ONLY_LINUX);

test("TimerFd: wrong times and clocks are refused, and a closed timer", () => {
  const timer = new TimerFd();
  for (const wrong of [-1, NaN, Infinity, "5", true, null, [5]]) {
    const time = wrong as number;
    assertThrows(() => timer.set(time), RangeError, String(time));
    assertThrows(() => timer.set(1, time), RangeError, String(time));
    assertThrows(() => timer.setAt(time), RangeError, String(time));
  }
  for (const clock of ["sundial", "constructor", ["monotonic"]]) {
    assertThrows(() => new TimerFd(clock as TimerFdClock), TypeError, "clock");
  }
  const options = { cancelOnSet: true };
  assertThrows(() => timer.setAt(1, options), TypeError, "monotonic");
  assertThrows(
    () => timer.setAt(1, { every: 1 } as object),
    TypeError,
    "every",
  );
  timer.close();
  timer.close();
  assertThrows(() => timer.set(1), Deno.errors.BadResource);
  assertThrows(() => timer.read(), Deno.errors.BadResource);
}, ONLY_LINUX);

test("EventFd, TimerFd: a system without them is named", () => {
  for (const make of [() => new EventFd(), () => new TimerFd()]) {
    assertThrows(make, Deno.errors.NotSupported, system().name);
  }
}, {
  ignore: system().os === "linux",
  reason: "this system has eventfd(2)",
});

/** Prints the flags of timerfd_settime, and fails each read with ECANCELED. */
const CLOCK_IS_SET = `
  #include <errno.h>
  #include <stdio.h>
  #include <sys/timerfd.h>
  int timerfd_settime(int fd, int flags, const struct itimerspec *n, struct itimerspec *o) {
    printf("%d\\n", flags == (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET));
    fflush(stdout);
    return 0;
  }
  int read(int fd, void *buffer, unsigned int count) {
    errno = ECANCELED;
    return -1;
  }`;

Deno.test({
  name: `TimerFd: with cancelOnSet a set clock is reported${reason}`,
  ignore: reason !== "",
  fn: () =>
    withCompiled(CLOCK_IS_SET, ["-shared", "-fPIC"], async (library) => {
      const { stdout, stderr } = await runDeno(
        `import { TimerFd } from "POLLUX/backends/ffi/calls.ts";
         const { dlopen } = Deno;
         Deno.dlopen = (path, symbols) => {
           const replaced = "timerfd_settime" in symbols || "read" in symbols;
           return dlopen(replaced ? ${JSON.stringify(library)} : path, symbols);
         };
         const timer = new TimerFd("realtime");
         timer.setAt(Date.now() + 1e6, { cancelOnSet: true });
         console.log(timer.read());`,
        ["--allow-ffi"],
      );
      assertEquals(
        stdout,
        "1\n{ expirations: 0, clockWasSet: true }\n",
        stderr,
      );
    }),
});
