/**
 * `shutdown()`, and `serve({ untilIdle })`.
 */

import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf, denoProgram, PATIENCE, test } from "../util.ts";
import { onAnyBackend, onEachBackend } from "./stage.ts";

onEachBackend(
  "shutdown(): it accepts no connections, and stops when the last one has finished",
  async (stage) => {
    const { reactor } = stage;
    const peers: Connection[] = [];
    const both = Promise.withResolvers<void>();
    const server = stage.listen((peer) => {
      peer.onData = () => {};
      if (peers.push(peer) === 2) both.resolve();
    });
    const clients = [0, 1].map(() => reactor.connect(server.address));
    const served = reactor.serve();
    await both.promise;
    assertEquals(reactor.connections, 4);
    let done = false;
    const shutdown = reactor.shutdown().then(() => done = true);
    assert(server.closed);
    const failed = Promise.withResolvers<Error | undefined>();
    reactor.connect(server.address).onClose = failed.resolve;
    assertEquals((await failed.promise)?.name, "ConnectionRefused");
    clients[0]!.end(bytesOf("x"));
    await new Promise<void>((resolve) => peers[0]!.onClose = () => resolve());
    assert(!done && reactor.running);
    clients[1]!.end();
    await shutdown;
    await served;
    assertEquals(reactor.connections, 0);
  },
);

onEachBackend(
  "shutdown(): it aborts the remaining connections after its timeout",
  async (stage) => {
    const { reactor } = stage;
    const ends: (string | undefined)[] = [];
    const accepted = Promise.withResolvers<void>();
    const server = stage.listen((peer) => {
      peer.onData = () => {};
      peer.onClose = (error) => ends.push(error?.name);
      accepted.resolve();
    });
    const client = stage.dial(server.address);
    const served = reactor.serve();
    await accepted.promise;
    const started = performance.now();
    await reactor.shutdown({ timeout: 20 });
    assert(performance.now() - started >= 20);
    await served;
    assertEquals(ends, ["TimedOut"]);
    void client;
  },
);

onAnyBackend("shutdown(): it ends run(), too", (stage) => {
  const { reactor } = stage;
  const server = stage.listen((peer) => {
    peer.onData = (chunk) => peer.end(chunk);
    reactor.shutdown();
  });
  reactor.callEvery(1000, () => {});
  reactor.connect(server.address).end(bytesOf("x"));
  reactor.run();
  assertEquals(reactor.connections, 0);
});

onAnyBackend(
  "shutdown(): afterwards the reactor may serve again",
  async (stage) => {
    const { reactor } = stage;
    for (let round = 0; round < 2; round++) {
      const server = stage.listen((peer) => {
        peer.onData = (chunk) => peer.end(chunk);
        reactor.shutdown();
      });
      reactor.connect(server.address).end(bytesOf("x"));
      await reactor.serve();
      assertEquals([reactor.connections, server.closed], [0, true]);
    }
  },
);

onAnyBackend("close(): it ends a shutdown under way", async (stage) => {
  const reactor = stage.make();
  const connected = Promise.withResolvers<void>();
  const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
    peer.onData = () => {};
    connected.resolve();
  });
  reactor.connect(server.address);
  const served = reactor.serve();
  await connected.promise;
  const shutdown = reactor.shutdown();
  reactor.close();
  await shutdown;
  await served;
  assertThrows(() => reactor.shutdown(), Deno.errors.BadResource);
});

onAnyBackend(
  "shutdown(): a timeout that is negative or not a number is a RangeError",
  (stage) => {
    for (const timeout of [-1, NaN]) {
      assertThrows(() => stage.reactor.shutdown({ timeout }), RangeError);
    }
    assert(!stage.reactor.closed);
  },
);

onEachBackend(
  "serve({ untilIdle }): it ends when its last listener is closed",
  async (stage) => {
    const { reactor } = stage;
    const server = stage.listen((peer) => {
      peer.onData = (chunk) => peer.end(chunk);
      server.close();
    });
    const client = reactor.connect(server.address);
    client.onData = () => client.end();
    client.write(bytesOf("x"));
    await reactor.serve({ untilIdle: true });
    assert(!reactor.running);
    await reactor.serve({ untilIdle: true });
    await assertRejects(async () => {
      const served = reactor.serve();
      try {
        await reactor.serve({ untilIdle: true });
      } finally {
        reactor.stop();
        await served;
      }
    }, Deno.errors.Busy);
  },
);

onEachBackend(
  "serve({ untilIdle }): an unreferenced reactor ends, too, when its last registration or timer has gone",
  async (stage) => {
    const { reactor } = stage;
    // It keeps the process alive instead of the reactor.
    const holding = setTimeout(() => reactor.stop(), PATIENCE);
    const start = performance.now();
    reactor.unref();
    const [, socket] = stage.pair();
    reactor.register(socket, EVENT_READ, () => {});
    setTimeout(() => reactor.unregister(socket), 30);
    await reactor.serve({ untilIdle: true });
    const timer = reactor.callLater(PATIENCE, () => {});
    setTimeout(() => timer.cancel(), 30);
    await reactor.serve({ untilIdle: true });
    clearTimeout(holding);
    assertLess(performance.now() - start, PATIENCE);
  },
);

onEachBackend(
  "serve({ untilIdle }): it ends when a connect without onClose is aborted during the look-up of its name",
  async (stage) => {
    const { reactor } = stage;
    const holding = setTimeout(() => reactor.stop(), PATIENCE);
    const start = performance.now();
    const client = reactor.connect({ hostname: "name.invalid", port: 1 });
    const served = reactor.serve({ untilIdle: true });
    setTimeout(() => client.abort(), 0);
    await served;
    clearTimeout(holding);
    assertLess(performance.now() - start, PATIENCE);
  },
);

const PROGRAM = `
  import { Reactor } from MODULE;
  const reactor = new Reactor();
  const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
  setTimeout(() => server.close(), 50);
  await reactor.serve({ untilIdle: true });
`;

test("serve({ untilIdle }): a program that awaits it ends with status 0", async () => {
  const module = new URL("../../mod.ts", import.meta.url).href;
  const child = new Deno.Command(denoProgram(), {
    args: ["eval", PROGRAM.replace("MODULE", JSON.stringify(module))],
  }).spawn();
  const killing = setTimeout(() => child.kill("SIGKILL"), 4 * PATIENCE);
  assertEquals((await child.status).code, 0);
  clearTimeout(killing);
});
