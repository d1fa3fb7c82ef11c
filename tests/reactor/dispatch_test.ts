/**
 * Dispatch, and all that a callback may do to other file objects during it.
 */

import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { isOpen } from "../../backends/ffi/descriptor.ts";
import { close, Socket } from "../../backends/ffi/mod.ts";
import { EVENT_READ, EVENT_WRITE } from "../../backends/mod.ts";
import { dup2 } from "../descriptors.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf, drainSocket, unixSockets } from "../util.ts";
import { Log, onAnyBackend, onEachBackend, type Stage } from "./stage.ts";

/** Sockets that are readable at once. */
function readySockets(stage: Stage, count: number): Socket[] {
  return Array.from({ length: count }, () => {
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    return right;
  });
}

onEachBackend(
  "register(): the callback is called with the file object as registered, and its events",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    const both = EVENT_READ | EVENT_WRITE;
    const calls: unknown[] = [];
    reactor.register(socket!, both, (...args) => calls.push(args));
    reactor.runOnce();
    assertEquals(calls.length, 1);
    const [fileobj, events] = calls[0] as [unknown, number];
    assertStrictEquals(fileobj, socket);
    assertEquals(events, both);
  },
);

onEachBackend(
  "unregister(): a callback that unregisters itself is not called again [F01]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    let calls = 0;
    reactor.register(socket!, EVENT_READ, (fileobj) => {
      calls++;
      reactor.unregister(fileobj);
    });
    stage.turns();
    assertEquals(calls, 1);
  },
);

onEachBackend(
  "unregister(): a callback may unregister a file object that is ready in the same turn [F02]",
  (stage) => {
    const { reactor } = stage;
    const sockets = readySockets(stage, 8);
    const called: Socket[] = [];
    for (const socket of sockets) {
      reactor.register(socket, EVENT_READ, () => {
        called.push(socket);
        for (const other of sockets) reactor.unregister(other);
      });
    }
    stage.turns();
    assertEquals(called.length, 1);
  },
);

onEachBackend(
  "close(): ready connections that a callback closes have no more events, and one onClose each [F03]",
  (stage) => {
    const count = 200;
    const closed: number[] = [];
    const connections = Array.from({ length: count }, (_, index) => {
      const { connection, peer } = stage.connection();
      peer.send("x");
      connection.onClose = () => closed.push(index);
      return connection;
    });
    let calls = 0;
    for (const connection of connections) {
      connection.onData = () => {
        calls++;
        for (const other of connections) other.abort();
      };
    }
    stage.until(() => closed.length === count, "every end");
    stage.turns();
    assertEquals(calls, 1);
    assertEquals(closed.length, count);
    assertEquals(new Set(closed).size, count);
  },
);

onEachBackend(
  "dispatch: an event of a closed socket does not reach the next socket with its descriptor [F04]",
  (stage) => {
    const { reactor } = stage;
    const [one, two] = readySockets(stage, 2);
    const stale: string[] = [];
    const replace = (other: Socket): void => {
      const number = other.fd;
      reactor.unregister(other);
      other.close();
      const next = stage.successor(number);
      reactor.register(next, EVENT_READ | EVENT_WRITE, () => {
        stale.push("next");
        reactor.unregister(next);
      });
    };
    reactor.register(one!, EVENT_READ, () => replace(two!));
    reactor.register(two!, EVENT_READ, () => replace(one!));
    reactor.runOnce();
    assertEquals(stale, []);
    reactor.selector.getMap().forEach(({ fileobj }) => {
      reactor.unregister(fileobj);
    });
  },
);

onEachBackend(
  "connect(): an event of an earlier socket with its descriptor does not establish it [F04]",
  (stage) => {
    const { reactor } = stage;
    const { port } = stage.fullListener();
    const log = new Log();
    const sockets = readySockets(stage, 2);
    for (const [index, socket] of sockets.entries()) {
      reactor.register(socket, EVENT_READ | EVENT_WRITE, () => {
        const other = sockets[1 - index]!;
        if (other.fd === -1) return;
        reactor.unregister(other);
        other.close();
        reactor.connect({ port }, log.note("connected"));
        reactor.unregister(socket);
      });
    }
    stage.turns(3);
    assertEquals(log.lines, []);
  },
);

