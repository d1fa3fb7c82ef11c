/**
 * Connecting: it succeeds or fails, and does either once.
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  type InternetAddress,
  Socket,
  type SocketAddress,
} from "../../backends/ffi/mod.ts";
import type { ConnectOptions } from "../../reactor/mod.ts";
import { connectingOf, Connection } from "../../reactor/connection.ts";
import { connectionSettings } from "../../reactor/connection_options.ts";
import { Connector } from "../../reactor/connector.ts";
import { loopOf } from "../../reactor/reactor.ts";
import {
  bytesOf,
  eventually,
  NEEDS_UNIX_SOCKETS,
  nextTurn,
  PATIENCE,
  runDeno,
  test,
} from "../util.ts";
import {
  codeOf,
  Log,
  onAnyBackend,
  onEachBackend,
  type Stage,
} from "./stage.ts";

/** Records the callbacks of a connect. */
function watch(connection: Connection, log: Log): void {
  connection.onConnect = log.note("connect");
  connection.onClose = (error) => {
    log.lines.push(`close${error ? ` ${codeOf(error)}` : ""}`);
  };
}

onEachBackend(
  "Reactor.connect: onConnect is called once, and the peer's address is known then [J01]",
  (stage) => {
    const listener = stage.silentListener();
    const address = listener.localAddress as InternetAddress;
    let calls = 0;
    const connection = stage.reactor.connect(address, () => calls++);
    assert(connection.connecting);
    stage.until(() => calls > 0, "the connection");
    stage.turns();
    assertEquals(calls, 1);
    assert(!connection.connecting);
    assertEquals(connection.remoteAddress, address);
  },
);

onEachBackend(
  "Reactor.connect: a refusal is one onClose with ECONNREFUSED, and no onConnect [J02] [J03]",
  (stage) => {
    const log = new Log();
    const started = performance.now();
    watch(stage.reactor.connect({ port: stage.deadPort() }), log);
    stage.until(() => log.lines.length > 0, "the failure");
    assert(performance.now() - started < PATIENCE / 3);
    stage.turns();
    assertEquals(log.lines, ["close ECONNREFUSED"]);
  },
  { needs: "keepsErrors" },
);

onAnyBackend(
  "Reactor.connect: the message of a refusal names the address",
  (stage) => {
    const port = stage.deadPort();
    let message = "";
    stage.reactor.connect({ port }).onClose = (error) => {
      message = error!.message;
    };
    stage.until(() => message !== "", "the refusal");
    assertMatch(message, new RegExp(`: connect 127\\.0\\.0\\.1:${port}$`));
  },
);

onEachBackend(
  "Reactor.connect: a timeout ends a connect to a silent peer, and frees its descriptor [J04]",
  (stage) => {
    const log = new Log();
    const address = stage.fullListener();
    const target = { ...address, timeout: 50 };
    let ticks = 0;
    const ticking = stage.reactor.callEvery(5, () => ticks++);
    watch(stage.reactor.connect(target), log);
    stage.until(() => log.lines.length > 0, "the timeout");
    ticking.cancel();
    const name = `127.0.0.1:${address.port}`;
    assertEquals(log.lines, [
      `close Cannot connect to ${name} within 50 milliseconds`,
    ]);
    assert(ticks > 2);
  },
);

onEachBackend(
  "Connection.write: while connecting, bytes are queued and sent afterwards [J06]",
  (stage) => {
    const listener = stage.silentListener();
    const address = listener.localAddress as InternetAddress;
    const connection = stage.reactor.connect(address);
    connection.write(bytesOf("one "));
    connection.write([bytesOf("two "), bytesOf("three")]);
    assertEquals(connection.bufferedAmount, 13);
    stage.until(() => connection.bufferedAmount === 0, "the queue");
    const peer = stage.use(listener.accept()!);
    const buffer = new Uint8Array(64);
    assertEquals(peer.recv(buffer), 13);
  },
);

