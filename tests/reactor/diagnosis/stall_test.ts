/** Stalls: callbacks that hold up the loop. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
} from "@std/assert";
import { EVENT_READ } from "../../../backends/mod.ts";
import { stackOf } from "../../../reactor/diagnosis/stack_sampler.ts";
import type {
  Diagnosis,
  DiagnosisOptions,
  Stall,
} from "../../../reactor/mod.ts";
import { bytesOf, eventually } from "../../util.ts";
import { onAnyBackend, onEachBackend, type Stage } from "../stage.ts";

/** Blocks the thread, as a slow callback does. */
function block(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Switches diagnosis on, and collects the stalls. */
async function stallsOf(
  stage: Stage,
  options: DiagnosisOptions = {},
): Promise<Stall[]> {
  const stalls: Stall[] = [];
  await stage.reactor.diagnose({
    stallThreshold: 5,
    ...options,
    onDiagnosis: (diagnosis: Diagnosis) => {
      if (diagnosis.kind === "stall") stalls.push(diagnosis);
    },
  });
  return stalls;
}

/** Asserts that callbacks were reported. On a busy machine others are slow, too. */
function assertNamed(stalls: readonly Stall[], names: readonly string[]): void {
  const found = stalls.map(({ callback }) => callback);
  assertEquals(names.filter((name) => !found.includes(name)), [], `${found}`);
}

onEachBackend(
  "stall: slow callbacks of all kinds are reported with their names",
  async (stage) => {
    const stalls = await stallsOf(stage);
    const { reactor } = stage;
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
    reactor.callLater(0, function lazyTimer(): void {
      block(6);
    });
    const { fd } = right;
    reactor.run();
    assertNamed(stalls, [
      "(anonymous)",
      "lazyFunction",
      "lazyReader",
      "lazyTimer",
    ]);
    const byEvent = stalls.filter(({ callback }) => callback === "lazyReader");
    assertEquals(byEvent.map((stall) => stall.fd), [fd]);
    for (const { milliseconds, stack } of stalls) {
      assertGreaterOrEqual(milliseconds, 5);
      assertLess(milliseconds, 5000);
      assertEquals(stack, null);
    }
    assertEquals(stage.takeErrors(), ["thrown"]);
  },
);

onAnyBackend(
  "stall: that of a connection has the name of its onData",
  async (stage) => {
    const stalls = await stallsOf(stage);
    const { connection, peer } = stage.connection();
    connection.onData = function compress(): void {
      block(6);
      connection.close();
    };
    peer.send("x");
    stage.until(() => connection.closed, "the end");
    assertNamed(stalls, ["compress"]);
  },
);

onAnyBackend(
  "stall: a callback of a connection without a name has that of its property",
  async (stage) => {
    const stalls = await stallsOf(stage);
    const acceptor = stage.listen((connection) => connection.end("x"));
    const client = stage.reactor.connect(acceptor.address, () => block(6));
    client.onData = () => block(6);
    client.onClose = () => block(6);
    let closed = false;
    stage.reactor.callEvery(5, () => closed = client.closed);
    stage.until(() => closed, "the end");
    stage.turns();
    assertNamed(stalls, ["onConnect", "onData", "onClose"]);
  },
);

onAnyBackend(
  "stall: callbacks of the loop, as onClose, have the names of the program's functions",
  async (stage) => {
    const stalls = await stallsOf(stage);
    const { reactor } = stage;
    const acceptor = stage.listen((connection) => connection.end("x"));
    acceptor.onClose = function forgetListener(): void {
      block(6);
    };
    let ends = 0;
    const client = reactor.connect(
      acceptor.address,
      function greet(): void {
        block(6);
      },
    );
    client.onData = () => {};
    client.onClose = function reconnect(): void {
      block(6);
      acceptor.close();
      ends++;
    };
    const datagram = reactor.datagram();
    datagram.onClose = function forgetSocket(): void {
      block(6);
      ends++;
    };
    datagram.close();
    stage.until(() => ends === 2 && acceptor.closed, "the ends");
    stage.turns();
    assertNamed(stalls, [
      "forgetListener",
      "forgetSocket",
      "greet",
      "reconnect",
    ]);
  },
);

onAnyBackend("stall: without a threshold none is reported", async (stage) => {
  const found: Diagnosis[] = [];
  await stage.reactor.diagnose({ onDiagnosis: (each) => found.push(each) });
  stage.reactor.callSoon(() => block(20));
  stage.reactor.run();
  assertEquals(found, []);
  assertGreaterOrEqual(stage.reactor.stats().longestCallback, 20);
});

onAnyBackend(
  "stall: the same callback is reported once a second, with the number of its stalls",
  async (stage) => {
    const stalls = await stallsOf(stage);
    let calls = 0;
    const timer = stage.reactor.callEvery(1, function slow(): void {
      if (stalls.length === 2) return timer.cancel();
      block(6);
      calls++;
    });
    stage.reactor.run();
    assertEquals(stalls.map(({ count }) => count), [1, calls - 1]);
    assertGreaterOrEqual(calls, 10);
  },
);

onAnyBackend(
  "stall: with stacks, it has the calls in which the time was spent",
  async (stage) => {
    const stalls = await stallsOf(stage, { stallThreshold: 30, stacks: true });
    const served = stage.reactor.serve();
    function innermost(): void {
      block(90);
    }
    stage.reactor.callSoon(function outermost(): void {
      innermost();
    });
    await eventually(() => stalls.length === 1, "the stall");
    const names = stalls[0]!.stack!.map((frame) => frame.split(" ")[0]);
    const own = names.filter((name) => /^(?:block|inner|outer)/.test(name!));
    assertEquals(own, ["block", "innermost", "outermost"]);
    assert(stalls[0]!.stack!.every((frame) => / \(.+\)$/.test(frame)));
    stage.reactor.stop();
    await served;
  },
);

onAnyBackend(
  "stall: a stack is that of its own callback, not of the busiest one",
  async (stage) => {
    const stalls = await stallsOf(stage, { stallThreshold: 60, stacks: true });
    const served = stage.reactor.serve();
    let left = 30;
    const busy = stage.reactor.callEvery(1, function busiest(): void {
      block(20);
      if (--left > 0) return;
      busy.cancel();
      stage.reactor.callSoon(function culprit(): void {
        block(90);
      });
    });
    const own = (): Stall | undefined =>
      stalls.find(({ callback }) => callback === "culprit");
    await eventually(() => own() !== undefined, "the stall");
    const text = own()!.stack!.join("\n");
    assert(text.includes("culprit ") && !text.includes("busiest "), text);
    stage.reactor.stop();
    await served;
  },
);

Deno.test("stackOf: samples before the time of the callback do not count", () => {
  const node = (id: number, functionName: string, children: number[] = []) => ({
    id,
    callFrame: {
      functionName,
      url: "file:///a.js",
      lineNumber: 6,
      columnNumber: 2,
    },
    children,
  });
  const profile = {
    nodes: [node(1, "main", [2, 3]), node(2, "before"), node(3, "")],
    startTime: 0,
    endTime: 100_000,
    samples: [2, 2, 2, 2, 3, 3],
    timeDeltas: [1000, 1000, 1000, 1000, 80_000, 1000],
  };
  assertEquals(stackOf(profile, 20), [
    "(anonymous) (file:///a.js:7:3)",
    "main (file:///a.js:7:3)",
  ]);
  assertEquals(stackOf({ ...profile, samples: [], timeDeltas: [] }, 20), null);
});
