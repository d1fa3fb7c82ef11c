/**
 * Reading: in order, to the end of file, unless paused; and errors.
 */

import { assert, assertEquals } from "@std/assert";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf } from "../util.ts";
import {
  codeOf,
  isPattern,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  textOf,
} from "./stage.ts";

onEachBackend(
  "onEnd: it follows all bytes, once [C02] [C10] [C17]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.send("hello");
    peer.end();
    stage.until(() => log.lines.includes("end"), "the end");
    stage.turns();
    assertEquals(log.lines, ["data hello", "end"]);
    assert(connection.readEnded && !connection.closed);
  },
);

onEachBackend(
  "onEnd: with it this side stays open, and can write [C01] [C10]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.end();
    stage.until(() => log.lines.includes("end"), "the end");
    connection.write(bytesOf("answer"));
    assertEquals(peer.readText(6), "answer");
    connection.end();
    stage.until(() => log.lines.includes("close"), "the close");
    assertEquals(log.lines, ["end", "close"]);
  },
);

onEachBackend("onEnd: without it this side ends too [C10]", (stage) => {
  const { connection, peer } = stage.connection();
  connection.onData = () => {};
  let closed = 0;
  connection.onClose = () => closed++;
  peer.end();
  stage.until(() => closed === 1, "the close");
  assertEquals(peer.read().length, 0);
});

onEachBackend("onEnd: both sides may end at once [C12]", (stage) => {
  const { connection, peer } = stage.connection();
  const log = new Log();
  log.watch(connection);
  connection.end();
  peer.end();
  stage.until(() => log.lines.includes("close"), "the close");
  assertEquals(log.lines, ["end", "close"]);
});

onEachBackend(
  "onClose: a reset ends the connection with its error, once [C06] [C08]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.reset();
    stage.until(() => log.lines.length > 0, "the close");
    stage.turns();
    assertEquals(log.lines, ["close ECONNRESET"]);
    assertEquals(codeOf(connection.error!), "ECONNRESET");
    assertEquals(connection.reading, false);
  },
  { needs: "keepsErrors" },
);

onEachBackend(
  "pause(): an end of file meanwhile is reported after resume() [C13] [L01]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    connection.pause();
    connection.pause();
    peer.send("hello");
    peer.end();
    stage.turns();
    assertEquals([log.lines, connection.reading], [[], false]);
    connection.resume();
    connection.resume();
    stage.until(() => log.lines.includes("end"), "the end");
    assertEquals(log.lines, ["data hello", "end"]);
  },
);

onEachBackend(
  "pause(): in onConnection it holds from the first byte [L01]",
  (stage) => {
    let connection: Connection | undefined;
    const log = new Log();
    const acceptor = stage.listen((accepted) => {
      connection = accepted;
      log.watch(accepted);
      accepted.pause();
    });
    const peer = stage.dial(acceptor.address);
    peer.send("hello");
    stage.until(() => connection !== undefined, "the connection");
    stage.turns();
    assertEquals(log.lines, []);
    connection!.resume();
    stage.until(() => log.lines.length > 0, "the data");
  },
);

onEachBackend(
  "pause(): with rapid resume() no byte is lost or doubled [L02]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const data = patternOf(1_000_000);
    let received = 0;
    connection.onData = (chunk) => {
      assert(isPattern(chunk, received));
      received += chunk.length;
      connection.pause();
      stage.reactor.callSoon(() => {
        connection.resume();
        connection.pause();
        connection.resume();
      });
    };
    let sent = 0;
    stage.until(() => {
      if (sent < data.length) {
        sent += Math.max(peer.send(data.subarray(sent)), 0);
      }
      return received === data.length;
    }, "all bytes");
  },
);

onEachBackend(
  "pause(): with unread data the loop does not spin [L03]",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    connection.pause();
    peer.send("hello");
    const { turns } = stage.reactor.stats();
    const end = performance.now() + 60;
    while (performance.now() < end) stage.reactor.runOnce(20);
    assert(stage.reactor.stats().turns - turns <= 20);
  },
);

onEachBackend(
  "pause(): in onData it stops further callbacks until resume() [L04]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log: string[] = [];
    connection.onData = (chunk) => {
      log.push(textOf(chunk));
      connection.pause();
    };
    peer.send("one");
    stage.until(() => log.length === 1, "the first");
    peer.send("two");
    stage.turns();
    assertEquals(log, ["one"]);
    connection.resume();
    stage.until(() => log.length === 2, "the second");
  },
);

