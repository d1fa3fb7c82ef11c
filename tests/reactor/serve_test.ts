/**
 * `serve()`: sharing the thread with Deno's event loop, and the end of the process.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { PassThrough } from "node:stream";
import { socketPair } from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE, SelectSelector } from "../../backends/mod.ts";
import { Reactor } from "../../reactor/mod.ts";
import { fetchOnce } from "../fetch.ts";
import {
  anyFile,
  bytesOf,
  cpuNow,
  denoProgram,
  ONLY_LINUX,
  PATIENCE,
  test,
} from "../util.ts";
import { onAnyBackend, onEachBackend } from "./stage.ts";

/** Whether a reactor can see pending I/O of Deno. */
const SEES_DENO = Deno.build.os === "linux";

/** A server on Deno's network: posts its address, and echoes to one peer. */
const ECHO_SERVER = `
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  const peer = await listener.accept();
  await peer.readable.pipeTo(peer.writable);
  listener.close();
`;

test("reactor.net: reads, writes and accepts that need no wait starve neither Deno nor the reactor", async () => {
  const BYTES = 50_000;
  const CONNECTIONS = 300;
  await using reactor = new Reactor();
  reactor.serve();
  using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
  const target = { hostname: "127.0.0.1", port: listener.addr.port };
  const client = await reactor.net.connect(target);
  const server = await listener.accept();
  const all = new Uint8Array(BYTES);
  for (let sent = 0; sent < BYTES;) {
    sent += await client.write(all.subarray(sent));
  }
  const turnsOf = async (work: () => Promise<unknown>): Promise<number> => {
    let turns = 0;
    const interval = setInterval(() => turns++, 0);
    const before = reactor.stats().turns;
    await work();
    clearInterval(interval);
    return Math.min(turns, reactor.stats().turns - before);
  };
  const one = new Uint8Array(1);
  const reads = await turnsOf(async () => {
    for (let count = 0; count < BYTES; count++) await server.read(one);
  });
  const writes = await turnsOf(async () => {
    for (let count = 0; count < BYTES; count++) await server.write(one);
  });
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => reactor.net.connect(target)),
  );
  const before = reactor.stats().turns;
  for (let count = 0; count < CONNECTIONS; count++) {
    (await listener.accept()).close();
  }
  assert(reads > 0, "reads");
  assert(writes > 0, "writes");
  assert(reactor.stats().turns > before, "accepts");
  for (const conn of [...clients, client, server]) conn.close();
});

/** Fails a test that would hang. */
function deadline(milliseconds: number): Promise<never> & Disposable {
  let timer: ReturnType<typeof setTimeout>;
  const promise = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("Too late")), milliseconds);
  });
  promise.catch(() => {});
  return Object.assign(promise, {
    [Symbol.dispose]: () => clearTimeout(timer),
  });
}

onEachBackend(
  "serve(): Deno's promises and timers run, and ready file objects are dispatched",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    let received = 0;
    reactor.register(right, EVENT_READ, () => {
      // Byte by byte: a busy machine may delay this until the third tick.
      received += right.recv(new Uint8Array(1));
      if (received === 3) reactor.stop();
    });
    let ticks = 0;
    const ticking = setInterval(() => {
      left.send(new Uint8Array(1));
      if (++ticks === 3) clearInterval(ticking);
    }, 5);
    await reactor.serve();
    assertEquals([received, ticks], [3, 3]);
  },
);

onEachBackend(
  "serve(): registering, modifying and unregistering take effect at once while it is parked",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const [other] = stage.pair();
    reactor.register(other, EVENT_READ, () => {});
    const served = reactor.serve();
    await new Promise((resolve) => setTimeout(resolve, 10));
    left.send(new Uint8Array(1));
    using late = deadline(PATIENCE);
    await Promise.race([
      late,
      new Promise<void>((resolve) => {
        reactor.register(right, EVENT_READ, () => {
          reactor.unregister(right);
          resolve();
        });
      }),
    ]);
    await Promise.race([
      late,
      new Promise<void>((resolve) => reactor.callLater(5, resolve)),
    ]);
    await Promise.race([
      late,
      new Promise<void>((resolve) => reactor.callSoon(resolve)),
    ]);
    reactor.stop();
    await served;
  },
);

