/**
 * The lifecycle of a reactor: `run()`, `runOnce()`, `stop()`, `close()`.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { EVENT_READ } from "../../backends/mod.ts";
import { Reactor } from "../../reactor/mod.ts";
import { bytesOf, drainSocket, elapsed, PATIENCE } from "../util.ts";
import { Log, onAnyBackend, onEachBackend } from "./stage.ts";

const { BadResource } = Deno.errors;

onEachBackend(
  "run(): it returns when nothing is left to wait for [N01]",
  (stage) => {
    const { reactor } = stage;
    reactor.run();
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    reactor.register(right, EVENT_READ, () => reactor.unregister(right));
    reactor.run();
    assertEquals(reactor.stats().events, 1);
    assert(!reactor.running);
  },
);

onEachBackend(
  "stop(): in a callback it ends run() after this turn, and run() may follow [N01]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const sockets = Array.from({ length: 3 }, () => {
      const [left, right] = stage.pair();
      left.send(bytesOf("x"));
      reactor.register(right, EVENT_READ, () => {
        log.lines.push("read");
        drainSocket(right);
        assert(reactor.running);
        reactor.stop();
      });
      return [left, right] as const;
    });
    reactor.callLater(60_000, log.note("timer"));
    reactor.run();
    assertEquals(log.lines, ["read", "read", "read"]);
    for (const [left] of sockets) left.send(bytesOf("x"));
    reactor.run();
    assertEquals(log.lines.length, 6);
  },
);

onEachBackend(
  "stop(): before run() it makes run() take one turn and return [N02]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    let calls = 0;
    reactor.register(right, EVENT_READ, () => calls++);
    reactor.stop();
    reactor.run();
    assertEquals(calls, 1);
    reactor.stop();
    assertLess(
      elapsed(() => {
        drainSocket(right);
        reactor.run();
      }),
      PATIENCE,
    );
    assertEquals(calls, 1);
  },
);

onEachBackend(
  "runOnce(): it waits no longer than its timeout, and returns whether work is left [N03]",
  (stage) => {
    const { reactor } = stage;
    assertEquals(reactor.runOnce(), false);
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => reactor.unregister(right));
    assertLess(elapsed(() => assertEquals(reactor.runOnce(), true)), PATIENCE);
    const took = elapsed(() => assertEquals(reactor.runOnce(10), true));
    assertGreaterOrEqual(took, 9.9);
    left.send(bytesOf("x"));
    assertEquals(reactor.runOnce(PATIENCE), false);
    reactor.callLater(5, () => {});
    // The timer ends the wait.
    assertLess(
      elapsed(() => assertEquals(reactor.runOnce(60_000), false)),
      PATIENCE,
    );
  },
);

onAnyBackend(
  "runOnce(): a timeout that is not a number is a TypeError",
  (stage) => {
    assertThrows(() => stage.reactor.runOnce(NaN), TypeError);
    assertThrows(() => stage.reactor.runOnce("5" as never), TypeError);
    stage.reactor.run();
  },
);

onAnyBackend(
  "stop(): a second call, or one after the end, does nothing [N04]",
  (stage) => {
    const { reactor } = stage;
    let calls = 0;
    reactor.callSoon(() => {
      reactor.stop();
      reactor.stop();
    });
    reactor.run();
    reactor.callSoon(() => calls++);
    reactor.run();
    assertEquals(calls, 1);
    reactor.close();
    reactor.stop();
  },
);

onEachBackend(
  "close(): onClose of each connection is called once, whatever others throw [N05]",
  (stage) => {
    const reactor = stage.reactor;
    const log = new Log();
    const all = Array.from({ length: 4 }, (_, index) => {
      const { connection, peer } = stage.connection();
      log.watch(connection, String(index));
      return { connection, peer };
    });
    all[1]!.connection.onClose = () => {
      throw new Error("thrown");
    };
    const { port } = stage.silentListener().localAddress as { port: number };
    log.watch(reactor.connect({ port }), "connecting");
    const datagram = reactor.datagram({ hostname: "127.0.0.1" });
    datagram.onClose = log.note("datagram close");
    reactor.close();
    reactor.close();
    assertEquals(log.lines.sort(), [
      "0 close",
      "2 close",
      "3 close",
      "connecting close Reactor was closed",
      "datagram close",
    ]);
    assertEquals(stage.takeErrors(), ["thrown"]);
    for (const { connection, peer } of all) {
      assert(connection.closed);
      assertEquals(peer.readNow(), null);
    }
  },
);

onAnyBackend(
  "close(): connect() in onClose throws [N05]",
  (stage) => {
    const { reactor } = stage;
    const listener = stage.silentListener();
    const { port } = listener.localAddress as { port: number };
    const connect = (): void => {
      const connection = reactor.connect({ port });
      connection.onClose = connect;
    };
    connect();
    reactor.callSoon(() => reactor.stop());
    reactor.run();
    reactor.close();
    assertEquals(stage.takeErrors(), ["Reactor is closed"]);
  },
);

onEachBackend(
  "stop(), close(): the turn ends, run() returns, and close() calls onClose, in this order [N06]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const { connection } = stage.connection();
    connection.onClose = log.note("the end of the connection");
    reactor.callLater(0, () => {
      reactor.callSoon(log.note("the rest of the turn"));
      reactor.stop();
      log.note("stopped")();
    });
    reactor.run();
    log.note("returned")();
    reactor.close();
    log.note("closed")();
    assertEquals(log.lines, [
      "stopped",
      "the rest of the turn",
      "returned",
      "the end of the connection",
      "closed",
    ]);
  },
);

onEachBackend(
  "close(): endpoints can be printed before and after it [N11]",
  (stage) => {
    const { reactor } = stage;
    const things = [
      reactor,
      reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {}),
      reactor.datagram({ hostname: "127.0.0.1" }),
      reactor.connect(stage.silentListener().localAddress as { port: number }),
      stage.connection().connection,
      reactor.callLater(1000, () => {}),
      reactor.net.listen({ hostname: "127.0.0.1", port: 0 }),
      reactor.readable(stage.pair()[0]),
    ];
    const print = (): void => {
      for (const thing of things) {
        const { name } = thing.constructor;
        assert(Deno.inspect(thing).includes(name), name);
        assertEquals(`${thing}`, "[object Object]");
      }
    };
    print();
    reactor.close();
    print();
  },
);

onEachBackend(
  "close(): afterwards every method throws BadResource, or does nothing [N07]",
  (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    reactor.addReader(right, () => {});
    const timer = reactor.callLater(1, () => {});
    reactor.close();
    assert(reactor.closed && !reactor.running);
    const refused = [
      () => reactor.run(),
      () => reactor.runOnce(),
      () => reactor.serve(),
      () => reactor.register(right, EVENT_READ, () => {}),
      () => reactor.modify(right, EVENT_READ, () => {}),
      () => reactor.unregister(right),
      () => reactor.addReader(right, () => {}),
      () => reactor.addWriter(right, () => {}),
      () => reactor.callSoon(() => {}),
      () => reactor.callLater(1, () => {}),
      () => reactor.callEvery(1, () => {}),
      () => reactor.wake(),
      () => reactor.wakeFd,
      () => reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {}),
      () => reactor.connect({ port: 9 }),
      () => reactor.datagram({ hostname: "127.0.0.1" }),
    ];
    for (const method of refused) {
      assertThrows(method, BadResource, "Reactor is closed", String(method));
    }
    assertEquals(reactor.removeReader(right), false);
    assertEquals(reactor.removeWriter(right), false);
    timer.cancel();
    reactor.stop();
    reactor.ref();
    reactor.unref();
    reactor.close();
    assertEquals(reactor.stats().registered, 0);
    assertEquals(reactor.stats().timers, 0);
  },
);

onEachBackend(
  "close(): registered file objects stay open [N08]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    reactor.register(right, EVENT_READ, () => {});
    reactor.close();
    left.send(bytesOf("xyz"));
    assertEquals(drainSocket(right), 3);
  },
);

onAnyBackend(
  "close(): it closes the selector, and `using` closes the reactor [N08]",
  (stage) => {
    const selector = stage.backend.make<never>();
    {
      using reactor = new Reactor({ selector });
      assertStrictEquals(reactor.selector, selector);
    }
    assertThrows(() => selector.select(0), BadResource);
  },
);

onEachBackend(
  "Connection: onClose is called once, after the other callbacks of its turn [N09]",
  (stage) => {
    const log = new Log();
    const pairs = [stage.connection(), stage.connection()];
    pairs.forEach(({ connection, peer }, index) => {
      log.watch(connection, String(index));
      connection.onData = () => {
        log.lines.push(`${index} data`);
        connection.close();
      };
      peer.send("x");
    });
    stage.until(() => log.lines.length >= 4, "both ends");
    stage.turns();
    assertEquals(log.lines.slice(0, 2).sort(), ["0 data", "1 data"]);
    assertEquals(log.lines.slice(2).sort(), ["0 close", "1 close"]);
  },
);

onEachBackend(
  "Acceptor.close(): open connections are served, and then run() returns [N10]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const acceptor = stage.listen((connection) => {
      log.watch(connection);
      connection.onData = (chunk) => connection.write(chunk);
      acceptor.close();
    });
    const { address } = acceptor;
    const peer = stage.dial(address);
    stage.until(() => acceptor.closed, "the connection");
    assertThrows(() => stage.dial(address), Deno.errors.ConnectionRefused);
    peer.send("hello");
    assertEquals(peer.readText(5), "hello");
    peer.end();
    reactor.callLater(PATIENCE, () => reactor.stop()).unref();
    stage.until(() => log.lines.includes("end"), "the end of the peer");
    reactor.run();
  },
);

onAnyBackend(
  "Reactor: a yieldInterval that is not positive is a RangeError",
  () => {
    assertThrows(() => new Reactor({ yieldInterval: 0 }), RangeError);
    assertThrows(() => new Reactor({ yieldInterval: NaN }), RangeError);
  },
);