onEachBackend(
  "Connection.write: bytes that were queued before a failure are discarded [J06]",
  (stage) => {
    const log = new Log();
    const connection = stage.reactor.connect({ port: stage.deadPort() });
    watch(connection, log);
    connection.write(bytesOf("hello"));
    stage.until(() => log.lines.length > 0, "the failure");
    assertEquals(connection.bufferedAmount, 0);
    assertEquals(stage.reactor.stats().bytesQueued, 0);
  },
);

onEachBackend(
  "Connection.close: right after connect(), onClose is called once [J07]",
  (stage) => {
    const listener = stage.silentListener();
    const log = new Log();
    for (let count = 0; count < 20; count++) {
      const connection = stage.reactor.connect(
        listener.localAddress as InternetAddress,
      );
      watch(connection, log);
      if (count % 2 === 0) connection.close();
      else connection.abort();
    }
    stage.turns();
    assertEquals(log.lines, new Array(20).fill("close"));
    assertEquals(stage.reactor.stats().registered, 0);
  },
);

onEachBackend(
  "Reactor.connect: a Unix connect that succeeds at once calls onConnect from the loop [J09]",
  (stage) => {
    const path = stage.path();
    stage.listen(() => {}, { path });
    let calls = 0;
    const connection = stage.reactor.connect({ path }, () => calls++);
    assertEquals(calls, 0);
    stage.until(() => calls === 1, "the connection");
    assertEquals(connection.remoteAddress, { path });
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.connect: a missing Unix path is NotFound, reported from the loop",
  (stage) => {
    const log = new Log();
    watch(stage.reactor.connect({ path: stage.path() }), log);
    assertEquals(log.lines, []);
    stage.until(() => log.lines.length > 0, "the failure");
    assertEquals(log.lines, ["close ENOENT"]);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.connect: more connects than a Unix backlog holds all succeed",
  (stage) => {
    const path = stage.path();
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++, { path, backlog: 1 });
    acceptor.pause();
    let connected = 0;
    for (let count = 0; count < 20; count++) {
      stage.reactor.connect({ path }, () => connected++);
    }
    stage.turns();
    acceptor.resume();
    stage.until(() => accepted === 20 && connected === 20, "all of them");
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.connect: a local address in use is AddrInUse [J08]",
  (stage) => {
    const log = new Log();
    const taken = stage.silentListener().localAddress;
    const target = stage.silentListener().localAddress as InternetAddress;
    watch(stage.reactor.connect({ ...target, localAddress: taken }), log);
    stage.until(() => log.lines.length > 0, "the failure");
    assertEquals(log.lines, ["close EADDRINUSE"]);
  },
);

onAnyBackend(
  "Reactor.connect: an aborted signal ends it with its reason [J10]",
  (stage) => {
    const log = new Log();
    const controller = new AbortController();
    const { signal } = controller;
    watch(stage.reactor.connect({ ...stage.fullListener(), signal }), log);
    stage.turns();
    controller.abort(new Error("changed my mind"));
    stage.until(() => log.lines.length > 0, "the end");
    watch(
      stage.reactor.connect({
        port: 9,
        signal: AbortSignal.abort(new Error("early")),
      }),
      log,
    );
    stage.until(() => log.lines.length > 1, "the other end");
    assertEquals(log.lines, ["close changed my mind", "close early"]);
  },
);

onAnyBackend(
  "Reactor.connect: localhost is tried as IPv6, then as IPv4",
  (stage) => {
    const { port } = stage.silentListener().localAddress as InternetAddress;
    let calls = 0;
    const connection = stage.reactor.connect(
      { hostname: "localhost", port },
      () => calls++,
    );
    stage.until(() => calls === 1, "the connection");
    assertEquals(connection.remoteAddress, { hostname: "127.0.0.1", port });
  },
);

onAnyBackend(
  "Connector: an address that fails at once leaves no second attempt pending",
  (stage) => {
    const { reactor } = stage;
    const listeners = [stage.silentListener(), stage.silentListener()];
    const [first, second] = listeners.map((listener) => listener.localAddress);
    const connection = new Connection(
      loopOf(reactor),
      null,
      connectionSettings(loopOf(reactor), {}),
    );
    const log = new Log();
    watch(connection, log);
    const missing = { path: "/nonexistent/socket" };
    const addresses = [missing, first!, second!];
    new Connector(loopOf(reactor), connectingOf(connection), {}).start(
      addresses,
    );
    stage.until(() => log.lines.length > 0, "the connection");
    assertEquals(connection.remoteAddress, first);
    // The next attempt is due 250 ms after the one before.
    reactor.callLater(300, () => reactor.stop());
    reactor.run();
    assertEquals(log.lines, ["connect"]);
    assertEquals(connection.remoteAddress, first);
    assertEquals(listeners[1]!.accept(), null);
  },
);

onAnyBackend(
  "Connection.close: ends a connect that waits for a full backlog",
  (stage) => {
    const { reactor } = stage;
    const path = stage.path();
    const listener = stage.use(Socket.create("unix"));
    listener.bind({ path });
    listener.listen(0);
    const log = new Log();
    const connections = [0, 1, 2].map(() => reactor.connect({ path }));
    connections.forEach((connection) => watch(connection, log));
    stage.turns(1);
    for (const connection of connections) connection.close();
    for (let accepted = listener.accept(); accepted !== null;) {
      accepted.close();
      accepted = listener.accept();
    }
    reactor.callLater(40, () => reactor.stop());
    reactor.run();
    assertEquals(listener.accept(), null);
    assertEquals(log.lines.filter((line) => line === "close").length, 3);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.stop: works in the onClose of a failed connect [J11]",
  (stage) => {
    const { reactor } = stage;
    const connection = reactor.connect({ port: stage.deadPort() });
    connection.onClose = () => reactor.stop();
    const waiting = reactor.callLater(5000, () => {});
    reactor.run();
    assert(waiting.active);
  },
);

onAnyBackend("Reactor.connect: refuses malformed options", (stage) => {
  const { reactor } = stage;
  assertThrows(() => reactor.connect({}), TypeError);
  assertThrows(() => reactor.connect({ port: 1, path: "/tmp/x" }), TypeError);
  assertThrows(() => reactor.connect({ port: 70000 }), RangeError);
  assertThrows(
    () => reactor.connect({ port: 1, lowWaterMark: 2, highWaterMark: 1 }),
    RangeError,
  );
  for (const timeout of [NaN, -1]) {
    assertThrows(() => reactor.connect({ port: 1, timeout }), RangeError);
  }
});

onAnyBackend(
  "Reactor.connect: two thousand connects at once all succeed",
  (stage) => {
    let accepted = 0;
    let connected = 0;
    const acceptor = stage.listen((connection) => {
      accepted++;
      connection.onData = (chunk) => connection.write(chunk);
    }, { backlog: 4096 });
    const target = acceptor.address;
    let answered = 0;
    for (let count = 0; count < 2000; count++) {
      const connection = stage.reactor.connect(target, () => connected++);
      connection.write(bytesOf("x"));
      connection.onData = () => {
        answered++;
        connection.close();
      };
    }
    stage.until(() => answered === 2000, "all answers");
    assertEquals([accepted, connected], [2000, 2000]);
  },
);

onEachBackend(
  "Reactor.connect: a failed connect closes its descriptor once, before onClose [J05]",
  (stage) => {
    const { reactor } = stage;
    const connection = reactor.connect({ port: stage.deadPort() });
    let calls = 0;
    connection.onClose = () => {
      calls++;
      assertEquals([connection.closed, connection.fd], [true, -1]);
      connection.close();
      connection.abort();
    };
    stage.until(() => calls > 0, "the failure");
    stage.turns();
    assertEquals(calls, 1);
    assertEquals(reactor.stats().registered, 0);
  },
  { needs: "keepsErrors" },
);

/** A connect to a name whose look-up stays pending. */
function lookingUp(
  stage: Stage,
  log: Log,
  options: ConnectOptions,
): Connection {
  const connection = new Connection(
    loopOf(stage.reactor),
    null,
    connectionSettings(loopOf(stage.reactor), {}),
  );
  watch(connection, log);
  new Connector(loopOf(stage.reactor), connectingOf(connection), options)
    .startAfter("slow.invalid", () => new Promise(() => {}));
  return connection;
}

onAnyBackend(
  "Connector: the timeout covers the look-up of a name",
  async (stage) => {
    const log = new Log();
    lookingUp(stage, log, { timeout: 20 });
    const served = stage.reactor.serve();
    await eventually(() => log.lines.length > 0, "the timeout");
    stage.reactor.stop();
    await served;
    assertEquals(log.lines, [
      "close Cannot connect to slow.invalid within 20 milliseconds",
    ]);
  },
);

onAnyBackend(
  "Connector: the signal covers the look-up of a name",
  async (stage) => {
    const log = new Log();
    const controller = new AbortController();
    const { signal } = controller;
    lookingUp(stage, log, { signal });
    lookingUp(stage, log, { signal: AbortSignal.abort(new Error("early")) });
    const served = stage.reactor.serve();
    controller.abort(new Error("changed my mind"));
    await eventually(() => log.lines.length === 2, "both ends");
    stage.reactor.stop();
    await served;
    assertEquals(log.lines.sort(), ["close changed my mind", "close early"]);
  },
);

onAnyBackend(
  "Reactor.serve: with untilIdle, waits for a look-up",
  async (stage) => {
    const { reactor } = stage;
    const address = stage.silentListener().localAddress;
    const log = new Log();
    const connection = new Connection(
      loopOf(reactor),
      null,
      connectionSettings(loopOf(reactor), {}),
    );
    watch(connection, log);
    connection.onConnect = () => connection.close();
    const { promise, resolve } = Promise.withResolvers<SocketAddress[]>();
    new Connector(loopOf(reactor), connectingOf(connection), {}).startAfter(
      "late",
      () => promise,
    );
    const served = reactor.serve({ untilIdle: true });
    await nextTurn();
    resolve([address]);
    await served;
    assertEquals(log.lines, ["close"]);
  },
);

onAnyBackend("Connection.close: ends a look-up and its timer", (stage) => {
  const log = new Log();
  lookingUp(stage, log, { timeout: 60_000 }).close();
  stage.turns();
  assertEquals(log.lines, ["close"]);
  assertEquals(stage.reactor.stats().timers, 0);
});

onAnyBackend(
  "Connector: a look-up fails under run(), where it would stay pending",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    lookingUp(stage, log, {});
    reactor.callSoon(() => {
      watch(reactor.connect({ hostname: "example.invalid", port: 1 }), log);
    });
    reactor.run();
    assertEquals(log.lines, [
      'close Cannot look up "slow.invalid" during run(): it needs serve()',
      'close Cannot look up "example.invalid" during run(): it needs serve()',
    ]);
  },
);

test("connect: without the permission to look a name up the error names it", async () => {
  const { stdout, stderr } = await runDeno(
    `import { Reactor } from "POLLUX/mod.ts";
     const reactor = new Reactor();
     const served = reactor.serve();
     const target = { hostname: "example.org", port: 80 };
     const print = (error) => console.log(error.name, error.message);
     await reactor.net.connect(target).catch(print);
     reactor.connect(target).onClose = (error) => {
       print(error);
       reactor.stop();
     };
     await served;`,
    ["--allow-ffi"],
  );
  const line = 'NotCapable Requires net access to "example.org", ' +
    "run again with the --allow-net flag\n";
  assertEquals([stdout, stderr], [line.repeat(2), ""]);
});
