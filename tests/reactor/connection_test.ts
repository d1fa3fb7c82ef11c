/**
 * The states of a connection, its ends, and its options.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { close } from "../../backends/ffi/mod.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf, NEEDS_UNIX_SOCKETS, nextTurn, openFds } from "../util.ts";
import {
  codeOf,
  isPattern,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
  textOf,
} from "./stage.ts";

/** Resets by the peer, each in another state of the connection. */
const RESETS: Record<string, (stage: Stage) => Connection> = {
  "before its first byte": (stage) => {
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    peer.reset();
    return connection;
  },
  "after its bytes": (stage) => {
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    peer.send("last words");
    peer.reset();
    return connection;
  },
  "while bytes are queued": (stage) => {
    const { connection, peer } = stage.narrow();
    connection.write(new Uint8Array(1 << 20));
    peer.reset();
    return connection;
  },
  "after its own end of file": (stage) => {
    const { connection, peer } = stage.narrow();
    let ended = false;
    connection.onData = () => {};
    connection.onEnd = () => ended = true;
    peer.end();
    stage.until(() => ended, "the end");
    connection.write(new Uint8Array(1 << 20));
    peer.reset();
    return connection;
  },
  "after end()": (stage) => {
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    connection.end();
    assertEquals(peer.read(), new Uint8Array(0));
    peer.reset();
    return connection;
  },
  "after end() without onData": (stage) => {
    const { connection, peer } = stage.connection();
    connection.end();
    assertEquals(peer.read(), new Uint8Array(0));
    peer.reset();
    return connection;
  },
  "during close()": (stage) => {
    const { connection, peer } = stage.narrow();
    connection.write(new Uint8Array(1 << 20));
    connection.close();
    peer.reset();
    return connection;
  },
};

for (const [when, begin] of Object.entries(RESETS)) {
  onEachBackend(
    `Connection: a reset of the peer ${when} ends it once [C06] [C08]`,
    (stage) => {
      const log = new Log();
      const connection = begin(stage);
      connection.onClose = (error) => {
        log.lines.push(error === undefined ? "end" : codeOf(error));
      };
      stage.until(() => connection.closed, "the reset");
      stage.turns();
      assertEquals(log.lines.length, 1);
      const errors = ["ECONNRESET", "EPIPE"];
      // An error that the selector has taken from the socket is not found again.
      if (!stage.backend.capabilities.keepsErrors) errors.push("end");
      assert(errors.includes(log.lines[0]!), log.lines[0]);
      assertEquals(stage.reactor.stats().registered, 0);
    },
  );
}

onEachBackend(
  "Connection: both sides may end at once, and onEnd of both is called [C12]",
  (stage) => {
    const log = new Log();
    const acceptor = stage.listen((connection) => {
      log.watch(connection, "server");
      connection.end(bytesOf("a"));
    });
    const client = stage.reactor.connect(acceptor.address as { port: number });
    log.watch(client, "client");
    client.end(bytesOf("b"));
    stage.until(
      () => log.lines.filter((line) => line.endsWith("close")).length === 2,
      "both ends",
    );
    assertEquals(log.lines.sort(), [
      "client close",
      "client data a",
      "client end",
      "server close",
      "server data b",
      "server end",
    ]);
  },
);

onEachBackend(
  "Connection: after its end of file the peer still receives [C10]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.end();
    stage.until(() => log.lines.includes("end"), "the end");
    assert(connection.readEnded && !connection.closed);
    for (const text of ["one", "two", "three"]) {
      connection.write(bytesOf(text));
      assertEquals(peer.readText(text.length), text);
    }
    connection.end();
    assertEquals(peer.readText(), "");
    stage.until(() => log.lines.includes("close"), "the close");
    assertEquals(log.lines, ["end", "close"]);
  },
);

onEachBackend(
  "Connection: without onEnd this side ends with its peer, once all is sent",
  (stage) => {
    const { connection, peer } = stage.narrow();
    connection.onData = () => {};
    const data = patternOf(1 << 20);
    connection.write(data);
    peer.end();
    const received = peer.read();
    assertEquals(received.length, data.length);
    assert(isPattern(received));
    stage.until(() => connection.closed, "the close");
    assertEquals(connection.error, undefined);
  },
);

