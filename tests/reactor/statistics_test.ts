/**
 * What a reactor tells of itself.
 */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import type { SlowCallback } from "../../reactor/mod.ts";
import { bytesOf, drainSocket, nextTurn } from "../util.ts";
import { onAnyBackend, onEachBackend } from "./stage.ts";

/** Holds the thread up, as a slow callback does. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

onEachBackend("stats() counts turns and events", (stage) => {
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
  "stats() counts what is registered, timed and queued",
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

onEachBackend(
  "what the reactor has for itself is not counted as registered",
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

onAnyBackend("nothing is measured unless it was asked for", (stage) => {
  const { reactor } = stage;
  reactor.callSoon(() => block(2));
  reactor.run();
  const { callbackTime, longestCallback } = reactor.stats();
  assertEquals([callbackTime, longestCallback], [0, 0]);
});

onEachBackend("the time of callbacks is taken, of whatever kind", (stage) => {
  const reactor = stage.make({ measure: true });
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
});

onEachBackend("a slow callback is told with its name", (stage) => {
  const slow: SlowCallback[] = [];
  const reactor = stage.make({
    measure: { slow: 5, onSlow: (callback) => slow.push(callback) },
  });
  const [left, right] = stage.pair();
  left.send(bytesOf("x"));
  reactor.register(right, EVENT_READ, function lazyReader(): void {
    block(6);
    reactor.unregister(right);
  });
  reactor.callSoon(function lazyFunction(): never {
    block(6);
    throw new Error("thrown");
  });
  reactor.callSoon(() => block(6));
  reactor.callSoon(() => {});
  reactor.callLater(0, () => block(6));
  reactor.run();
  assertEquals(slow.map(({ name }) => name).sort(), [
    "(anonymous)",
    "lazyFunction",
    "lazyReader",
    "timer",
  ]);
  for (const { milliseconds } of slow) {
    assertGreaterOrEqual(milliseconds, 5);
    assertLess(milliseconds, 5000);
  }
  assertEquals(stage.takeErrors(), ["thrown"]);
});

onAnyBackend(
  "stats() of a reactor that has served and was closed has nothing registered",
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
