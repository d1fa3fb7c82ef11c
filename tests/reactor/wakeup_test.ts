/**
 * `wake()`, from this thread and from others.
 */

import { assert, assertEquals } from "@std/assert";
import { libraryPath } from "../../backends/ffi/library.ts";
import { openLibrary } from "../../backends/ffi/libc.ts";
import type { InternetAddress, SocketAddress } from "../../backends/ffi/mod.ts";
import { wake } from "../../reactor/mod.ts";
import { anyFile, nextTurn, openFds, PATIENCE } from "../util.ts";
import {
  onAnyBackend,
  onEachBackend,
  reactorBackends,
  Stage,
} from "./stage.ts";

/**
 * A worker that wakes a reactor, with the text of `wake()` written out. It may write a
 * number into shared memory before each wake. `write()` ignores the flags of `send()`.
 */
const WAKING = `
  const { symbols } = Deno.dlopen(LIBRARY, {
    write: {
      name: "${anyFile ? "write" : "send"}",
      parameters: ["i32", "buffer", "u32", "i32"],
      result: "i32",
    },
  });
  onmessage = ({ data: { fd, times, left } }) => {
    for (let count = 0; count < times; count++) {
      if (left) Atomics.store(left, count, count + 1);
      symbols.write(fd, new Uint8Array(1), 1, 0);
    }
    postMessage("done");
  };
  postMessage("ready");
`;

/**
 * Defines a test with threads. It does not count descriptors: Deno keeps two of the
 * worker that ended last until the next one ends.
 */
function withThreads(name: string, run: (stage: Stage) => Promise<void>): void {
  const backend = reactorBackends.find(({ absent }) => absent === undefined)!;
  Deno.test(name, async () => {
    await using stage = new Stage(backend);
    await run(stage);
  });
}

openLibrary();

/** A thread that wakes reactors after a message. */
async function wakingWorker(stage: Stage): Promise<Worker> {
  const library = JSON.stringify(libraryPath());
  const program = WAKING.replace("LIBRARY", library);
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  const worker = new Worker(url, { type: "module" });
  stage.defer(() => worker.terminate());
  await new Promise((resolve) => worker.onmessage = resolve);
  return worker;
}

onEachBackend(
  "wake(): before a wait it ends this wait only [G01]",
  (stage) => {
    const { reactor } = stage;
    reactor.wake();
    const started = performance.now();
    reactor.runOnce(PATIENCE);
    assert(performance.now() - started < PATIENCE / 3);
    const again = performance.now();
    reactor.runOnce(20);
    assert(performance.now() - again >= 20);
  },
);

onEachBackend("wake(): many calls end one wait [G03] [G06]", (stage) => {
  const { reactor } = stage;
  // Far more bytes than the pipe holds.
  for (let count = 0; count < 100_000; count++) reactor.wake();
  reactor.runOnce(PATIENCE);
  const { turns } = reactor.stats();
  reactor.runOnce(20);
  reactor.runOnce(20);
  assertEquals(reactor.stats().turns, turns + 2);
  for (let count = 0; count < 3; count++) reactor.wake();
  const started = performance.now();
  reactor.runOnce(PATIENCE);
  assert(performance.now() - started < PATIENCE / 3);
});

onEachBackend(
  "wake(): it calls no callback, and counts as no registration [G05] [G11]",
  (stage) => {
    const { reactor } = stage;
    assert(reactor.wakeFd >= 0);
    reactor.wake();
    assertEquals(reactor.runOnce(PATIENCE), false);
    assertEquals(reactor.stats().registered, 0);
    reactor.run();
  },
);

withThreads(
  "wake(): from another thread it ends a wait at once [G02] [G07]",
  async (stage) => {
    const { reactor } = stage;
    const worker = await wakingWorker(stage);
    worker.postMessage({ fd: reactor.wakeFd, times: 1 });
    const started = performance.now();
    reactor.runOnce(PATIENCE);
    assert(performance.now() - started < PATIENCE / 3);
  },
);

withThreads(
  "wake(): two threads wake two reactors, each its own [G04]",
  async (stage) => {
    const reactors = [stage.make(), stage.make()];
    const workers = [await wakingWorker(stage), await wakingWorker(stage)];
    for (const [index, reactor] of reactors.entries()) {
      workers[index]!.postMessage({ fd: reactor.wakeFd, times: 1 });
      const started = performance.now();
      reactor.runOnce(PATIENCE);
      assert(performance.now() - started < PATIENCE / 3);
    }
  },
);