onEachBackend(
  "Connection: after end() without onData it closes with its peer, client by client",
  (stage) => {
    const log = new Log();
    const connections: Connection[] = [];
    const acceptor = stage.listen((connection) => {
      connections.push(connection);
      connection.onEnd = log.note("end");
      connection.onClose = (error) => {
        log.lines.push(error === undefined ? "close" : codeOf(error));
      };
      connection.end(bytesOf("answer"));
    });
    const before = openFds().size;
    for (let client = 1; client <= 5; client++) {
      const peer = stage.dial(acceptor.address);
      assertEquals(peer.readText(), "answer");
      assertEquals(connections.at(-1)!.closed, false);
      peer.close();
      stage.until(() => log.lines.length === 2 * client, "the close");
    }
    assertEquals(log.lines, connections.flatMap(() => ["end", "close"]));
    assert(connections.every(({ closed }) => closed));
    assertEquals([openFds().size, stage.reactor.stats().registered], [
      before,
      1,
    ]);
  },
);

onEachBackend(
  "Connection: a client that sends and ends without onData closes with its server",
  (stage) => {
    const acceptor = stage.listen((server) => {
      server.onData = (chunk) => server.write(chunk);
    });
    const client = stage.reactor.connect(acceptor.address as { port: number });
    client.end(bytesOf("hello"));
    stage.until(() => client.closed, "the close");
    assertEquals(client.error, undefined);
    acceptor.close();
    stage.reactor.run(); // returns when nothing is left
  },
);

onEachBackend(
  "Connection: after end() unread input is discarded, and the peer gets no reset",
  (stage) => {
    const { connection, peer } = stage.connection();
    peer.send("before");
    connection.end(bytesOf("answer"));
    assertEquals(peer.readText(), "answer");
    const data = patternOf(1 << 20);
    let sent = 0;
    // More than the buffers on the way have room for.
    stage.until(() => {
      const count = peer.send(data.subarray(sent % data.length));
      if (count > 0) sent += count;
      return sent >= 8 << 20;
    }, "8 MiB to be discarded");
    assert(!connection.closed);
    peer.end();
    stage.until(() => connection.closed, "the close");
    assertEquals(connection.error, undefined);
    // After a reset this would throw.
    assertEquals(peer.socket.recv(new Uint8Array(1)), 0);
  },
);

onEachBackend(
  "Connection: input is not discarded before the last byte is sent",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const log = new Log();
    connection.write(new Uint8Array(1 << 20));
    connection.end();
    assert(connection.bufferedAmount > 0);
    peer.send("first");
    stage.turns();
    connection.onData = (chunk) => log.lines.push(textOf(chunk));
    stage.until(() => log.lines.length > 0, "the first bytes");
    assertEquals(log.lines, ["first"]);
    peer.read();
    peer.end();
    stage.until(() => connection.closed, "the close");
  },
);

onEachBackend(
  "Connection: pause() stops the discarding, and keeps it open until resume()",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.end();
    assertEquals(peer.readText(), "");
    connection.pause();
    peer.send("kept");
    peer.end();
    stage.turns();
    assertEquals([connection.closed, connection.readEnded], [false, false]);
    assertEquals(stage.reactor.stats().registered, 0);
    const log = new Log();
    log.watch(connection);
    stage.turns();
    assertEquals(log.lines, []);
    connection.resume();
    stage.until(() => connection.closed, "the close");
    stage.turns(1);
    assertEquals(log.lines, ["data kept", "end", "close"]);
  },
);

onEachBackend(
  "Connection: an onData that is set after end() gets later bytes",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.end();
    assertEquals(peer.readText(), "");
    peer.send("dropped");
    const { events } = stage.reactor.stats();
    stage.until(() => stage.reactor.stats().events > events, "the bytes");
    const log = new Log();
    log.watch(connection);
    peer.send("the rest");
    peer.end();
    stage.until(() => log.lines.includes("close"), "the close");
    assertEquals(log.lines, ["data the rest", "end", "close"]);
  },
);

onEachBackend(
  "Conn: after closeWrite() all input is read, and only close() closes",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
    const [conn, peer] = await Promise.all([
      reactor.net.connect({ port: listener.addr.port }),
      listener.accept(),
    ]);
    await conn.closeWrite();
    const buffer = new Uint8Array(8);
    assertEquals(await peer.read(buffer), null);
    await peer.write(bytesOf("kept"));
    await peer.closeWrite();
    await nextTurn();
    assertEquals(await conn.read(buffer), 4);
    assertEquals(textOf(buffer.subarray(0, 4)), "kept");
    assertEquals(await conn.read(buffer), null);
    assertEquals(await conn.read(buffer), null);
    assert(!conn.closed);
    conn.close();
    reactor.stop();
    await served;
  },
);

