/**
 * Limits for peers: connections, time, memory, processor time, lines of a log.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { close, Socket, write } from "../../backends/ffi/mod.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { EVENT_READ } from "../../backends/mod.ts";
import {
  type Connection,
  type Datagram,
  Reactor,
  type ReactorOptions,
} from "../../reactor/mod.ts";
import {
  anyFile,
  NEEDS_POSIX,
  pairOf,
  PATIENCE,
  posixTest,
  runDeno,
  test,
} from "../util.ts";
import { Log, onAnyBackend, onEachBackend } from "./stage.ts";

const MIB = 1024 * 1024;

onEachBackend(
  "listen(): beyond maximumConnections connections wait until others close",
  (stage) => {
    const open: Connection[] = [];
    const options = { maximumConnections: 2 };
    const acceptor = stage.listen((peer) => {
      peer.onData = (chunk) => peer.write(chunk);
      open.push(peer);
    }, options);
    const peers = [0, 1, 2, 3].map(() => stage.dial(acceptor.address));
    for (const peer of peers) peer.send("x");
    stage.until(() => open.length === 2, "as many as there may be");
    assertEquals(peers[0]!.readText(1), "x");
    assertEquals(open.length, 2);
    open[0]!.close();
    stage.until(() => open.length === 3, "the third");
    assertEquals(peers[2]!.readText(1), "x");
    assertEquals(open.length, 3);
    peers[1]!.socket.close();
    stage.until(() => open.length === 4, "the fourth");
    assertEquals(peers[3]!.readText(1), "x");
  },
);

onAnyBackend(
  "listen(): a connection that onConnection aborts, or whose onConnection throws, no longer counts",
  (stage) => {
    let count = 0;
    const acceptor = stage.listen((peer) => {
      if (count++ === 0) throw new Error("not this one");
      peer.abort();
    }, { maximumConnections: 1 });
    for (let round = 0; round < 3; round++) stage.dial(acceptor.address);
    stage.until(() => count === 3, "all of them");
    assertEquals(stage.takeErrors(), ["not this one"]);
  },
);

onAnyBackend(
  "listen(): resume() does not exceed maximumConnections, and pause() holds below it",
  (stage) => {
    const open: Connection[] = [];
    const acceptor = stage.listen((peer) => open.push(peer), {
      maximumConnections: 1,
    });
    for (let round = 0; round < 3; round++) stage.dial(acceptor.address);
    stage.until(() => open.length === 1, "the first");
    acceptor.resume();
    stage.turns(5);
    assertEquals(open.length, 1);
    acceptor.pause();
    open[0]!.close();
    stage.turns(5);
    assertEquals(open.length, 1);
    acceptor.resume();
    stage.until(() => open.length === 2, "the second");
  },
);

onAnyBackend("listen(): limits out of range are refused", (stage) => {
  const listen = (options: object): unknown =>
    stage.reactor.listen({ port: 0, ...options }, () => {});
  for (const maximumConnections of [0, -1, 1.5, NaN]) {
    assertThrows(() => listen({ maximumConnections }), RangeError);
  }
  for (const idleTimeout of [-1, NaN]) {
    assertThrows(() => listen({ idleTimeout }), RangeError);
  }
  assertThrows(() => new Reactor({ maximumQueued: -1 }), RangeError);
});

onEachBackend(
  "listen(): idleTimeout ends idle connections, and no others",
  (stage) => {
    const ends: (Error | undefined)[] = [];
    const acceptor = stage.listen((peer) => {
      peer.onData = () => {};
      peer.onClose = (error) => ends.push(error);
    }, { idleTimeout: 400 });
    stage.dial(acceptor.address);
    const busy = stage.dial(acceptor.address);
    const ticker = stage.reactor.callEvery(10, () => busy.send("x"));
    stage.until(() => ends.length === 1, "the end of the silent");
    ticker.cancel();
    assertInstanceOf(ends[0], Deno.errors.TimedOut);
    stage.until(() => ends.length === 2, "the end of the other");
  },
);

onAnyBackend(
  "listen(): idleTimeout ends no connection whose bytes came while the thread was blocked",
  async (stage) => {
    const { reactor } = stage;
    const all = Promise.withResolvers<void>();
    const ends: unknown[] = [];
    const open: Connection[] = [];
    let received = 0;
    const options = { idleTimeout: 1600 };
    const acceptor = stage.listen((peer) => {
      open.push(peer);
      peer.onData = () => {
        if (++received === peers.length) all.resolve();
      };
      peer.onClose = (error) => {
        ends.push(error);
        all.resolve();
      };
    }, options);
    // Many more than serve() dispatches in a turn.
    const peers = Array.from(
      { length: 300 },
      () => stage.dial(acceptor.address),
    );
    stage.until(() => open.length === peers.length, "all connections");
    for (const peer of peers) peer.send("x");
    reactor.callSoon(() => {
      const end = performance.now() + 1800;
      while (performance.now() < end);
    });
    const served = reactor.serve();
    await all.promise;
    assertEquals([ends, received], [[], peers.length]);
    for (const connection of open) connection.onClose = null;
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "write(): 16 MiB may be queued for one peer, and more ends the connection",
  (stage) => {
    const { connection } = stage.narrow();
    const log = new Log();
    log.watch(connection);
    for (let count = 0; count < 17; count++) {
      connection.write(new Uint8Array(MIB));
    }
    stage.turns(1);
    assertEquals(log.lines, []);
    connection.write(new Uint8Array(1));
    connection.write(new Uint8Array(1));
    stage.until(() => log.lines.length > 0, "the end");
    assertEquals(log.lines, ["close Cannot queue more than 16777216 bytes"]);
  },
);

/** Calls after a refused write: the connection ends with its error all the same. */
const AFTER_REFUSAL: Record<string, (connection: Connection) => void> = {
  "close()": (connection) => connection.close(),
  "end()": (connection) => connection.end(),
  "uncork() and a write": (connection) => {
    connection.uncork();
    assertEquals(connection.write("later"), false);
  },
};

