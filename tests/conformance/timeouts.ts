/**
 * The duration of a wait: never less than its timeout, and not without end.
 */

import {
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertThrows,
} from "@std/assert";
import { openFile, type Socket } from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/mod.ts";
import {
  bytesOf,
  denoProgram,
  elapsed,
  eventually,
  PATIENCE,
  summary,
} from "../util.ts";
import type { Cases, Stage } from "./case.ts";

/** Waits many times. None may end early. */
function checkNeverEarly(
  { selector }: Stage,
  timeout: number,
  times: number,
): void {
  for (let round = 0; round < times; round++) {
    const took = elapsed(() => assertEquals(selector.select(timeout), []));
    assertGreaterOrEqual(took, timeout, `round ${round}`);
  }
}

// A signal may arrive after the end of its sender. Without a listener it would end the
// process then.
if (Deno.build.os !== "windows") Deno.addSignalListener("SIGUSR1", () => {});

/** A child process that sends this one a signal every 20 ms, for some time. */
function sendSignals(milliseconds: number): Deno.ChildProcess {
  const script = `i=0; while [ $i -lt ${milliseconds / 20} ]; do
    kill -USR1 ${Deno.pid}; sleep 0.02; i=$((i + 1)); done`;
  return new Deno.Command("sh", { args: ["-c", script] }).spawn();
}

/** Calls a body while signals arrive; fails if none did. */
async function underSignals(
  milliseconds: number,
  body: () => void,
): Promise<void> {
  let signals = 0;
  const count = (): void => {
    signals++;
  };
  Deno.addSignalListener("SIGUSR1", count);
  const child = sendSignals(milliseconds);
  try {
    body();
  } finally {
    await child.status;
    await eventually(() => signals > 0, "a signal");
    Deno.removeSignalListener("SIGUSR1", count);
  }
}

/** Starts a process that connects to a listener, which takes it a while. */
function startConnecting(listener: Socket): Deno.ChildProcess {
  const { hostname, port } = listener.localAddress as Deno.NetAddr;
  const address = JSON.stringify({ hostname, port });
  const program = `(await Deno.connect(${address})).close();`;
  return new Deno.Command(denoProgram(), { args: ["eval", program] }).spawn();
}

/** A named pipe, for another process to write to. */
async function makeFifo(): Promise<string> {
  const path = await Deno.makeTempFile({ prefix: "pollux-" });
  await Deno.remove(path);
  await new Deno.Command("mkfifo", { args: [path] }).output();
  return path;
}

