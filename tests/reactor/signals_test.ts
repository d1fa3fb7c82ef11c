/**
 * Signals as callbacks, during `run()` and `serve()`.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import { type Diagnosis, Reactor } from "../../reactor/mod.ts";
import { openLibrary } from "../../backends/ffi/libc.ts";
import { startDeno } from "../program.ts";
import { denoProgram, eventually, openFds, PATIENCE } from "../util.ts";

openLibrary();

/**
 * Deno keeps two descriptors of the worker that ended last until the next one ends. So
 * tests do not count descriptors, except one.
 */
function test(name: string, fn: () => void | Promise<void>): void {
  const ignore = Deno.build.os === "windows";
  const reason = ignore
    ? " (ignored: a process of Windows gets no signal from another)"
    : "";
  Deno.test({ name: name + reason, ignore, fn });
}

function kill(signal: Deno.Signal): void {
  Deno.kill(Deno.pid, signal);
}

/** A reactor that stops after a while. */
function patientReactor(): Reactor {
  const reactor = new Reactor();
  reactor.callLater(PATIENCE, () => reactor.stop()).unref();
  return reactor;
}

test(
  "onSignal(): the callback is called at once during a blocked run() [M01]",
  () => {
    using reactor = patientReactor();
    let calls = 0;
    reactor.onSignal("SIGUSR1", () => {
      calls++;
      reactor.stop();
    });
    // A watch does not keep run() going: this timer does.
    const waiting = reactor.callLater(PATIENCE, () => {});
    reactor.callLater(20, () => kill("SIGUSR1"));
    const start = performance.now();
    reactor.run();
    waiting.cancel();
    assertEquals(calls, 1);
    assert(performance.now() - start < PATIENCE / 2);
  },
);

test("onSignal(): its pipe has no row in describe(), and is not counted", async () => {
  using reactor = patientReactor();
  reactor.onSignal("SIGUSR2", () => reactor.stop());
  const rows = await Array.fromAsync(reactor.describe());
  assertEquals(rows.map(({ subject }) => subject), ["timer"]);
  assertEquals(reactor.stats().registered, 0);
  kill("SIGUSR2");
  reactor.callLater(PATIENCE, () => {});
  reactor.run();
  assertEquals(reactor.stats().events, 0);
});

test("onSignal(): a slow callback is measured and reported once, with its name", async () => {
  using reactor = patientReactor();
  const found: Diagnosis[] = [];
  await reactor.diagnose({
    stallThreshold: 20,
    onDiagnosis: (diagnosis) => found.push(diagnosis),
  });
  let took = 0;
  reactor.onSignal("SIGUSR2", function slow(): void {
    const start = performance.now();
    while (took < 20) took = performance.now() - start;
    reactor.stop();
  });
  kill("SIGUSR2");
  reactor.callLater(PATIENCE, () => {});
  reactor.run();
  const stalls = found.filter((each) => each.kind === "stall");
  assertEquals(stalls.map(({ callback }) => callback), ["slow"]);
  const { callbackTime, longestCallback } = reactor.stats();
  assertEquals(callbackTime, longestCallback);
  assertGreaterOrEqual(longestCallback, took);
});

test(
  "onSignal(): the callback is called during serve(), parked or not [M01]",
  async () => {
    await using reactor = patientReactor();
    let calls = 0;
    reactor.onSignal("SIGUSR1", () => {
      calls++;
      if (calls === 2) reactor.stop();
      else setTimeout(() => kill("SIGUSR1"), 20);
    });
    const served = reactor.serve();
    // A watch does not keep the process alive: this timer does.
    const holding = setTimeout(() => reactor.stop(), PATIENCE);
    setTimeout(() => kill("SIGUSR1"), 20);
    await served;
    clearTimeout(holding);
    assertEquals(calls, 2);
  },
);