onEachBackend("serve(): under load Deno's timers tick", async (stage) => {
  const { reactor } = stage;
  const [left, right] = stage.pair();
  const buffer = new Uint8Array(16);
  for (const socket of [left, right]) {
    reactor.register(socket, EVENT_READ, () => {
      socket.send(buffer, socket.recv(buffer));
    });
  }
  left.send(new Uint8Array(1));
  let ticks = 0;
  const started = cpuNow();
  const ticking = setInterval(() => {
    if (++ticks >= 20 && reactor.stats().events > 100) reactor.stop();
  }, 5);
  await reactor.serve();
  clearInterval(ticking);
  // Twenty ticks are due after 100 ms, in which the reactor never sleeps.
  assert(cpuNow() - started < 1000);
});

onAnyBackend(
  "serve(): under load Deno's network makes progress",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const buffer = new Uint8Array(16);
    for (const socket of [left, right]) {
      reactor.register(socket, EVENT_READ, () => {
        socket.send(buffer, socket.recv(buffer));
      });
    }
    left.send(new Uint8Array(1));
    const served = reactor.serve();
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => new Response("hello"),
    );
    using late = deadline(PATIENCE);
    for (let round = 0; round < 10; round++) {
      const answer = fetchOnce(`http://127.0.0.1:${server.addr.port}/`);
      const response = await Promise.race([late, answer]);
      assertEquals(await response.text(), "hello");
    }
    reactor.stop();
    await served;
    await server.shutdown();
  },
);

onEachBackend(
  "serve(): very many ready file objects do not starve Deno's timers",
  async (stage) => {
    const { reactor } = stage;
    // All callbacks together take 0.1 s, far more than the interval.
    for (let count = 0; count < 1000; count++) {
      reactor.register(stage.pair()[0], EVENT_WRITE, () => {
        const end = performance.now() + 0.1;
        while (performance.now() < end);
      });
    }
    let ticks = 0;
    const started = cpuNow();
    const ticking = setInterval(() => {
      if (++ticks === 30) reactor.stop();
    }, 5);
    await reactor.serve();
    clearInterval(ticking);
    // 30 ticks are due after 150 ms. Waiting for all callbacks each time would take 3 s.
    assert(cpuNow() - started < 1500);
  },
  { needs: "limitsWaits" },
);

/**
 * So long that a reactor that sleeps with work left is late: it may wait for 0.4 of the
 * interval before Deno has a turn.
 */
const LONG_INTERVAL = 2 * PATIENCE;

/** Work that a callback can begin, from the nearest to the farthest. */
const AFTERMATHS: readonly [name: string, go: (then: () => void) => void][] = [
  ["a promise", (then) => void Promise.resolve().then(then)],
  [
    "a chain of twenty promises",
    async (then) => {
      for (let step = 0; step < 20; step++) await undefined;
      then();
    },
  ],
  ["process.nextTick()", (then) => process.nextTick(then)],
  [
    "process.nextTick() behind promises and ticks",
    (then) => {
      Promise.resolve().then(() =>
        process.nextTick(() =>
          Promise.resolve().then(() => process.nextTick(then))
        )
      );
    },
  ],
  [
    "a web stream",
    (then) => {
      const { readable, writable } = new TransformStream<number, number>();
      const writer = writable.getWriter();
      const reader = readable.pipeThrough(new TransformStream()).getReader();
      reader.read().then(then);
      writer.write(1);
    },
  ],
  [
    "a stream of Node's",
    (then) => {
      const through = new PassThrough();
      through.on("data", then);
      through.write("x");
    },
  ],
];