onEachBackend(
  "Connection: after end() it keeps run() going, unless unreferenced or paused",
  (stage) => {
    const { reactor } = stage;
    const { connection, peer } = stage.connection();
    connection.end();
    connection.unref();
    reactor.run();
    connection.ref();
    connection.pause();
    reactor.run();
    connection.unref();
    connection.resume();
    reactor.run();
    assert(!connection.closed);
    connection.ref();
    const timer = reactor.callLater(1, () => peer.close());
    reactor.run();
    assertEquals([connection.closed, timer.active], [true, false]);
    assertEquals(reactor.stats().registered, 0);
  },
);

onEachBackend(
  "Connection: after end() the idle timeout ends it, unless the peer sends",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.end();
    connection.setIdleTimeout(400);
    let sent = 0;
    const timer = stage.reactor.callEvery(10, () => {
      peer.send("x");
      if (++sent === 50) timer.cancel();
    });
    stage.until(() => sent === 50 || connection.closed, "the bytes");
    assertEquals([sent, connection.closed], [50, false]);
    stage.until(() => connection.closed, "the timeout");
    assertEquals(connection.error?.name, "TimedOut");
  },
);

onEachBackend(
  "Connection: chunks of two connections share no memory",
  (stage) => {
    const pairs = [stage.connection(), stage.connection()];
    const kept: Uint8Array[] = [];
    for (const { connection } of pairs) {
      connection.onData = (chunk) => kept.push(chunk);
    }
    for (let round = 0; round < 50; round++) {
      pairs.forEach(({ peer }, index) => peer.send(`${index}${round % 10}`));
      stage.until(() => kept.length === 2 * round + 2, "both");
    }
    const texts = kept.map(textOf);
    assertEquals(texts.filter((text) => text[0] === "0").length, 50);
    assertEquals(new Set(texts).size, 20);
    // A write into one chunk changes no other.
    for (const chunk of kept) chunk.fill(0);
    pairs[0]!.peer.send("fresh");
    stage.until(() => kept.length === 101, "one more");
    assertEquals(textOf(kept.at(-1)!), "fresh");
  },
);

onEachBackend("Connection: callbacks get their connection", (stage) => {
  const seen = new Set<Connection>();
  const acceptor = stage.listen((connection) => {
    connection.onData = (_, connection) => seen.add(connection);
    connection.onEnd = (connection) => connection.end();
    connection.onClose = (_, connection) => seen.delete(connection);
  });
  const peers = [stage.dial(acceptor.address), stage.dial(acceptor.address)];
  for (const peer of peers) peer.send("x");
  stage.until(() => seen.size === 2, "both");
  for (const peer of peers) peer.end();
  stage.until(() => seen.size === 0, "both ends");
});

onEachBackend("Connection: one that only writes is not idle", (stage) => {
  const { connection, peer } = stage.connection();
  const log = new Log();
  log.watch(connection);
  connection.onData = null;
  connection.setIdleTimeout(400);
  let writes = 0;
  const timer = stage.reactor.callEvery(10, () => {
    connection.write(bytesOf("x"));
    if (++writes === 50) timer.cancel();
  });
  stage.until(() => writes === 50 || connection.closed, "the writes");
  assertEquals([writes, connection.closed], [50, false]);
  assertEquals(peer.readText(50).length, 50);
  stage.until(() => connection.closed, "the timeout");
  stage.turns(1);
  assertEquals(log.lines, ["close Nothing was sent or received in time"]);
});

onEachBackend(
  "Connection: the idle timeout is never early, and 0 cancels it",
  (stage) => {
    const { connection } = stage.connection();
    const start = performance.now();
    connection.setIdleTimeout(20);
    stage.until(() => connection.closed, "the timeout");
    assertGreaterOrEqual(performance.now() - start, 20);
    const other = stage.connection().connection;
    other.setIdleTimeout(1);
    other.setIdleTimeout(0);
    assertEquals(stage.reactor.stats().timers, 0);
    assertThrows(() => other.setIdleTimeout(-1), RangeError);
    assertThrows(() => other.setIdleTimeout(NaN), RangeError);
    stage.turns();
    assert(!other.closed);
  },
);