test("onSignal(): each watch is called once for each of N signals [M03]", () => {
  using reactor = patientReactor();
  const counts = [0, 0];
  const raise = (): void => kill("SIGUSR1");
  const onSignal = (index: number): void => {
    counts[index]!++;
    if (counts[0] !== counts[1]) return;
    if (counts[0] === 10) reactor.stop();
    else reactor.callSoon(raise);
  };
  reactor.onSignal("SIGUSR1", () => onSignal(0));
  reactor.onSignal("SIGUSR1", () => onSignal(1));
  const waiting = reactor.callLater(PATIENCE, () => {});
  reactor.callSoon(raise);
  reactor.run();
  waiting.cancel();
  assertEquals(counts, [10, 10]);
});

test("onSignal(): each signal calls its own watches only [M03] [M06]", () => {
  using reactor = patientReactor();
  const calls: string[] = [];
  const tell = (name: string): void => {
    calls.push(name);
    if (calls.length === 2) reactor.stop();
  };
  reactor.onSignal("SIGUSR1", () => tell("SIGUSR1"));
  reactor.onSignal("SIGUSR2", () => tell("SIGUSR2"));
  const waiting = reactor.callLater(PATIENCE, () => {});
  reactor.callSoon(() => kill("SIGUSR2"));
  reactor.callSoon(() => kill("SIGUSR1"));
  reactor.run();
  waiting.cancel();
  assertEquals(calls.toSorted(), ["SIGUSR1", "SIGUSR2"]);
});

test(
  "onSignal(): a cancelled watch is not called, and a second cancel() returns false [M02]",
  () => {
    using reactor = patientReactor();
    let calls = 0;
    const watch = reactor.onSignal("SIGUSR1", () => calls++);
    reactor.onSignal("SIGUSR1", () => reactor.stop());
    assert(watch.cancel());
    assert(!watch.cancel());
    const waiting = reactor.callLater(PATIENCE, () => {});
    reactor.callSoon(() => kill("SIGUSR1"));
    reactor.run();
    waiting.cancel();
    assertEquals(calls, 0);
  },
);

test(
  "onSignal(): a signal that cannot be watched is a TypeError, and starts no worker [M02]",
  () => {
    using reactor = new Reactor();
    const nothing = (): void => {};
    assertThrows(() => reactor.onSignal("SIGKILL", nothing), TypeError);
    assertThrows(() => reactor.onSignal("SIGSTOP", nothing), TypeError);
    assertThrows(
      () => reactor.onSignal("SIGNAL" as "SIGHUP", nothing),
      TypeError,
    );
  },
);

test("onSignal(): a watch that another watch of the same signal cancels is not called [F02]", () => {
  using reactor = patientReactor();
  const calls: string[] = [];
  reactor.onSignal("SIGUSR1", () => {
    calls.push("first");
    second.cancel();
    reactor.callSoon(() => reactor.stop());
  });
  const second = reactor.onSignal("SIGUSR1", () => calls.push("second"));
  const waiting = reactor.callLater(PATIENCE, () => {});
  kill("SIGUSR1");
  reactor.run();
  waiting.cancel();
  assertEquals(calls, ["first"]);
});

test("onSignal(): a watch that is cancelled after its signal and before the next turn is not called", () => {
  using reactor = patientReactor();
  const calls: string[] = [];
  const first = reactor.onSignal("SIGUSR1", () => calls.push("first"));
  reactor.onSignal("SIGUSR1", () => {
    calls.push("second");
    reactor.callSoon(() => reactor.stop());
  });
  kill("SIGUSR1");
  // Each takes the signals out of the pipe that have arrived.
  for (let change = 0; change < 20; change++) {
    reactor.onSignal("SIGUSR2", () => {}).cancel();
  }
  first.cancel();
  const waiting = reactor.callLater(PATIENCE, () => {});
  reactor.run();
  waiting.cancel();
  assertEquals(calls, ["second"]);
});

test("onSignal(): a watch does not keep run() going", () => {
  using reactor = new Reactor();
  reactor.onSignal("SIGUSR1", () => {});
  reactor.run();
});

test("onSignal(): the workers of closed reactors end", async () => {
  // Deno keeps two descriptors of the first worker and two of the last one.
  const most = openFds().size + 4;
  for (let round = 0; round < 8; round++) {
    const reactor = new Reactor();
    reactor.onSignal("SIGUSR1", () => {});
    reactor.close();
  }
  // The workers end on their own threads.
  await eventually(() => openFds().size <= most, "the ends of the workers");
});