onAnyBackend(
  "write(): no byte follows a refused one, and no end of file without an error, though the queue is sent",
  (stage) => {
    for (const [name, follow] of Object.entries(AFTER_REFUSAL)) {
      const [left, peer] = stage.pair();
      const connection = stage.reactor.adopt(left, { maximumQueued: 10 });
      const log = new Log();
      log.watch(connection);
      peer.shutdown("write");
      stage.until(() => log.lines.length === 1, "the peer's end of file");
      connection.cork();
      connection.write("queued");
      assertEquals(connection.write("refused"), false, name);
      follow(connection);
      assertEquals(connection.bufferedAmount, 0, name);
      stage.until(() => log.lines.length > 1, "the end");
      const error = "close Cannot queue more than 10 bytes";
      assertEquals(log.lines, ["end", error], name);
      // The abort is a reset. With it, Windows discards the bytes before.
      if (!anyFile) continue;
      assertEquals(peer.recv(new Uint8Array(20)), "queued".length, name);
    }
  },
);

onAnyBackend(
  "close(): a connect whose bytes were refused ends with the error of the refusal",
  () => {
    using reactor = new Reactor({ maximumQueued: 0 });
    const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    const full = reactor.connect(server.address);
    full.write("queued");
    const refused = reactor.connect(server.address);
    const log = new Log();
    log.watch(refused);
    assertEquals(refused.write("refused"), false);
    refused.close();
    for (let turn = 0; turn < 3; turn++) reactor.runOnce(0);
    assertEquals(log.lines, ["close Cannot queue more than 0 bytes in all"]);
  },
);

onAnyBackend(
  "write(): a list of more bytes than maximumQueued is queued as a whole, as one chunk is",
  (stage) => {
    const [left, peer] = stage.pair();
    const connection = stage.reactor.adopt(left, { maximumQueued: MIB });
    const chunk = new Uint8Array(MIB);
    assertEquals(connection.write([chunk, chunk, chunk, chunk]), false);
    assert(connection.bufferedAmount > MIB);
    const buffer = new Uint8Array(MIB);
    let received = 0;
    stage.until(() => {
      received += Math.max(peer.recv(buffer), 0);
      return received === 4 * MIB;
    }, "all bytes");
    assertEquals([connection.bufferedAmount, connection.closed], [0, false]);
  },
);

/** Two connections whose peers do not read, on a reactor of their own. */
function withTwo(
  maximumQueued: number,
  body: (
    reactor: Reactor,
    writers: Connection[],
    ends: string[],
    peers: Socket[],
  ) => void,
): void {
  using reactor = new Reactor({ maximumQueued });
  const writers: Connection[] = [];
  const ends: string[] = [];
  const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
    const index = writers.push(peer) - 1;
    peer.onClose = (error) => ends.push(`${index} ${error?.message}`);
  });
  const peers = [0, 1].map(() => {
    const socket = Socket.create("IPv4", "stream");
    socket.setOption("receiveBufferSize", 4096);
    socket.connect(server.address);
    return socket;
  });
  while (writers.length < 2) reactor.runOnce(100);
  for (const writer of writers) writer.socket.setOption("sendBufferSize", 4096);
  body(reactor, writers, ends, peers);
  for (const socket of peers) socket.close();
}