onAnyBackend(
  "Connection: a busy loop does not make the idle timeout early",
  (stage) => {
    const { connection, peer } = stage.connection();
    const timeout = 200;
    connection.setIdleTimeout(timeout);
    const start = performance.now();
    let active = start;
    stage.reactor.callLater(timeout * 0.3, () => {
      // The machine has stopped the process for the whole timeout.
      if (connection.closed) return;
      // Ends just before the next check was due.
      while (performance.now() - start < timeout * 0.97);
      active = performance.now();
      connection.write(bytesOf("x"));
    });
    stage.until(() => connection.closed, "the timeout");
    assertGreaterOrEqual(performance.now() - active, timeout);
    assertEquals(connection.error?.name, "TimedOut");
    peer.close();
  },
);

onEachBackend(
  "Connection: unref() lets run() return, with an idle timeout, too",
  (stage) => {
    const { connection } = stage.connection();
    connection.onData = () => {};
    connection.setIdleTimeout(60_000);
    connection.unref();
    stage.reactor.run();
    connection.ref();
    stage.reactor.callLater(1, () => connection.close());
    stage.reactor.run();
    assert(connection.closed);
  },
);

onEachBackend(
  "Connection: ref() and unref() count correctly across other calls",
  (stage) => {
    const { reactor } = stage;
    const { connection, peer } = stage.connection();
    connection.unref();
    connection.onData = () => {};
    connection.pause();
    connection.ref();
    connection.resume();
    connection.unref();
    connection.unref();
    reactor.run();
    connection.ref();
    connection.ref();
    peer.close();
    reactor.run();
    assert(connection.closed);
    assertEquals(reactor.stats().registered, 0);
    // The count is right: a timer keeps it going, and nothing else does.
    let calls = 0;
    reactor.callLater(1, () => calls++);
    reactor.run();
    assertEquals(calls, 1);
  },
);

onEachBackend(
  "Connection: a descriptor that was closed by other means is an error, no crash [K19]",
  (stage) => {
    const { connection } = stage.connection();
    const log = new Log();
    log.watch(connection);
    close(connection.fd);
    connection.write(bytesOf("x"));
    stage.until(() => log.lines.length > 0, "the error");
    assertEquals(log.lines, ["close EBADF"]);
  },
);

onEachBackend(
  "Connection: an onClose that is set after the end is called once",
  (stage) => {
    const log = new Log();
    const note = (error: Error | undefined): void => {
      log.lines.push(error === undefined ? "close" : error.message);
    };
    const { connection } = stage.connection();
    connection.close();
    connection.onClose = note;
    assertEquals(log.lines, []);
    stage.turns();
    connection.onClose = note;
    const other = stage.connection().connection;
    other.abort(new Error("why not"));
    stage.turns();
    other.onClose = note;
    stage.turns();
    assertEquals(log.lines, ["close", "why not"]);
    const reactor = stage.make();
    const last = reactor.connect({ port: 9 });
    reactor.close();
    last.onClose = note;
    assertEquals(log.lines.length, 2);
  },
);

onEachBackend(
  "Connection: close() while connecting flushes, or reports the error",
  (stage) => {
    const log = new Log();
    const acceptor = stage.listen((server) => log.watch(server, "server"));
    const { port } = acceptor.address as { port: number };
    const client = stage.reactor.connect({ port });
    log.watch(client, "client");
    client.write(bytesOf("hello"));
    client.close();
    assertEquals(client.write(bytesOf("late")), false);
    stage.until(() => log.lines.includes("server end"), "the end");
    assertEquals(log.lines.toSorted(), [
      "client close",
      "server data hello",
      "server end",
    ]);
    acceptor.close();
    const refused = stage.reactor.connect({ port });
    log.watch(refused, "refused");
    refused.write(bytesOf("hello"));
    refused.close();
    stage.until(() => refused.closed, "the failure");
    stage.turns(1);
    assertEquals(log.lines.at(-1), "refused close ECONNREFUSED");
    assertEquals(stage.reactor.stats().bytesQueued, 0);
  },
  { needs: "keepsErrors" },
);

onAnyBackend("Connection: while connecting there is no socket", (stage) => {
  const connection = stage.reactor.connect({ port: 9 });
  assert(connection.connecting);
  assertEquals(connection.fd, -1);
  assertThrows(() => connection.socket, Deno.errors.NotConnected);
  assertThrows(() => connection.remoteAddress, Deno.errors.NotConnected);
  connection.close();
});