for (const [name, go] of AFTERMATHS) {
  onEachBackend(
    `serve(): ${name} that a callback has begun continues before the next wait`,
    async (stage) => {
      const reactor = stage.make({ yieldInterval: LONG_INTERVAL });
      const [left, right] = stage.pair();
      const buffer = new Uint8Array(16);
      let rounds = 0;
      reactor.register(right, EVENT_READ, () => {
        right.recv(buffer);
        go(() => {
          if (++rounds === 20) reactor.stop();
          else left.send(buffer, 1);
        });
      });
      const served = reactor.serve();
      left.send(buffer, 1);
      const started = performance.now();
      await served;
      assert(performance.now() - started < PATIENCE / 3);
    },
  );
}

onAnyBackend(
  "serve(): Deno's network goes first while the reactor has nothing to do",
  async (stage) => {
    const reactor = stage.make({ yieldInterval: 500 });
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => right.recv(new Uint8Array(8)));
    const served = reactor.serve();
    const child = new Deno.Command(denoProgram(), {
      args: ["eval", ECHO_SERVER],
      stdout: "piped",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    const reader = lines.getReader();
    const port = Number((await reader.read()).value);
    const peer = await Deno.connect({ hostname: "127.0.0.1", port });
    const byte = new Uint8Array(1);
    const started = performance.now();
    for (let round = 0; round < 20; round++) {
      // After a receive the reactor waits half a second for the next message.
      left.send(byte);
      await peer.write(byte);
      await peer.read(byte);
    }
    // Twenty waits take ten seconds.
    assert(performance.now() - started < 10_000 / 3);
    peer.close();
    await child.status;
    await reader.cancel();
    reactor.stop();
    await served;
  },
  { ignore: !SEES_DENO, reason: "only Linux shows Deno's epoll instance" },
);

onAnyBackend(
  "serve(): an abort ends it, also an earlier one",
  async (stage) => {
    const { reactor } = stage;
    const controller = new AbortController();
    const served = reactor.serve({ signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await served;
    await reactor.serve({ signal: AbortSignal.abort() });
    assert(!reactor.running);
  },
);

onAnyBackend(
  "serve(), run(): while the reactor runs, both throw Busy [F16]",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    const failures = [() => reactor.serve(), () => reactor.run()].map((run) => {
      try {
        run();
        return "nothing";
      } catch (error) {
        return (error as Error).name;
      }
    });
    assertEquals(failures, ["Busy", "Busy"]);
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "serve(): run() may follow it, and serve() again",
  async (stage) => {
    const { reactor } = stage;
    const turns: string[] = [];
    reactor.callLater(2, () => {
      turns.push("serve");
      reactor.stop();
    });
    const holding = setTimeout(() => {}, PATIENCE);
    await reactor.serve();
    reactor.callLater(2, () => turns.push("run"));
    reactor.run();
    reactor.callLater(2, () => {
      turns.push("serve again");
      reactor.stop();
    });
    await reactor.serve();
    clearTimeout(holding);
    assertEquals(turns, ["serve", "run", "serve again"]);
  },
);

onAnyBackend("close(): it ends serve(), parked or not", async (stage) => {
  const reactor = stage.make();
  const [, right] = stage.pair();
  reactor.register(right, EVENT_READ, () => {});
  const served = reactor.serve();
  await new Promise((resolve) => setTimeout(resolve, 10));
  reactor.close();
  await served;
  assert(reactor.closed);
});

onEachBackend(
  "unref(): unreferenced endpoints are served while Deno keeps the process alive",
  async (stage) => {
    const { reactor } = stage;
    const accepted = Promise.withResolvers<void>();
    const acceptor = stage.listen(() => accepted.resolve());
    acceptor.unref();
    const ticked = Promise.withResolvers<void>();
    reactor.callLater(5, ticked.resolve).unref();
    const served = reactor.serve();
    using late = deadline(PATIENCE);
    await Promise.race([late, ticked.promise]);
    stage.dial(acceptor.address);
    await Promise.race([late, accepted.promise]);
    reactor.stop();
    await served;
  },
);

onEachBackend(
  "callSoon(): functions that call it again do not starve Deno's timers",
  async (stage) => {
    const { reactor } = stage;
    let rounds = 0;
    const again = (): void => {
      rounds++;
      reactor.callSoon(again);
    };
    again();
    let ticks = 0;
    const started = cpuNow();
    const ticking = setInterval(() => {
      if (++ticks === 20) reactor.stop();
    }, 5);
    await reactor.serve();
    clearInterval(ticking);
    // Twenty ticks are due after 100 ms, in which the reactor never sleeps.
    assert(cpuNow() - started < 1000);
    assert(rounds > 100);
  },
);

onAnyBackend(
  "serve(): it rejects with the error that onError throws [F14]",
  async (stage) => {
    const reactor = stage.make({
      onError: (error) => {
        throw error;
      },
    });
    reactor.callSoon(() => {
      throw new Error("thrown");
    });
    await assertRejects(() => reactor.serve(), Error, "thrown");
    assert(!reactor.running);
    reactor.run();
  },
);

onAnyBackend("serve(): two reactors serve in one thread", async (stage) => {
  const reactors = [stage.make(), stage.make()];
  const received = [0, 0];
  const served = reactors.map((reactor, index) => {
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => {
      received[index]! += right.recv(new Uint8Array(8));
      if (received[index] === 5) reactor.stop();
      else left.send(new Uint8Array(1));
    });
    left.send(new Uint8Array(1));
    return reactor.serve();
  });
  await Promise.all(served);
  assertEquals(received, [5, 5]);
});

onAnyBackend(
  "readable(), writable(): they resolve once, and repeatedly when iterated",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    const [left, right] = stage.pair();
    await reactor.writable(left);
    left.send(bytesOf("x"));
    await reactor.readable(right);
    let rounds = 0;
    for await (const _ of reactor.readable(right)) {
      right.recv(new Uint8Array(8));
      if (++rounds === 3) break;
      left.send(bytesOf("x"));
    }
    assertEquals(reactor.stats().registered, 0);
    const reason = new Error("enough");
    const controller = new AbortController();
    const waiting = reactor.readable(right, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 5);
    await assertRejects(() => Promise.resolve(waiting), Error, "enough");
    assertEquals(reactor.stats().registered, 0);
    reactor.stop();
    await served;
  },
);

const MODULE = new URL("../../mod.ts", import.meta.url).href;
const SOCKET = new URL("../../backends/ffi/mod.ts", import.meta.url).href;

/** Puts the addresses of the modules into a program. */
function withModules(program: string): string {
  return program.replace("MODULE", JSON.stringify(MODULE))
    .replace("SOCKET", JSON.stringify(SOCKET));
}

/** Runs a program that has to end on its own, and returns its status. */
async function statusOf(
  program: string,
  signal?: Deno.Signal,
): Promise<number> {
  const child = new Deno.Command(denoProgram(), {
    args: ["eval", withModules(program)],
    stdout: "piped",
  }).spawn();
  const killing = setTimeout(() => child.kill("SIGKILL"), 4 * PATIENCE);
  if (signal !== undefined) {
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    child.kill(signal);
  }
  await child.stdout.cancel();
  const { code } = await child.status;
  clearTimeout(killing);
  return code;
}

/** A program that watches a socket that never becomes readable. */
const WATCHING = `
  import { Reactor } from MODULE;
  import { socketPair } from SOCKET;
  const reactor = new Reactor();
  const [reader] = socketPair();
  reactor.register(reader, 1, () => {});
`;

const ENDINGS: readonly [name: string, program: string][] = [
  ["that is stopped", "reactor.serve(); setTimeout(() => reactor.stop(), 50);"],
  ["that is closed", "reactor.serve(); setTimeout(() => reactor.close(), 50);"],
  [
    "that is unreferenced",
    "reactor.serve(); setTimeout(() => reactor.unref(), 50);",
  ],
  ["that was unreferenced before", "reactor.unref(); reactor.serve();"],
  [
    "with nothing left to wait for",
    "reactor.serve(); setTimeout(() => reactor.unregister(reader), 50);",
  ],
  [
    "after its last timer",
    `reactor.unregister(reader);
    const timer = reactor.callLater(1e9, () => {});
    reactor.serve();
    setTimeout(() => timer.cancel(), 50);`,
  ],
  [
    "with unreferenced endpoints only",
    `reactor.unregister(reader);
    const timer = reactor.callLater(1e9, () => {});
    reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {}).unref();
    const datagram = reactor.datagram({ hostname: "127.0.0.1" });
    datagram.onMessage = () => {};
    datagram.unref();
    reactor.serve();
    setTimeout(() => timer.unref(), 50);`,
  ],
  [
    "with a listener without a pending accept",
    `reactor.unregister(reader);
    const { listen, connect } = reactor.net;
    const listener = listen({ hostname: "127.0.0.1", port: 0 });
    reactor.serve();
    const accepted = listener.accept();
    const client = await connect({ port: listener.addr.port });
    (await accepted).close();
    client.close();`,
  ],
  ["that never runs", ""],
];

for (const [name, program] of ENDINGS) {
  test(`serve(): a reactor ${name} does not keep the process alive`, async () => {
    assertEquals(await statusOf(WATCHING + program), 0);
  });
}

/** Opens all free descriptors, calls `serve()`, and closes them. */
const STARVING = `
  import { Reactor } from MODULE;
  import { close, openFile } from SOCKET;
  const reactor = new Reactor();
  await import("node:net");
  const taken = [];
  try {
    for (;;) taken.push(openFile("/dev/null"));
  } catch {}
  const failure = await reactor.serve().catch(({ code }) => code);
  taken.forEach(close);
  let served = false;
  reactor.callSoon(() => {
    served = true;
    reactor.stop();
  });
  await reactor.serve();
  Deno.exit(failure === "EMFILE" && served && !reactor.running ? 0 : 1);
`;

test(
  "serve(): it rejects while no descriptor is free, and works later",
  async () => {
    assertEquals(await statusOf(STARVING), 0);
  },
  {
    ignore: Deno.build.os === "windows",
    reason: "Windows has no limit of open descriptors",
  },
);

test("serve(): it closes its descriptors if it cannot begin", async () => {
  using reactor = new Reactor({ selector: new SelectSelector() });
  assert(reactor.wakeFd < 1024);
  // Later descriptors are too large for select.
  const sockets = Array.from({ length: 520 }, () => socketPair()).flat();
  await assertRejects(() => reactor.serve(), RangeError, "0 to 1023");
  for (const socket of sockets) socket.close();
}, {
  ignore: !anyFile,
  reason: "select of Windows takes sockets of any number",
});

for (const how of ["run()", "serve()"]) {
  test(`${how}: Ctrl-C ends the program`, async () => {
    const program = `${WATCHING} console.log("ready"); reactor.${how};`;
    assertEquals(await statusOf(program, "SIGINT"), 130);
  }, {
    ignore: Deno.build.os === "windows",
    reason: "a process of Windows gets no signal from another",
  });
}

/** Prints the CPU time that an idle reactor takes in half a second. */
const IDLE = `
  ${WATCHING}
  import { readFileSync } from "node:fs";
  const ticks = () => {
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  reactor.serve();
  setTimeout(() => {
    const before = ticks();
    setTimeout(() => {
      // Hundredths of a second.
      Deno.exit(ticks() - before > 5 ? 1 : 0);
    }, 500);
  }, 100);
`;

test("serve(): while idle it takes no CPU time", async () => {
  assertEquals(await statusOf(IDLE), 0);
}, ONLY_LINUX);

test("serve(): promises of callSoon() and timers continue before the next wait", async () => {
  const STEPS = 200;
  await using reactor = new Reactor();
  reactor.serve();
  const ways: ((resolve: () => void) => void)[] = [
    (resolve) => reactor.callSoon(resolve),
    (resolve) => reactor.callLater(0, resolve),
  ];
  for (const way of ways) {
    await new Promise<void>(way);
    const before = reactor.stats().turns;
    for (let step = 0; step < STEPS; step++) await new Promise<void>(way);
    const turns = reactor.stats().turns - before;
    // A wait between two steps makes it half as many again.
    assert(turns < STEPS * 1.25, `${turns} turns`);
  }
});