export const timeouts: Cases = [
  {
    name: "select() of 0 or less does not wait [E01]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      for (const timeout of [0, -0, -1, -1e-100, -Infinity]) {
        const took = elapsed(() => assertEquals(selector.select(timeout), []));
        assertLess(took, 1000);
      }
      left.send(bytesOf("x"));
      for (const timeout of [0, -1]) {
        assertEquals(summary(selector.select(timeout)), [[
          "right",
          EVENT_READ,
        ]]);
      }
    },
  },
  {
    name:
      "select() without an event takes its timeout, and not three times that [E02]",
    run(stage): void {
      const { selector } = stage;
      const { right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      // The selector would delay each of them, a busy machine only some.
      const times = Array.from(
        { length: 3 },
        () => elapsed(() => assertEquals(selector.select(150), [])),
      );
      assertGreaterOrEqual(Math.min(...times), 150);
      assertLess(Math.min(...times), 450);
    },
  },
  {
    name: "select() with nothing registered waits, too [E03]",
    run({ selector }): void {
      assertEquals(selector.select(0), []);
      const took = elapsed(() => assertEquals(selector.select(150), []));
      assertGreaterOrEqual(took, 150);
    },
  },
  {
    name: "select() whose only registration has ended waits, too [E03]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      selector.register(left, EVENT_WRITE, "left");
      selector.unregister(left);
      const took = elapsed(() => assertEquals(selector.select(60), []));
      assertGreaterOrEqual(took, 60);
    },
  },
  {
    name: "a thousand waits of 0.1 ms never end early [E04]",
    run: (stage) => checkNeverEarly(stage, 0.1, 1000),
  },
  {
    name: "waits of 1 ms and a little never end early [E04]",
    run: (stage) => checkNeverEarly(stage, 1.001, 200),
  },
  {
    name: "waits of 3.1 ms never end early [E04]",
    run: (stage) => checkNeverEarly(stage, 3.1, 200),
  },
  {
    name: "waits of less than a millisecond take less than one [E05]",
    needs: "briefWaits",
    run({ selector }): void {
      const times = Array.from(
        { length: 50 },
        () => elapsed(() => selector.select(0.05)),
      );
      assertLess(Math.min(...times), 1);
    },
  },
  {
    name: "tiny waits do not spin: one call is enough [E06]",
    run({ selector }): void {
      for (const timeout of [10, 1, 1e-1, 1e-3, 1e-7, 1e-300]) {
        const end = performance.now() + timeout;
        let turns = 0;
        do {
          selector.wait(Math.max(end - performance.now(), 0));
          turns++;
        } while (performance.now() < end);
        assertLessOrEqual(turns, 20, `timeout ${timeout}`);
      }
    },
  },
  {
    name: "select() without a timeout waits for an event [E07]",
    needs: "anyFile",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const path = await makeFifo();
      stage.defer(() => Deno.removeSync(path));
      const fifo = stage.fd(openFile(path, "r+"));
      selector.register(fifo, EVENT_READ, "fifo");
      const child = new Deno.Command("sh", {
        args: ["-c", `sleep 0.1; echo > ${path}`],
      }).spawn();
      assertEquals(summary(selector.select()), [["fifo", EVENT_READ]]);
      await child.status;
    },
  },
  {
    name: "select() without a timeout waits for a connection [E07]",
    lacks: "anyFile",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const listener = stage.listener();
      selector.register(listener, EVENT_READ, "listener");
      const child = startConnecting(listener);
      assertEquals(summary(selector.select()), [["listener", EVENT_READ]]);
      listener.accept()!.close();
      await child.status;
    },
  },
  {
    name: "a timeout above 2^31 ms is neither cut nor wrapped [E08] [A28]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ, "right");
      for (
        const timeout of [2 ** 30, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, Infinity]
      ) {
        assertEquals(
          summary(selector.select(timeout)),
          [["right", EVENT_READ]],
        );
      }
    },
  },
  {
    name: "a timeout that is not a number is refused [A28]",
    run({ selector }): void {
      for (const timeout of [NaN, "1", null, 1n, {}]) {
        assertThrows(() => selector.select(timeout as number), TypeError);
      }
    },
  },
  {
    name: "signals during a wait neither end it nor shorten it [E09] [E10]",
    needs: "signals",
    async run({ selector }): Promise<void> {
      let shortest = Infinity;
      for (let round = 0; round < 3 && shortest >= 900; round++) {
        await underSignals(400, () => {
          const took = elapsed(() => assertEquals(selector.select(300), []));
          assertGreaterOrEqual(took, 300);
          shortest = Math.min(shortest, took);
        });
      }
      assertLess(shortest, 900);
    },
  },
  {
    name: "an event among many signals is reported [E09]",
    needs: "signals",
    async run(stage): Promise<void> {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(right, EVENT_READ, "right");
      await underSignals(200, () => {
        assertEquals(selector.select(100), []);
        left.send(bytesOf("x"));
        assertEquals(summary(selector.select(PATIENCE)), [[
          "right",
          EVENT_READ,
        ]]);
      });
    },
  },
  {
    name:
      "wait() returns 0 after its timeout, and early only for a signal [E13]",
    run({ selector }): void {
      const took = elapsed(() => assertEquals(selector.wait(20), 0));
      assertGreater(took, 6);
    },
  },
];