onAnyBackend("Connection: setters have no effect once closed", (stage) => {
  const { connection } = stage.connection();
  connection.close();
  connection.onData = () => {};
  connection.onEnd = () => {};
  connection.pause();
  connection.resume();
  connection.cork();
  connection.uncork();
  connection.setIdleTimeout(10);
  connection.ref();
  connection.unref();
  stage.reactor.run();
  const { registered, timers } = stage.reactor.stats();
  assertEquals([registered, timers], [0, 0]);
});

onEachBackend(
  "Connection: text is sent as UTF-8, alone, in lists and at the end",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.write("héllo ");
    connection.write(["→", bytesOf(" "), ""]);
    connection.end("wörld");
    assertEquals(new TextDecoder().decode(peer.read()), "héllo → wörld");
  },
);

onEachBackend(
  "Connection: the read timeout ends one that only sends, not one that receives",
  async (stage) => {
    const { reactor } = stage;
    const { connection, peer } = stage.connection();
    const ended = Promise.withResolvers<Error | undefined>();
    connection.onData = () => {};
    connection.onClose = ended.resolve;
    const started = performance.now();
    connection.setReadTimeout(400);
    const sending = reactor.callEvery(5, () => connection.write("x"));
    let messages = 0;
    const talking = reactor.callEvery(5, () => {
      peer.send("y");
      if (++messages === 100) talking.cancel();
    });
    const served = reactor.serve();
    const error = await ended.promise;
    assert(error instanceof Deno.errors.TimedOut);
    assertEquals(error.message, "Nothing was received in time");
    // A hundred messages took 500 ms, in which the timeout did not end it.
    assert(messages === 100 && performance.now() - started >= 850);
    sending.cancel();
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "Connection: the read timeout does not count while it is paused",
  async (stage) => {
    const { reactor } = stage;
    const { connection } = stage.connection();
    connection.onData = () => {};
    connection.setReadTimeout(20);
    connection.pause();
    const resumed = Promise.withResolvers<void>();
    reactor.callLater(100, () => {
      assert(!connection.closed);
      connection.resume();
      resumed.resolve();
    });
    const served = reactor.serve();
    await resumed.promise;
    await new Promise<void>((resolve) => connection.onClose = () => resolve());
    for (const time of [-1, NaN]) {
      assertThrows(() => connection.setReadTimeout(time), RangeError);
    }
    reactor.stop();
    await served;
  },
);

onEachBackend(
  "Connection: `opened` resolves after a connect, and rejects with its error",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    const server = stage.listen((peer) => peer.close());
    const client = reactor.connect(server.address);
    client.onData = () => {};
    assertEquals(await client.opened, client);
    assert(!client.connecting);
    assertEquals(await client.opened, client);
    await new Promise<void>((resolve) => client.onClose = () => resolve());
    await assertRejects(() => client.opened, Deno.errors.Interrupted);
    server.close();
    const refused = reactor.connect(server.address);
    await assertRejects(() => refused.opened, Deno.errors.ConnectionRefused);
    await assertRejects(() => refused.opened, Deno.errors.ConnectionRefused);
    const given = reactor.connect(server.address);
    const opened = given.opened;
    given.close();
    await assertRejects(() => opened, Deno.errors.Interrupted);
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "Connection: addresses have the type of the listener's or the connect's",
  (stage) => {
    const { reactor } = stage;
    const ports: number[] = [];
    const paths: string[] = [];
    const all: Connection[] = [];
    const onPort = reactor.listen(
      { hostname: "127.0.0.1", port: 0 },
      (peer) => {
        all.push(peer);
        ports.push(peer.localAddress.port);
      },
    );
    const path = stage.path();
    reactor.listen({ path }, (peer) => {
      all.push(peer);
      paths.push(peer.localAddress.path);
    });
    reactor.connect(onPort.address, (client) => {
      ports.push(client.remoteAddress.port);
    });
    reactor.connect({ path }, (client) => {
      paths.push(client.remoteAddress.path);
    });
    stage.until(() => ports.length + paths.length === 4, "all connections");
    const { port } = onPort.address;
    assertEquals([ports, paths], [[port, port], [path, path]]);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Connection: undefined takes a callback back, as null does",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    connection.onData = undefined;
    connection.onEnd = undefined;
    connection.onDrain = undefined;
    connection.onClose = undefined;
    connection.onConnect = undefined;
    assertEquals([connection.onData, connection.onClose], [null, null]);
    peer.send("hello");
    peer.end();
    stage.turns();
    assertEquals(log.lines, []);
    connection.onData = () => {};
    stage.until(() => connection.closed, "the end");
    stage.turns();
    assertEquals(log.lines, []);
  },
);