onEachBackend(
  "addWriter(): the writer of a new socket is not called with the event of an earlier one [F04]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    const log = new Log();
    reactor.addWriter(socket!, log.note("old writer"));
    reactor.addReader(socket!, () => {
      const number = socket!.fd;
      reactor.removeReader(socket!);
      reactor.removeWriter(socket!);
      socket!.close();
      stage.successor(number, () => Socket.create("IPv4", "datagram"));
      reactor.addWriter(number, log.note("new writer"));
      log.lines.push("reader");
    });
    reactor.runOnce(1000);
    assertEquals(log.lines, ["reader"]);
    reactor.runOnce(1000);
    assertEquals(log.lines, ["reader", "new writer"]);
  },
);

onEachBackend(
  "dispatch: bytes of another file with the descriptor do not reach the old callback [F05]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const [old] = stage.pair();
    const { fd } = old;
    const received: number[] = [];
    reactor.register(old, EVENT_READ, () => received.push(drainSocket(fd)));
    old.close();
    dup2(right.fd, fd);
    stage.defer(() => close(fd));
    left.send(bytesOf("for the new owner"));
    // Where the system reports that the old file was closed, no byte is read either.
    stage.reactor.runOnce();
    if (received.length === 0) assertEquals(drainSocket(right), 17);
    else assert(stage.backend.capabilities.reportsClosed);
    stage.turns();
    assertLess(received.length, 2);
  },
);

onEachBackend(
  "close(): a second call leaves the next socket with the descriptor alone [F06]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const { fd } = connection;
    connection.abort();
    const next = stage.use(Socket.create());
    dup2(next.fd, fd);
    stage.defer(() => close(fd));
    connection.abort();
    connection.close();
    connection.end();
    assertEquals(connection.write(bytesOf("x")), false);
    assert(isOpen(fd));
    assertEquals(peer.readNow(), null);
  },
);

onEachBackend(
  "unregister(): a closed descriptor with a duplicate has no more events [F07]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const copy = Socket.adopt(dup2To(right.fd, 900));
    stage.use(copy);
    reactor.register(right, EVENT_READ, () => {
      throw new Error("called");
    });
    reactor.unregister(right);
    right.close();
    left.send(bytesOf("x"));
    stage.turns();
    const before = reactor.stats().turns;
    reactor.runOnce(20);
    assertEquals(reactor.stats().turns, before + 1);
  },
);

function dup2To(fd: number, number: number): number {
  dup2(fd, number);
  return number;
}

onEachBackend(
  "dispatch: a descriptor that is closed without unregister() neither crashes nor spins the loop [F08]",
  (stage) => {
    const { reactor } = stage;
    const [gone] = stage.pair();
    const [socket] = readySockets(stage, 1);
    let reports = 0;
    reactor.register(gone, EVENT_READ, () => reports++);
    gone.close();
    let served = 0;
    reactor.register(socket!, EVENT_READ, () => {
      served++;
      drainSocket(socket!);
    });
    const timer = reactor.callLater(30, () => reactor.stop());
    const turns = reactor.stats().turns;
    reactor.run();
    assertLess(reactor.stats().turns - turns, 12);
    assertEquals(served, 1);
    assertLess(reports, 2);
    assert(!timer.active);
  },
);

onEachBackend(
  "dispatch: a file object that loses its descriptor in its callback is dropped [F09]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    left.send(bytesOf("x"));
    let calls = 0;
    reactor.register(right, EVENT_READ, () => {
      calls++;
      right.close();
    });
    stage.turns();
    // Once more where the system reports closed descriptors.
    assertLess(calls, 3);
    const before = calls;
    stage.turns();
    assertEquals(calls, before);
  },
);

onEachBackend(
  "close(): a connection that is closed in onData is not read again [F09]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    connection.onData = () => {
      log.lines.push("data");
      connection.close();
      assertEquals(connection.fd, -1);
    };
    peer.send("x");
    stage.turns();
    peer.send("y");
    stage.turns();
    assertEquals(log.lines, ["data", "close"]);
  },
);

