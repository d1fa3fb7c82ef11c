/**
 * Timers: never early, in order, and without cost after a cancel.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertThrows,
} from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import type { Timer } from "../../reactor/mod.ts";
import { bytesOf, cpuTime, elapsed, PATIENCE } from "../util.ts";
import { Log, onAnyBackend, onEachBackend, type Stage } from "./stage.ts";

/** Factor by which a machine that runs other tests may be late. */
const GENEROUS = 2000;

/** Records all later timeouts of the selector. */
function spyOnWaits(stage: Stage): number[] {
  const { selector } = stage.reactor;
  const waits: number[] = [];
  const wait = selector.wait.bind(selector);
  selector.wait = (timeout) => {
    waits.push(timeout);
    return wait(timeout);
  };
  return waits;
}

/** Blocks the thread, as a slow callback does. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

onEachBackend(
  "callLater(), callEvery(): ten timers are called once, and an interval five times [H01]",
  (stage) => {
    const { reactor } = stage;
    const called: number[] = [];
    const start = performance.now();
    for (let index = 1; index <= 10; index++) {
      reactor.callLater(index * 10, () => called.push(index));
    }
    let repeats = 0;
    const timer = reactor.callEvery(20, () => {
      if (++repeats === 5) timer.cancel();
    });
    reactor.run();
    const took = performance.now() - start;
    assertEquals(called, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assertEquals(repeats, 5);
    assertGreaterOrEqual(took, 100);
    assertLess(took, GENEROUS);
  },
);

onEachBackend(
  "callLater(): timers with equal deadlines are called in the order of their creation [H02]",
  (stage) => {
    const { reactor } = stage;
    const { now } = performance;
    stage.defer(() => {
      performance.now = now;
    });
    const start = now.call(performance);
    const log = new Log();
    performance.now = () => start;
    for (const name of ["a", "b", "c", "d"]) {
      reactor.callLater(5, log.note(name));
    }
    // Two ways to one deadline.
    performance.now = () => start + 3;
    reactor.callLater(2, log.note("e"));
    performance.now = now;
    reactor.run();
    assertEquals(log.lines, ["a", "b", "c", "d", "e"]);
  },
);

onEachBackend(
  "callLater(): no timer is early by the monotonic clock [H03]",
  (stage) => {
    const { reactor } = stage;
    const early: number[] = [];
    for (const delay of [0.01, 0.1, 0.5, 1, 1.5, 2.2, 3.1, 7, 7.9, 12.3]) {
      const due = performance.now() + delay;
      reactor.callLater(delay, () => {
        const left = due - performance.now();
        if (left > 0) early.push(left);
      });
    }
    reactor.run();
    assertEquals(early, []);
  },
);

onEachBackend(
  "callLater(): a timer without a delay is called once, in the next turn [H04]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    reactor.callLater(0, () => calls++);
    assertEquals(calls, 0);
    reactor.runOnce();
    assertEquals(calls, 1);
    stage.turns();
    assertEquals(calls, 1);
  },
);

onEachBackend(
  "callLater(): timers that start each other starve neither I/O nor stop() [H04] [H19]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    let calls = 0;
    const again = (): void => {
      calls++;
      reactor.callLater(0, again);
    };
    for (let index = 0; index < 3; index++) reactor.callLater(0, again);
    reactor.register(right, EVENT_READ, () => reactor.stop());
    left.send(bytesOf("x"));
    reactor.run();
    assertLess(calls, 10);
  },
);

onEachBackend(
  "callLater(): I/O without end does not starve timers [H19]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    // It is never read: it is ready in every turn.
    reactor.register(right, EVENT_READ, () => {});
    reactor.callLater(10, () => reactor.stop());
    assertLess(elapsed(() => reactor.run()), GENEROUS);
  },
);

onAnyBackend(
  "callLater(): timers beyond the limit of a turn are called in later turns",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    const order: string[] = [];
    for (let index = 0; index < 3000; index++) {
      reactor.callLater(0, () => order.push("timer"));
    }
    reactor.register(right, EVENT_READ, () => order.push("read"));
    const timer = reactor.callLater(1, () => reactor.stop());
    reactor.run();
    assert(!timer.active);
    assertEquals(order.filter((name) => name === "timer").length, 3000);
    assertGreaterOrEqual(order.filter((name) => name === "read").length, 3);
  },
);

onAnyBackend(
  "callLater(): a negative delay is due at once, in the order of deadlines [H05]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    reactor.callLater(1, log.note("later"));
    reactor.callLater(-5, log.note("negative"));
    reactor.callLater(-Infinity, log.note("most negative"));
    reactor.run();
    assertEquals(log.lines, ["negative", "most negative", "later"]);
  },
);

onEachBackend(
  "Timer.cancel(): a cancelled timer is not called, and does not keep run() going [H06]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const timers = [
      reactor.callLater(60_000, log.note("once")),
      reactor.callEvery(60_000, log.note("again")),
      reactor.callLater(0, log.note("at once")),
    ];
    for (const timer of timers) timer.cancel();
    assertLess(elapsed(() => reactor.run()), GENEROUS);
    assertEquals(log.lines, []);
    assertEquals(reactor.stats().timers, 0);
  },
);

onAnyBackend(
  "Timer: `using` cancels it at the end of the scope [H06]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    {
      using _ = reactor.callLater(0, log.note("timer"));
    }
    reactor.run();
    assertEquals(log.lines, []);
  },
);

onAnyBackend(
  "Timer.cancel(): it is possible in the callback, after it, and twice [H07]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    const once: Timer = reactor.callLater(0, () => {
      calls++;
      assert(!once.active);
      once.cancel();
    });
    const repeated: Timer = reactor.callEvery(1, () => {
      calls++;
      assert(repeated.active);
      repeated.cancel();
      repeated.cancel();
    });
    reactor.run();
    once.cancel();
    repeated.cancel();
    assertEquals(calls, 2);
    assertEquals(reactor.stats().timers, 0);
    reactor.run();
  },
);

onAnyBackend(
  "Timer.cancel(): a callback may cancel a timer that is due in the same turn [H08]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const timers: Timer[] = [];
    const cancelOthers = (own: number) => (): void => {
      log.lines.push(`timer ${own}`);
      timers.forEach((timer, index) => index !== own && timer.cancel());
    };
    timers.push(reactor.callLater(0, cancelOthers(0)));
    timers.push(reactor.callLater(0, cancelOthers(1)));
    timers.push(reactor.callEvery(0.001, cancelOthers(2)));
    block(1);
    reactor.run();
    assertEquals(log.lines, ["timer 0"]);
    assertEquals(reactor.stats().timers, 0);
  },
);

onAnyBackend(
  "callLater(): in a timer it waits for the next turn, even without a delay [H09]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    reactor.callLater(0, () => {
      log.lines.push("first");
      reactor.callLater(0, log.note("second"));
      block(2);
    });
    reactor.runOnce();
    assertEquals(log.lines, ["first"]);
    reactor.runOnce();
    assertEquals(log.lines, ["first", "second"]);
  },
);

onAnyBackend(
  "callEvery(): an interval that is late by several periods is called once [H10]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    using _ = reactor.callEvery(5, () => calls++);
    block(18);
    reactor.runOnce();
    reactor.runOnce();
    assertLess(calls, 3);
    assertGreaterOrEqual(calls, 1);
  },
);

onAnyBackend("callEvery(): calls do not drift", (stage) => {
  const { reactor } = stage;
  const times: number[] = [];
  const start = performance.now();
  const timer = reactor.callEvery(10, () => {
    times.push(performance.now() - start);
    block(3);
    if (times.length === 5) timer.cancel();
  });
  reactor.run();
  // Each call is due at a multiple of 10 from the start: the 3 ms do not add up.
  for (const time of times) assertGreaterOrEqual(time, 10);
  const periods = times.map((time) => Math.floor(time / 10));
  assertEquals(new Set(periods).size, 5);
});

onEachBackend(
  "callEvery(): an interval below the resolution of the clock is called, and can be cancelled",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    const timer = reactor.callEvery(Number.MIN_VALUE, () => {
      if (++calls === 20) timer.cancel();
    });
    const enough = reactor.callLater(PATIENCE, () => reactor.stop());
    while (calls < 20 && enough.active) reactor.runOnce();
    enough.cancel();
    assertEquals(calls, 20);
    assertEquals(reactor.stats().timers, 0);
  },
);

onEachBackend(
  "callLater(): an infinite delay is never called, and harms no other timer [H13]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const endless = [2 ** 31, 2 ** 48, 2 ** 64, 2 ** 128, Infinity].map(
      (delay) => reactor.callLater(delay, log.note(String(delay))),
    );
    endless.push(reactor.callEvery(Infinity, log.note("every")));
    endless.push(reactor.callEvery(2 ** 64, log.note("every")));
    assertEquals(reactor.stats().timers, 7);
    reactor.callLater(5, () => {
      log.lines.push("soon");
      for (const timer of endless) {
        assert(timer.active);
        timer.cancel();
      }
    });
    reactor.run();
    assertEquals(log.lines, ["soon"]);
    assertEquals(reactor.stats().timers, 0);
  },
);

onAnyBackend(
  "callLater(), callEvery(): a delay that is not a number is refused",
  (stage) => {
    const { reactor } = stage;
    assertThrows(() => reactor.callLater(NaN, () => {}), TypeError);
    assertThrows(() => reactor.callLater("5" as never, () => {}), TypeError);
    assertThrows(() => reactor.callEvery(0, () => {}), RangeError);
    assertThrows(() => reactor.callEvery(-1, () => {}), RangeError);
    assertThrows(() => reactor.callEvery(NaN, () => {}), RangeError);
    assertEquals(reactor.stats().timers, 0);
  },
);

onEachBackend(
  "run(): a wait ends at the earliest deadline of an active timer [H14]",
  (stage) => {
    const { reactor } = stage;
    const waits = spyOnWaits(stage);
    const earliest = reactor.callLater(1, () => {});
    reactor.callLater(400, () => {});
    reactor.callLater(5000, () => {}).cancel();
    earliest.cancel();
    block(10);
    const later = reactor.callLater(20, () => {
      reactor.stop();
    });
    reactor.run();
    assert(!later.active);
    for (const wait of waits) assertLess(wait, 20.1);
    assertGreaterOrEqual(Math.max(...waits), 1);
  },
);

onEachBackend("run(): without a timer a wait has no timeout [H14]", (stage) => {
  const { reactor } = stage;
  const [left, right] = stage.pair();
  const waits = spyOnWaits(stage);
  reactor.register(right, EVENT_READ, () => reactor.stop());
  left.send(bytesOf("x"));
  reactor.run();
  assertEquals(waits, [Infinity]);
});

onEachBackend(
  "callSoon(): with a queued function the loop does not wait [H14]",
  (stage) => {
    const { reactor } = stage;
    const waits = spyOnWaits(stage);
    reactor.callLater(5000, () => {}).unref();
    reactor.callSoon(() => {});
    reactor.run();
    assertEquals(waits, [0]);
  },
);

onAnyBackend(
  "Timer.cancel(): a timer is replaced by cancelling it and creating another [H11]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    let timer = reactor.callLater(86_400_000, log.note("in a day"));
    timer.cancel();
    const took = elapsed(() => {
      timer = reactor.callLater(10, log.note("in a moment"));
      reactor.run();
    });
    assertEquals([log.lines, timer.active], [["in a moment"], false]);
    assertGreaterOrEqual(took, 9.9);
    assertLess(took, GENEROUS);
  },
);

onAnyBackend(
  "Timer.cancel(): a timer that is replaced repeatedly before it is due is called in the end [H12]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const start = performance.now();
    let timer = reactor.callLater(20, log.note("put off"));
    let times = 0;
    // The replaced deadline is always the earlier one, however late the loop is.
    const putOff = reactor.callEvery(2, () => {
      assertEquals(log.lines, []);
      timer.cancel();
      timer = reactor.callLater(20, log.note("put off"));
      if (++times === 20) putOff.cancel();
    });
    reactor.run();
    assertEquals(log.lines, ["put off"]);
    assertGreaterOrEqual(performance.now() - start, 59.9);
  },
);

onAnyBackend(
  "Timer: one that is over does not restart, and a closed reactor creates none [H17]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const called = reactor.callLater(0, log.note("called"));
    const calledOff = reactor.callEvery(1, log.note("called off"));
    calledOff.cancel();
    reactor.run();
    for (const timer of [called, calledOff]) {
      timer.ref().unref().ref().cancel();
      assertEquals([timer.active, timer.deadline], [false, Infinity]);
    }
    reactor.run();
    assertEquals([log.lines, reactor.stats().timers], [["called"], 0]);
    reactor.close();
    const begin = (): unknown => reactor.callLater(0, log.note("closed"));
    assertThrows(begin, Deno.errors.BadResource, "Reactor is closed");
  },
);

onAnyBackend(
  "Timer.cancel(): of 100,000 timers, the cancelled ones are not called, and all others are [P05]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    const took = cpuTime(() => {
      const timers = Array.from(
        { length: 120_000 },
        (_, index) => reactor.callLater(index * 48_271 % 50, () => calls++),
      );
      timers.forEach((timer, index) => index % 100 === 0 || timer.cancel());
      assertEquals(reactor.stats().timers, 1200);
      reactor.run();
    });
    assertEquals(calls, 1200);
    assertLess(took, GENEROUS);
  },
);

onAnyBackend(
  "Timer.cancel(): masses of cancelled timers hold no memory, and all others are called [H15] [H16]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    for (let round = 0; round < 10; round++) {
      const timers = Array.from(
        { length: 20_000 },
        (_, index) => reactor.callLater(index % 7, () => calls++),
      );
      timers.forEach((timer, index) => index % 100 === 0 || timer.cancel());
    }
    assertEquals(reactor.stats().timers, 2000);
    reactor.run();
    assertEquals(calls, 2000);
    assertEquals(reactor.stats().timers, 0);
  },
);

onAnyBackend(
  "callLater(): 100,000 timers are called in the order of their deadlines [H16]",
  (stage) => {
    const { reactor } = stage;
    let last = 0;
    let calls = 0;
    let mixed = 1;
    for (let index = 0; index < 100_000; index++) {
      mixed = Math.imul(mixed, 48271) >>> 0;
      const delay = mixed % 100 / 10;
      const timer = reactor.callLater(delay, () => {
        calls++;
        assertGreaterOrEqual(due, last);
        last = due;
      });
      const due = timer.deadline;
    }
    reactor.run();
    assertEquals(calls, 100_000);
  },
);

onEachBackend(
  "Timer.unref(): an unreferenced timer does not keep run() going [H18]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const timer = reactor.callLater(10_000, log.note("timer")).unref();
    assertLess(elapsed(() => reactor.run()), GENEROUS);
    timer.ref().unref().unref();
    reactor.run();
    timer.ref();
    reactor.callLater(0, () => timer.cancel());
    reactor.run();
    assertEquals(log.lines, []);
  },
);

onAnyBackend(
  "Timer.unref(): an unreferenced timer is called while another keeps run() going [H18]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    reactor.callLater(1, log.note("unreferenced")).unref();
    reactor.callLater(5, log.note("referenced"));
    reactor.run();
    assertEquals(log.lines, ["unreferenced", "referenced"]);
  },
);

onAnyBackend(
  "callLater(): setting the time of day does not affect timers",
  (stage) => {
    const { reactor } = stage;
    const { now } = Date;
    stage.defer(() => {
      Date.now = now;
    });
    const log = new Log();
    reactor.callLater(10, log.note("before"));
    Date.now = () => now() - 86_400_000;
    reactor.callLater(5, () => {
      log.lines.push("set back");
      Date.now = () => now() + 86_400_000;
    });
    const took = elapsed(() => {
      reactor.callLater(20, log.note("set ahead"));
      reactor.run();
    });
    assertEquals(log.lines, ["set back", "before", "set ahead"]);
    assertGreaterOrEqual(took, 19.9);
    assertLess(took, GENEROUS);
  },
);