withThreads(
  "wake(): the reactor finds all numbers that a thread wrote before thousands of calls, in order [G08]",
  async (stage) => {
    const { reactor } = stage;
    const times = 5000;
    const left = new Int32Array(new SharedArrayBuffer(4 * times));
    const worker = await wakingWorker(stage);
    worker.postMessage({ fd: reactor.wakeFd, times, left });
    const found: number[] = [];
    const started = performance.now();
    while (found.length < times) {
      reactor.runOnce(PATIENCE);
      while (found.length < times && Atomics.load(left, found.length) !== 0) {
        found.push(Atomics.load(left, found.length));
      }
    }
    // No wait took as long as it would have without its wake-up.
    assert(performance.now() - started < PATIENCE);
    assertEquals(found, Array.from({ length: times }, (_, index) => index + 1));
  },
);

withThreads(
  "wake(): from another thread it ends a parked wait [G02]",
  async (stage) => {
    const { reactor } = stage;
    const worker = await wakingWorker(stage);
    const [, right] = stage.pair();
    reactor.register(right, 1, () => {});
    const served = reactor.serve();
    let turns = reactor.stats().turns;
    const woken = new Promise<void>((resolve) => {
      const looking = setInterval(() => {
        if (reactor.stats().turns === turns) return;
        clearInterval(looking);
        resolve();
      }, 1);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    turns = reactor.stats().turns;
    worker.postMessage({ fd: reactor.wakeFd, times: 1 });
    await woken;
    reactor.stop();
    await served;
  },
);

/** Yields the messages of a thread. */
function messagesOf(worker: Worker): () => Promise<unknown> {
  const queue: unknown[] = [];
  let waiting: ((message: unknown) => void) | null = null;
  worker.onmessage = ({ data }) => {
    if (waiting === null) queue.push(data);
    else waiting(data);
    waiting = null;
  };
  return () =>
    queue.length > 0
      ? Promise.resolve(queue.shift())
      : new Promise((resolve) => waiting = resolve);
}

withThreads("each thread has a reactor of its own", async (stage) => {
  const url = new URL("./echo_worker.ts", import.meta.url);
  const threads = [0, 1].map(() => {
    const worker = new Worker(url, { type: "module" });
    stage.defer(() => worker.terminate());
    return messagesOf(worker);
  });
  const addresses = await Promise.all(threads.map((next) => next()));
  const peers = addresses.map((address) => {
    return stage.dial(address as SocketAddress);
  });
  for (const [index, peer] of peers.entries()) peer.send(`thread ${index}`);
  for (const [index, peer] of peers.entries()) {
    assertEquals(peer.readText(8), `thread ${index}`);
    peer.send("stop");
  }
  const last = await Promise.all(threads.map((next) => next()));
  assertEquals(last, ["stopped", "stopped"]);
});

withThreads(
  "close(): a thread that ends on request closes its descriptors and its port",
  async (stage) => {
    const url = new URL("./ending_worker.ts", import.meta.url);
    const end = async (): Promise<SocketAddress> => {
      const worker = new Worker(url, { type: "module" });
      stage.defer(() => worker.terminate());
      const next = messagesOf(worker);
      const address = await next() as SocketAddress;
      const peer = stage.dial(address);
      peer.send("hello");
      while (peer.readText(5) !== "hello") await nextTurn();
      worker.postMessage("end");
      assertEquals(await next(), "closed");
      return address;
    };
    // Deno keeps two descriptors of the first worker and two of the last one. It closes
    // the others on their threads.
    const before = openFds().size + 4;
    await end();
    const address = await end();
    const latest = performance.now() + PATIENCE;
    while (openFds().size > before && performance.now() < latest) {
      await nextTurn();
    }
    assert(openFds().size <= before);
    const closed = await Deno.connect({
      port: (address as InternetAddress).port,
    }).then((conn) => conn.close(), ({ name }) => name);
    assertEquals(closed, "ConnectionRefused");
  },
);

onAnyBackend("wake(fd): it wakes the reactor of the descriptor", (stage) => {
  const { reactor } = stage;
  wake(reactor.wakeFd);
  const started = performance.now();
  reactor.runOnce(PATIENCE);
  assert(performance.now() - started < PATIENCE / 3);
});