test("onSignal(): an error of a watch ends run() at once if onError throws [E11]", () => {
  using reactor = new Reactor({
    onError: (error) => {
      throw error;
    },
  });
  reactor.onSignal("SIGUSR1", () => {
    throw new Error("enough");
  });
  const waiting = reactor.callLater(PATIENCE, () => {});
  reactor.callLater(20, () => kill("SIGUSR1"));
  const start = performance.now();
  assertThrows(() => reactor.run(), Error, "enough");
  assert(performance.now() - start < PATIENCE / 2);
  waiting.cancel();
});

/** The output of another program, and the signal that ends it. */
async function dying(
  body: string,
): Promise<[text: string, signal: Deno.Signal | null]> {
  const root = new URL("../../", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(
    file,
    `import { Reactor } from "${root}reactor/mod.ts";
const reactor = new Reactor();
const kill = () => Deno.kill(Deno.pid, "SIGTERM");
${body}`,
  );
  const { stdout, signal } = await new Deno.Command(denoProgram(), {
    args: ["run", "--no-check", "-A", file],
  }).output();
  await Deno.remove(file);
  return [new TextDecoder().decode(stdout), signal];
}

test("onSignal(): after the last watch is cancelled, the signal has its default action again", async () => {
  const outcome = await dying(`
    const first = reactor.onSignal("SIGTERM", () => console.log("first"));
    const second = reactor.onSignal("SIGTERM", () => {
      console.log("second");
      second.cancel();
      kill();
    });
    first.cancel();
    reactor.callSoon(kill);
    reactor.callLater(${PATIENCE}, () => console.log("deaf"));
    reactor.run();
  `);
  assertEquals(outcome, ["second\n", "SIGTERM"]);
});

test("onSignal(): a signal whose watches were cancelled can be watched again", async () => {
  const outcome = await dying(`
    reactor.onSignal("SIGTERM", () => console.log("first")).cancel();
    reactor.onSignal("SIGTERM", () => {
      console.log("second");
      reactor.stop();
    });
    reactor.callSoon(kill);
    reactor.callLater(${PATIENCE}, () => console.log("deaf"));
    reactor.run();
    Deno.exit(0);
  `);
  assertEquals(outcome, ["second\n", null]);
});

test("onSignal(): after close() a signal has its default action again", async () => {
  const outcome = await dying(`
    reactor.onSignal("SIGTERM", () => console.log("heard"));
    reactor.close();
    kill();
    setTimeout(() => console.log("deaf"), ${PATIENCE});
  `);
  assertEquals(outcome, ["", "SIGTERM"]);
});

test("onSignal(): cancelling a watch leaves Deno's listeners alone", async () => {
  const outcome = await dying(`
    Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
    reactor.onSignal("SIGTERM", () => console.log("heard")).cancel();
    kill();
    setTimeout(() => console.log("deaf"), ${PATIENCE});
  `);
  assertEquals(outcome, ["", null]);
});

// In another process: on Windows only its console can send a signal.
Deno.test("onSignal(): Ctrl-C is reported during a blocked run() [M01]", async () => {
  const program = new URL("ctrl_c_program.ts", import.meta.url).href;
  const command = ["run", "--no-check", "-A", program];
  await using running = startDeno(command, { hasConsole: true });
  await running.line(/^running$/);
  await running.interrupt();
  const { code, errors, lines } = await running.ending();
  assertEquals([code, errors, lines], [0, "", ["running", "SIGINT"]]);
});

Deno.test({
  name: "onSignal(): Windows has the signals of its console, and no others",
  ignore: Deno.build.os !== "windows",
  // The worker ends later.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () => {
    using reactor = new Reactor();
    for (const signal of ["SIGINT", "SIGBREAK", "SIGHUP"] as const) {
      assertEquals(reactor.onSignal(signal, () => {}).cancel(), true, signal);
    }
    assertThrows(() => reactor.onSignal("SIGUSR1", () => {}), TypeError);
  },
});