onEachBackend(
  "register(): a callback that is registered during a turn is called from the next turn on [F10]",
  (stage) => {
    const { reactor } = stage;
    const [one, two] = readySockets(stage, 2);
    const log = new Log();
    reactor.register(one!, EVENT_READ, (fileobj) => {
      log.lines.push("one");
      reactor.unregister(fileobj);
      reactor.register(two!, EVENT_READ, log.note("two"));
    });
    reactor.runOnce(1000);
    assertEquals(log.lines, ["one"]);
    reactor.runOnce(1000);
    assertEquals(log.lines, ["one", "two"]);
  },
);

onEachBackend(
  "removeWriter(): a reader may remove the writer of its descriptor in the same turn [F11]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    const log = new Log();
    reactor.addReader(socket!, () => {
      log.lines.push("reader");
      assert(reactor.removeReader(socket!));
      assert(reactor.removeWriter(socket!));
      socket!.close();
    });
    reactor.addWriter(socket!, log.note("writer"));
    stage.turns();
    assertEquals(log.lines, ["reader"]);
  },
);

onEachBackend(
  "abort(): in onData it discards the queue although the socket is writable [F11]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const log = new Log();
    log.watch(connection);
    connection.onData = () => connection.abort();
    connection.write(new Uint8Array(1 << 20));
    assertNotEquals(connection.bufferedAmount, 0);
    peer.send("x");
    stage.until(() => connection.closed, "the abort");
    stage.turns();
    assertEquals(log.lines, ["close"]);
  },
);

onEachBackend(
  "modify(): a callback may switch from reading to writing, and then unregister [F12]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    const calls: number[] = [];
    reactor.register(socket!, EVENT_READ, (fileobj, events) => {
      calls.push(events);
      reactor.modify(fileobj, EVENT_WRITE, (fileobj, events) => {
        calls.push(events);
        reactor.unregister(fileobj);
      });
    });
    stage.turns();
    assertEquals(calls, [EVENT_READ, EVENT_WRITE]);
  },
);

onEachBackend(
  "modify(): events that a callback changes and restores are not lost [F13]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    let calls = 0;
    const callback = (): void => {
      calls++;
      reactor.modify(socket!, EVENT_WRITE, callback);
      reactor.modify(socket!, EVENT_READ, callback);
    };
    reactor.register(socket!, EVENT_READ, callback);
    for (let turn = 1; turn <= 3; turn++) {
      reactor.runOnce(1000);
      assertEquals(calls, turn);
    }
  },
);

onEachBackend(
  "onError: it is called with the error of a callback, and other callbacks are called [F14]",
  (stage) => {
    const { reactor } = stage;
    const sockets = readySockets(stage, 6);
    let served = 0;
    for (const [index, socket] of sockets.entries()) {
      reactor.register(socket, EVENT_READ, () => {
        served++;
        reactor.unregister(socket);
        if (index % 2 === 0) throw new Error("thrown");
      });
    }
    reactor.run();
    assertEquals(served, 6);
    assertEquals(stage.takeErrors(), ["thrown", "thrown", "thrown"]);
  },
);

onEachBackend(
  "Connection: an error of its callback closes it, and no other connection [F14]",
  (stage) => {
    const [bad, good] = [stage.connection(), stage.connection()];
    const log = new Log();
    log.watch(bad.connection, "bad");
    log.watch(good.connection, "good");
    bad.connection.onData = () => {
      throw new Error("thrown");
    };
    bad.peer.send("x");
    good.peer.send("x");
    stage.until(() => log.lines.length === 2, "both");
    assertEquals(log.lines.sort(), ["bad close thrown", "good data x"]);
    assertEquals(stage.takeErrors(), ["thrown"]);
    assertEquals(bad.peer.read(), new Uint8Array(0));
  },
);