test("Reactor: maximumQueued limits all queues together, and more ends the connection", () => {
  withTwo(4 * MIB, (reactor, writers, ends) => {
    const [first, second] = writers as [Connection, Connection];
    first.write(new Uint8Array(8 * MIB));
    assert(reactor.stats().bytesQueued > 4 * MIB);
    second.write(new Uint8Array(8 * MIB));
    // No byte may follow a refused one.
    assertEquals(second.write(new Uint8Array(1)), false);
    assertEquals(second.bufferedAmount, 0);
    // It is aborted in the next iteration, and onClose called in the one after.
    for (let turn = 0; turn < 2; turn++) reactor.runOnce();
    assertEquals(ends, ["1 Cannot queue more than 4194304 bytes in all"]);
    first.abort();
    assertEquals(reactor.stats().bytesQueued, 0);
  });
});

test("Reactor: below maximumQueued writes are queued again", () => {
  withTwo(4 * MIB, (reactor, writers, ends) => {
    const [first, second] = writers as [Connection, Connection];
    first.write(new Uint8Array(8 * MIB));
    first.abort();
    second.write(new Uint8Array(3 * MIB));
    assert(second.bufferedAmount > 0);
    reactor.runOnce();
    assertEquals(ends, ["0 undefined"]);
  });
});