onEachBackend("resume(): after the end it has no effect [L05]", (stage) => {
  const { connection, peer } = stage.connection();
  const log = new Log();
  log.watch(connection);
  connection.abort();
  connection.resume();
  connection.pause();
  stage.turns();
  assertEquals(log.lines, ["close"]);
  assertEquals(stage.reactor.stats().registered, 0);
  peer.close();
});

onEachBackend(
  "onData: it gets every byte of a peer that sends one at a time",
  (stage) => {
    const { connection, peer } = stage.connection();
    let received = "";
    connection.onData = (chunk) => received += textOf(chunk);
    for (const letter of "one at a time") {
      peer.send(letter);
      stage.reactor.runOnce(5);
    }
    stage.until(() => received.length === 13, "all of them");
    assertEquals(received, "one at a time");
  },
);

onEachBackend(
  "onData: if it throws, its own connection ends, and no other [F14] [C16]",
  (stage) => {
    const bad = stage.connection();
    const good = stage.connection();
    const log = new Log();
    bad.connection.onData = () => {
      throw new Error("no");
    };
    bad.connection.onClose = (error) =>
      log.lines.push(`close ${error?.message}`);
    good.connection.onData = (chunk) => good.connection.write(chunk);
    bad.peer.send("x");
    good.peer.send("hello");
    assertEquals(good.peer.readText(5), "hello");
    stage.until(() => log.lines.length > 0, "the close");
    assertEquals(stage.takeErrors(), ["no"]);
    assertEquals(log.lines, ["close no"]);
  },
);

onAnyBackend(
  "onEnd: if it throws, its connection ends, and the error is reported [C16]",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.onData = () => {};
    connection.onEnd = () => {
      throw new Error("no");
    };
    peer.end();
    stage.until(() => connection.closed, "the close");
    assertEquals(stage.takeErrors(), ["no"]);
  },
);

onEachBackend(
  "onData: a chunk is the callback's, and never changes",
  (stage) => {
    const { connection, peer } = stage.connection();
    const kept: Uint8Array[] = [];
    connection.onData = (chunk) => kept.push(chunk);
    const data = patternOf(300_000);
    let sent = 0;
    const total = (): number =>
      kept.reduce((sum, { length }) => sum + length, 0);
    stage.until(() => {
      if (sent < data.length) {
        const end = Math.min(sent + 777, data.length);
        sent += Math.max(peer.send(data.subarray(sent, end)), 0);
      }
      return total() === data.length;
    }, "all bytes");
    let offset = 0;
    for (const chunk of kept) {
      assert(isPattern(chunk, offset));
      offset += chunk.length;
    }
  },
);

onEachBackend("reuseBuffer: all chunks are parts of one buffer", (stage) => {
  const { connection, peer } = stage.connection({ reuseBuffer: true });
  const buffers = new Set<ArrayBuffer>();
  let received = "";
  connection.onData = (chunk) => {
    buffers.add(chunk.buffer);
    received += textOf(chunk);
  };
  for (const text of ["one", "two", "three"]) {
    peer.send(text);
    stage.until(() => received.endsWith(text), text);
  }
  assertEquals([received, buffers.size], ["onetwothree", 1]);
});

onAnyBackend(
  "close(): in onData it stops further callbacks [F11] [L06]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    let calls = 0;
    connection.onData = () => {
      calls++;
      connection.abort();
    };
    connection.onDrain = () => calls++;
    connection.write(new Uint8Array(1_000_000));
    peer.send("x");
    stage.until(() => connection.closed, "the close");
    stage.turns();
    assertEquals(calls, 1);
  },
);

onAnyBackend(
  "Connection: its socket has its options",
  (stage) => {
    const { connection } = stage.connection();
    connection.setNoDelay();
    connection.setKeepAlive();
    assertEquals(connection.socket.getOption("noDelay"), true);
    assertEquals(connection.socket.getOption("keepAlive"), true);
  },
);

onEachBackend(
  "Connection: a spurious readiness is no error [C09]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.send("taken");
    // It is ready, but the bytes are read directly from the socket.
    assertEquals(connection.socket.recv(new Uint8Array(16)), 5);
    stage.turns();
    assertEquals(log.lines, []);
    peer.send("later");
    stage.until(() => log.lines.length > 0, "the next");
    assertEquals(log.lines, ["data later"]);
  },
);
