/**
 * `stats()`, and the measuring of callbacks.
 */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import { bytesOf, drainSocket, nextTurn } from "../util.ts";
import { onAnyBackend, onEachBackend } from "./stage.ts";

/** Blocks the thread, as a slow callback does. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

onEachBackend("stats(): it counts turns and events", (stage) => {
  const { reactor } = stage;
  assertEquals(reactor.stats().readyPerWait, 0);
  for (let count = 0; count < 4; count++) {
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    reactor.register(right, EVENT_READ, () => drainSocket(right));
  }
  reactor.runOnce(1000);
  reactor.runOnce();
  const { turns, events, readyPerWait } = reactor.stats();
  assertEquals({ turns, events, readyPerWait }, {
    turns: 2,
    events: 4,
    readyPerWait: 2,
  });
});

onEachBackend(
  "stats(): it counts registrations, timers and queued bytes",
  (stage) => {
    const { reactor } = stage;
    const { connection } = stage.narrow();
    const data = new Uint8Array(1 << 20);
    connection.write(data);
    reactor.callLater(1000, () => {}).unref();
    using _ = reactor.callEvery(1000, () => {});
    const { registered, timers, bytesQueued } = reactor.stats();
    assertEquals([registered, timers], [1, 2]);
    assertEquals(bytesQueued, connection.bufferedAmount);
    assertGreaterOrEqual(bytesQueued, data.length / 2);
    connection.abort();
    assertEquals(reactor.stats().bytesQueued, 0);
    assertEquals(reactor.stats().registered, 0);
  },
);

onAnyBackend(
  "stats(): within the callback of a timer, the others that are due count as active",
  (stage) => {
    const { reactor } = stage;
    const counts: number[] = [];
    const count = (): void => void counts.push(reactor.stats().timers);
    reactor.callLater(1, count);
    const late = reactor.callLater(1, count);
    reactor.callLater(1, () => {
      count();
      late.cancel();
      cancelled.cancel();
      count();
    });
    const cancelled = reactor.callLater(1, count);
    using interval = reactor.callEvery(1, count);
    block(3);
    reactor.runOnce();
    assertEquals(counts, [4, 3, 2, 2 - 1, 1]);
    interval.cancel();
    assertEquals(reactor.stats().timers, 0);
  },
);

onEachBackend(
  "stats(): internal registrations are not counted",
  async (stage) => {
    const { reactor } = stage;
    reactor.wake();
    assertEquals(reactor.stats().registered, 0);
    reactor.callLater(5, () => {
      assertEquals(reactor.stats().registered, 0);
      reactor.stop();
    });
    await reactor.serve();
    assertEquals(reactor.stats().registered, 0);
  },
);

onEachBackend("stats(): a wake-up is no event", (stage) => {
  const { reactor } = stage;
  reactor.wake();
  reactor.runOnce(1000);
  assertEquals(reactor.stats().events, 0);
});

onAnyBackend("stats(): callbacks are not measured by default", (stage) => {
  const { reactor } = stage;
  reactor.callSoon(() => block(2));
  reactor.run();
  const { callbackTime, longestCallback } = reactor.stats();
  assertEquals([callbackTime, longestCallback], [0, 0]);
});

onEachBackend(
  "statistics: with diagnose(), callbacks of all kinds are measured",
  async (stage) => {
    const { reactor } = stage;
    await reactor.diagnose();
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    reactor.register(right, EVENT_READ, () => {
      block(3);
      reactor.unregister(right);
    });
    reactor.callLater(0, () => block(5));
    reactor.callSoon(() => block(1));
    reactor.run();
    const { callbackTime, longestCallback } = reactor.stats();
    assertGreaterOrEqual(callbackTime, 9);
    assertGreaterOrEqual(longestCallback, 5);
    assertGreaterOrEqual(callbackTime, longestCallback);
  },
);

onAnyBackend(
  "stats(): after serve() and close() nothing is registered",
  async (stage) => {
    const reactor = stage.make();
    const served = reactor.serve();
    const [left] = stage.pair();
    reactor.register(left, EVENT_READ, () => {});
    await nextTurn();
    assertEquals(reactor.stats().registered, 1);
    reactor.close();
    assertEquals(reactor.stats().registered >= 0, true);
    await served;
    assertEquals(reactor.stats().registered, 0);
  },
);