/** A Unix socket without a fixed peer, whose peer does not read, and its queue. */
function withDeafPeer(
  body: (reactor: Reactor, sender: Datagram) => void,
): void {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/peer`;
  using reactor = new Reactor();
  const deaf = Socket.create("unix", "datagram");
  deaf.bind({ path });
  const sender = reactor.datagram({ path: "" });
  for (let count = 0; count < 100; count++) {
    sender.send(new Uint8Array(100), { path });
  }
  assert(sender.bufferedAmount > 0, "the peer has room for all of them");
  body(reactor, sender);
  if (!sender.closed) sender.close();
  reactor.runOnce();
  deaf.close();
  Deno.removeSync(directory, { recursive: true });
}

test(
  "Datagram: a Unix peer that does not read costs a few attempts, not a spinning loop",
  () => {
    withDeafPeer((reactor) => {
      const timer = reactor.callLater(300, () => reactor.stop());
      const before = reactor.stats().turns;
      reactor.run();
      timer.cancel();
      // One each 10 ms, and the timer's own: it was tens of thousands.
      assert(reactor.stats().turns - before < 100);
    });
  },
  NEEDS_POSIX,
);

test("Datagram: queued messages for a Unix peer are sent once it reads", () => {
  const directory = Deno.makeTempDirSync();
  const path = `${directory}/peer`;
  using reactor = new Reactor();
  const sender = reactor.datagram({ path: "" });
  const peer = reactor.datagram({ path });
  let received = 0;
  peer.onMessage = () => {
    if (++received === 100) reactor.stop();
  };
  peer.pause();
  for (let count = 0; count < 100; count++) {
    sender.send(new Uint8Array(100), { path });
  }
  reactor.callLater(50, () => peer.resume());
  const patience = reactor.callLater(PATIENCE, () => reactor.stop());
  reactor.run();
  patience.cancel();
  assertEquals([received, sender.bufferedAmount], [100, 0]);
  Deno.removeSync(directory, { recursive: true });
}, NEEDS_POSIX);

/** Runs a test with a reactor, a pipe that is always readable, and the reported errors. */
function withReadable(
  body: (reactor: Reactor, fd: number, reported: unknown[]) => void,
  options: ReactorOptions = {},
): void {
  const reported: unknown[] = [];
  const [reader, writer] = wakePair();
  const onError = (error: unknown): number => reported.push(error);
  using reactor = new Reactor({ ...options, onError });
  write(writer, new Uint8Array(1));
  try {
    body(reactor, reader, reported);
  } finally {
    close(reader);
    close(writer);
  }
}

test("Reactor: a callback that throws 100 times in a row is unregistered, and each error is reported once", () => {
  withReadable((reactor, fd, reported) => {
    let calls = 0;
    reactor.register(fd, EVENT_READ, () => {
      calls++;
      throw new Error(`error ${calls}`);
    });
    reactor.run(); // returns: nothing is left to wait for
    assertEquals(calls, 100);
    const messages = reported.map((error) => (error as Error).message);
    assertEquals(
      messages.slice(0, 99),
      Array.from({ length: 99 }, (_, index) => `error ${index + 1}`),
    );
    assertEquals(messages.slice(99), [
      "Callback was unregistered: it has thrown 100 times in a row",
    ]);
    const last = reported[99] as Error;
    assertEquals((last.cause as Error).message, "error 100");
    // The file object may be registered again.
    reactor.register(fd, EVENT_READ, () => reactor.stop());
    reactor.run();
    reactor.unregister(fd);
  });
});

test("Reactor: a callback that returns in between stays registered, however often it throws", () => {
  withReadable((reactor, fd, reported) => {
    let calls = 0;
    reactor.register(fd, EVENT_READ, () => {
      if (++calls === 400) reactor.stop();
      if (calls % 100 !== 0) throw new Error("now and then");
    });
    reactor.run();
    assertEquals([calls, reported.length], [400, 396]);
    reactor.unregister(fd);
  });
});

test("Reactor: very many callbacks that throw in the same turns are unregistered, too", () => {
  const reported: unknown[] = [];
  const pairs = Array.from({ length: 200 }, () => pairOf());
  using reactor = new Reactor({ onError: (error) => reported.push(error) });
  for (const { left, right } of pairs) {
    left.send(new Uint8Array(1));
    reactor.register(right, EVENT_READ, () => {
      throw new Error("as ever");
    });
  }
  let turns = 0;
  while (reactor.runOnce(1) && turns < 1000) turns++;
  assertEquals(reactor.stats().registered, 0);
  assertEquals(reported.length, 100 * pairs.length);
  for (const pair of pairs) pair[Symbol.dispose]();
});

test("Reactor: with diagnose(), a callback that throws 100 times in a row is unregistered, too", async () => {
  const reported: unknown[] = [];
  const { left, right } = pairOf();
  const onError = (error: unknown): number => reported.push(error);
  using reactor = new Reactor({ onError });
  await reactor.diagnose();
  left.send(new Uint8Array(1));
  reactor.addReader(right, () => {
    throw new Error("as ever");
  });
  reactor.run();
  assertEquals(reported.length, 100);
  left.close();
  right.close();
});

posixTest(
  "Reactor: errors that a peer can cause are reported once a second for each kind",
  () => {
    const reported: unknown[] = [];
    using reactor = new Reactor({ onError: (error) => reported.push(error) });
    const datagram = reactor.datagram({ hostname: "127.0.0.1", port: 0 });
    // As a reply to a datagram that was sent from port 0.
    for (let count = 0; count < 50; count++) {
      datagram.send(new Uint8Array(1), { hostname: "127.0.0.1", port: 0 });
    }
    reactor.runOnce();
    assertEquals(reported.map((error) => (error as { code: string }).code), [
      "EINVAL",
    ]);
    // A callback of the socket's own gets them all.
    let own = 0;
    datagram.onError = () => own++;
    for (let count = 0; count < 50; count++) {
      datagram.send(new Uint8Array(1), { hostname: "127.0.0.1", port: 0 });
    }
    reactor.runOnce();
    assertEquals(own, 50);
    datagram.close();
    reactor.runOnce();
  },
);

test("Conn: a read keeps the process alive only while it is pending", async () => {
  const { stdout } = await runDeno(
    `
import { Reactor } from "POLLUX/reactor/mod.ts";
const reactor = new Reactor();
reactor.serve();
const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
const client = await reactor.net.connect({ port: listener.addr.port });
const server = await listener.accept();
listener.close();
Deno.unrefTimer(setTimeout(() => (console.log("stays"), Deno.exit(1)), 30_000));
const read = client.read(new Uint8Array(8));
setTimeout(() => server.write(new Uint8Array(1)), 50);
console.log(await read);
`,
    ["-A"],
  );
  assertEquals(stdout.trim(), "1");
});

test("Conn: a pending read keeps the process alive", async () => {
  const { stdout } = await runDeno(
    `
import { Reactor } from "POLLUX/reactor/mod.ts";
const reactor = new Reactor();
reactor.serve();
const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
const client = await reactor.net.connect({ port: listener.addr.port });
const server = await listener.accept();
listener.close();
const read = client.read(new Uint8Array(8));
Deno.unrefTimer(setTimeout(() => server.write(new Uint8Array(2)), 100));
console.log(await read);
const again = client.read(new Uint8Array(8));
Deno.unrefTimer(setTimeout(() => server.write(new Uint8Array(3)), 100));
console.log(await again);
`,
    ["-A"],
  );
  assertEquals(stdout.trim(), "2\n3");
});