onEachBackend(
  "Connection: an error of onEnd, onDrain or onConnect closes it, too [F14]",
  (stage) => {
    const closed: string[] = [];
    const fail = (): never => {
      throw new Error("thrown");
    };
    const ended = stage.connection();
    ended.connection.onData = () => {};
    ended.connection.onEnd = fail;
    const drained = stage.narrow({ highWaterMark: 0 });
    drained.connection.onDrain = fail;
    drained.connection.write(new Uint8Array(1 << 19));
    const listener = stage.silentListener();
    const { port } = listener.localAddress as { port: number };
    const connected = stage.reactor.connect({ port }, fail);
    const all: Record<string, { connection: Connection }> = {
      ended,
      drained,
      connected: { connection: connected },
    };
    for (const [name, { connection }] of Object.entries(all)) {
      connection.onClose = (error) => closed.push(`${name} ${error?.message}`);
    }
    ended.peer.end();
    stage.until(() => {
      drained.peer.readNow();
      return closed.length === 3;
    }, "all ends");
    assertEquals(
      closed.sort(),
      ["connected thrown", "drained thrown", "ended thrown"],
    );
    assertEquals(stage.takeErrors().length, 3);
  },
);

onEachBackend("Connection: an error of onClose is reported [F14]", (stage) => {
  const { connection } = stage.connection();
  connection.onClose = () => {
    throw new Error("thrown");
  };
  connection.close();
  stage.turns(1);
  assertEquals(stage.takeErrors(), ["thrown"]);
});

onEachBackend(
  "onError: an error that it throws ends run(), and no callback is skipped or called twice [F14]",
  (stage) => {
    const log = new Log();
    const reactor = stage.make({
      onError: (error) => {
        throw error;
      },
    });
    reactor.callSoon(() => {
      throw new Error("thrown");
    });
    reactor.callSoon(log.note("soon"));
    reactor.callLater(0, log.note("timer"));
    assertThrows(() => reactor.run(), Error, "thrown");
    assert(!reactor.running);
    reactor.run();
    assertEquals(log.lines.sort(), ["soon", "timer"]);
  },
);

onEachBackend(
  "Connection: no method calls a callback before it returns [F15]",
  (stage) => {
    const { connection } = stage.narrow({ highWaterMark: 1 });
    const log = new Log();
    log.watch(connection);
    connection.write(new Uint8Array(1 << 20));
    connection.pause();
    connection.resume();
    connection.end();
    connection.close();
    connection.abort();
    const refused = stage.reactor.connect({ path: "/nonexistent/socket" });
    log.watch(refused, "refused");
    const cancelled = stage.reactor.connect(
      { port: 9, signal: AbortSignal.abort(new Error("why not")) },
    );
    log.watch(cancelled, "cancelled");
    const datagram = stage.reactor.datagram({ hostname: "127.0.0.1" });
    datagram.onError = log.note("datagram error");
    datagram.onClose = log.note("datagram close");
    datagram.send(new Uint8Array(70_000), datagram.address);
    datagram.close();
    assertEquals(log.lines, []);
    stage.turns(3);
    assertEquals(log.lines.sort(), [
      "cancelled close why not",
      "close",
      "datagram close",
      "datagram error",
      unixSockets ? "refused close ENOENT" : "refused close EAFNOSUPPORT",
    ]);
  },
);

onEachBackend(
  "run(), runOnce(), serve(): in a callback they throw Busy, and the loop continues [F16]",
  (stage) => {
    const { reactor } = stage;
    const { Busy } = Deno.errors;
    const log = new Log();
    reactor.callSoon(() => {
      assertThrows(() => reactor.run(), Busy, "already running");
      assertThrows(() => reactor.runOnce(), Busy);
      assertThrows(() => reactor.serve(), Busy);
      assert(reactor.running);
      reactor.callSoon(log.note("next"));
    });
    reactor.run();
    assertEquals(log.lines, ["next"]);
  },
);

onEachBackend(
  "close(): in a callback it throws Busy, and the loop continues [F17]",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    reactor.callSoon(() => {
      assertThrows(() => reactor.close(), Deno.errors.Busy, "stop it before");
      reactor.callSoon(log.note("next"));
    });
    reactor.run();
    assertEquals(log.lines, ["next"]);
    assert(!reactor.closed);
  },
);

onEachBackend(
  "close(): in a callback during serve() it throws Busy, too [F17]",
  async (stage) => {
    const { reactor } = stage;
    reactor.callSoon(() => {
      assertThrows(() => reactor.close(), Deno.errors.Busy);
      reactor.stop();
    });
    await reactor.serve();
    assert(!reactor.closed);
  },
);

onEachBackend(
  "callSoon(): in a function of callSoon() it waits for the next turn, after I/O [F18]",
  (stage) => {
    const { reactor } = stage;
    const [socket] = readySockets(stage, 1);
    const log = new Log();
    let rounds = 0;
    const again = (): void => {
      if (++rounds < 100) reactor.callSoon(again);
      log.lines.push("soon");
    };
    reactor.callSoon(again);
    reactor.register(socket!, EVENT_READ, () => {
      log.lines.push("read");
      reactor.unregister(socket!);
    });
    reactor.run();
    assertEquals(log.lines.slice(0, 2), ["read", "soon"]);
    assertEquals(rounds, 100);
  },
);

onEachBackend(
  "stop(): after it and run() a callback is not called twice for one event [F19]",
  (stage) => {
    const { reactor } = stage;
    const sockets = readySockets(stage, 3);
    const calls = new Map<Socket, number>();
    for (const socket of sockets) {
      reactor.register(socket, EVENT_READ, () => {
        calls.set(socket, (calls.get(socket) ?? 0) + 1);
        drainSocket(socket);
        reactor.stop();
      });
    }
    for (let round = 0; round < 3; round++) {
      reactor.callSoon(() => reactor.stop());
      reactor.run();
    }
    assertEquals([...calls.values()], [1, 1, 1]);
  },
);

onEachBackend(
  "unregister(): a callback may unregister all file objects, and no other callback is called [F20]",
  (stage) => {
    const { reactor } = stage;
    const sockets = readySockets(stage, 8);
    const removed: unknown[] = [];
    let calls = 0;
    const removeAll = (): void => {
      calls++;
      for (const { fileobj } of [...reactor.selector.getMap().values()]) {
        removed.push(reactor.unregister(fileobj).fileobj);
      }
    };
    for (const socket of sockets) {
      reactor.register(socket, EVENT_READ, removeAll);
    }
    reactor.run();
    stage.turns();
    assertEquals([calls, removed.length], [1, 8]);
    assertEquals(new Set(removed), new Set(sockets));
    assertEquals(reactor.stats().registered, 0);
  },
);

onEachBackend("close(): a callback may close all connections", (stage) => {
  const { reactor } = stage;
  const acceptor = stage.listen(() => {});
  const all = Array.from({ length: 10 }, () => stage.connection());
  const datagram = reactor.datagram({ hostname: "127.0.0.1" });
  datagram.onMessage = () => {};
  let ends = 0;
  for (const { connection, peer } of all) {
    connection.onClose = () => ends++;
    connection.onData = () => {
      for (const { connection } of all) connection.close();
      acceptor.close();
      datagram.close();
    };
    peer.send("x");
  }
  stage.until(() => ends === 10, "every end");
  reactor.run();
  assertEquals(reactor.stats().registered, 0);
});

onAnyBackend(
  "Reactor: a callback that is not a function is a TypeError, and nothing is registered [H17]",
  (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const nothing = undefined as unknown as () => void;
    const givings = [
      () => reactor.register(right, EVENT_READ, nothing),
      () => reactor.addReader(right, nothing),
      () => reactor.addWriter(right, nothing),
      () => reactor.callSoon(nothing),
      () => reactor.callLater(0, nothing),
      () => reactor.callEvery(1, nothing),
    ];
    for (const give of givings) {
      assertThrows(give, TypeError, "Cannot call undefined");
    }
    const { registered, timers } = reactor.stats();
    assertEquals([registered, timers], [0, 0]);
    reactor.run();
    const key = reactor.register(right, EVENT_READ, () => {});
    const modify = () => reactor.modify(right, EVENT_READ, nothing);
    assertThrows(modify, TypeError, "Cannot call undefined");
    assertEquals(reactor.selector.getKey(right), key);
  },
);
