/**
 * Writing: at once or in time, in order, to the end, or not at all.
 */

import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { WOULD_BLOCK } from "../../backends/ffi/mod.ts";
import { WriteQueue } from "../../reactor/send_queue.ts";
import { bytesOf, type Random, test, withSeed } from "../util.ts";
import {
  codeOf,
  isPattern,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
} from "./stage.ts";

const MIB = 1024 * 1024;

/** A socket that takes a limited number of bytes at a time, and records them. */
class Sink {
  /** Which bytes it was sent, in their order. */
  readonly bytes: number[] = [];
  /** How many chunks were moved, for the front of their list to be cut off. */
  moved = 0;
  /** How many bytes it takes in one call; after `calls` of them it has no room. */
  room = 1;
  calls = Infinity;
  #pieces: readonly Uint8Array<ArrayBuffer>[] | undefined;

  sendPieces(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number = 0,
    offset: number = 0,
  ): number {
    if (this.#pieces !== undefined && this.#pieces !== pieces) {
      this.moved += pieces.length;
    }
    this.#pieces = pieces;
    if (this.calls-- <= 0) return WOULD_BLOCK;
    const before = this.bytes.length;
    for (let index = first; index < pieces.length; index++) {
      const start = index === first ? offset : 0;
      for (const byte of pieces[index]!.subarray(start)) {
        if (this.bytes.length === before + this.room) return this.room;
        this.bytes.push(byte);
      }
    }
    return this.bytes.length - before;
  }
}

test("WriteQueue: in a long queue a chunk is moved once on average", () => {
  const chunks = 100_000;
  const queue = new WriteQueue();
  for (let count = 0; count < chunks; count++) queue.push(new Uint8Array(1));
  const sink = new Sink();
  sink.room = 64;
  queue.flush(sink);
  assertEquals([queue.bytes, sink.bytes.length], [0, chunks]);
  // Cut off after each thousand, they would be moved 5 million times.
  assertLess(sink.moved, 3 * chunks);
});

test(
  "WriteQueue: bytes are sent in their order, however many the socket takes",
  withSeed((random: Random) => {
    const queue = new WriteQueue();
    const sink = new Sink();
    let pushed = 0;
    for (let round = 0; round < 300; round++) {
      for (let left = random.below(100); left > 0; left--) {
        const chunk = new Uint8Array(random.below(4));
        queue.push(chunk.map(() => pushed++ % 251));
      }
      // At times nearly all of it, at times little.
      sink.room = 1 + random.pick([3, 200, 20_000]);
      sink.calls = random.below(4);
      queue.flush(sink);
      assertEquals(queue.bytes, pushed - sink.bytes.length);
      assertEquals(queue.length === 0, queue.bytes === 0);
    }
    sink.calls = Infinity;
    // A flush that ends within a chunk waits for the next event.
    while (queue.bytes > 0) queue.flush(sink);
    assertEquals(sink.bytes.length, pushed);
    assert(sink.bytes.every((byte, index) => byte === index % 251));
  }),
);

onEachBackend(
  "write(): bytes are sent at once, without a registration for writing [K01] [K22]",
  (stage) => {
    const { connection, peer } = stage.connection();
    assertEquals(connection.write(bytesOf("hello")), true);
    assertEquals(connection.bufferedAmount, 0);
    assertEquals(new TextDecoder().decode(peer.readNow()!), "hello");
    const { events } = stage.reactor.stats();
    stage.turns();
    assertEquals(stage.reactor.stats().events, events);
  },
);

onEachBackend(
  "write(): bytes without room are queued, and sent in order [K02] [K03]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const data = patternOf(MIB);
    for (let offset = 0; offset < data.length; offset += 100_000) {
      connection.write(data.slice(offset, offset + 100_000));
    }
    assert(connection.bufferedAmount > 0);
    const received = peer.read(data.length);
    assertEquals(received.length, data.length);
    assert(isPattern(received));
    stage.until(() => connection.bufferedAmount === 0, "the rest");
  },
);

onEachBackend(
  "write(): the memory may be used again when it returns [K03]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const buffer = new Uint8Array(50_000);
    for (let round = 0; round < 20; round++) {
      buffer.fill(round);
      connection.write(buffer);
    }
    buffer.fill(255);
    const received = peer.read(MIB - 48_576);
    assertEquals(received.length, 1_000_000);
    assert(
      received.every((byte, index) => byte === Math.floor(index / 50_000)),
    );
  },
);

onEachBackend(
  "write(): an empty chunk sends nothing, and a number is refused [K04]",
  (stage) => {
    const { connection } = stage.connection();
    assertEquals(connection.write(new Uint8Array(0)), true);
    assertEquals(connection.write([]), true);
    assertEquals(connection.write(""), true);
    assertThrows(() => connection.write(1 as never), TypeError);
    assertThrows(() => connection.write([1] as never), TypeError);
    assertEquals(connection.bufferedAmount, 0);
  },
);

onEachBackend(
  "write(): a byte behind ten megabytes adds one to the queue [K05]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    connection.write(patternOf(10 * MIB));
    const queued = connection.bufferedAmount;
    assert(queued > 0);
    connection.write(new Uint8Array(1));
    assertEquals(connection.bufferedAmount, queued + 1);
    assertEquals(stage.reactor.stats().bytesQueued, queued + 1);
    assertEquals(peer.read(10 * MIB + 1).length, 10 * MIB + 1);
  },
);

onAnyBackend(
  "Connection: 120 MiB and an end of file come back whole [K06]",
  (stage) => {
    const acceptor = stage.listen((server) => {
      server.onData = (chunk) => {
        if (!server.write(chunk)) server.pause();
      };
      server.onDrain = () => server.resume();
    });
    const { port } = acceptor.address as { port: number };
    const client = stage.reactor.connect({ port, maximumQueued: 256 * MIB });
    const block = patternOf(251 * 4096);
    const blocks = 120;
    for (let count = 0; count < blocks; count++) client.write(block);
    client.end();
    let received = 0;
    let inOrder = true;
    let ended = false;
    client.onData = (chunk) => {
      inOrder &&= isPattern(chunk.subarray(0, 64), received);
      received += chunk.length;
    };
    client.onClose = () => ended = true;
    stage.until(() => ended, "the end");
    assertEquals([received, inOrder], [blocks * block.length, true]);
  },
);

onEachBackend(
  "Connection: ten thousand writes and a close arrive whole [K07] [K10]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const log = new Log();
    log.watch(connection);
    for (let count = 0; count < 10_000; count++) {
      connection.write(bytesOf(`${count % 10}`.repeat(10)));
    }
    connection.close();
    const received = peer.read();
    assertEquals(received.length, 100_000);
    stage.until(() => log.lines.includes("close"), "the close");
    assertEquals(log.lines.filter((line) => line.startsWith("close")), [
      "close",
    ]);
  },
);

onEachBackend(
  "write(): above the high water mark it is false, and onDrain follows once [K08]",
  (stage) => {
    const { connection, peer } = stage.narrow({
      highWaterMark: 10_000,
      lowWaterMark: 2_000,
    });
    const log = new Log();
    log.watch(connection);
    let wrote = 0;
    // On a busy machine the kernel may have room again some time after a write.
    do {
      log.lines.length = 0;
      do wrote++; while (connection.write(new Uint8Array(1000)));
      assert(connection.bufferedAmount > 10_000);
      stage.turns(50);
    } while (log.lines.length > 0);
    let drainedAt = -1;
    connection.onDrain = () => {
      log.lines.push("drain");
      drainedAt = connection.bufferedAmount;
    };
    peer.read(wrote * 1000);
    stage.until(() => log.lines.length > 0, "the drain");
    stage.turns();
    assertEquals(log.lines, ["drain"]);
    assert(drainedAt <= 2_000);
  },
);

onAnyBackend(
  "Connection: water marks out of range are refused [K08]",
  (stage) => {
    for (
      const marks of [
        { highWaterMark: 10, lowWaterMark: 11 },
        { highWaterMark: -1 },
        { highWaterMark: NaN },
        { maximumQueued: -1 },
      ]
    ) {
      assertThrows(() => stage.listen(() => {}, marks), RangeError);
    }
  },
);

onEachBackend("onDrain: it may write, and is called again [K09]", (stage) => {
  const { connection, peer } = stage.narrow({ highWaterMark: 5000 });
  const chunk = new Uint8Array(50_000);
  let drains = 0;
  let written = 0;
  const fill = (): void => {
    do written += chunk.length; while (connection.write(chunk));
  };
  connection.onDrain = () => {
    if (++drains < 3) fill();
  };
  fill();
  let received = 0;
  stage.until(() => {
    received += peer.readNow()!.length;
    return drains === 3 && received === written;
  }, "three drains, and all bytes");
});

onEachBackend(
  "onDrain: a paused connection that it resumes was not unregistered",
  (stage) => {
    const { connection, peer } = stage.narrow({ highWaterMark: 5000 });
    let drained = false;
    let registered = false;
    connection.onData = () => {};
    connection.onDrain = () => {
      registered =
        stage.reactor.selector.getMap().get(connection) !== undefined;
      drained = true;
      connection.resume();
    };
    while (connection.write(new Uint8Array(50_000)));
    connection.pause();
    stage.until(() => peer.readNow() !== null && drained, "the drain");
    assert(registered && connection.reading);
  },
);

onEachBackend(
  "onDrain: a paused connection that it leaves paused waits for nothing",
  (stage) => {
    const { connection, peer } = stage.narrow({ highWaterMark: 5000 });
    let drained = false;
    connection.onDrain = () => drained = true;
    while (connection.write(new Uint8Array(50_000)));
    connection.pause();
    stage.until(() => peer.readNow() !== null && drained, "the drain");
    assertEquals(stage.reactor.selector.getMap().get(connection), undefined);
    assertEquals(stage.reactor.runOnce(), false);
  },
);

onEachBackend(
  "onDrain: it is not called if the queue was refilled before",
  (stage) => {
    const marks = { highWaterMark: 5000, lowWaterMark: 1000 };
    const { connection } = stage.connection(marks);
    const queued: number[] = [];
    connection.onDrain = () => queued.push(connection.bufferedAmount);
    connection.cork();
    assertEquals(connection.write(new Uint8Array(6000)), false);
    connection.uncork();
    assertEquals(connection.bufferedAmount, 0);
    connection.cork();
    assertEquals(connection.write(new Uint8Array(2000)), true);
    stage.turns();
    assertEquals(queued, []);
    connection.uncork();
    stage.turns();
    assertEquals(queued, [0]);
  },
);

onEachBackend(
  "write(): beyond maximumQueued the connection is aborted with a RangeError",
  (stage) => {
    const { connection } = stage.narrow({ maximumQueued: 100_000 });
    const log = new Log();
    log.watch(connection);
    connection.write(new Uint8Array(2 * MIB));
    assertEquals(connection.write(new Uint8Array(1)), false);
    stage.until(() => log.lines.length > 0, "the end");
    assertEquals(log.lines, ["close Cannot queue more than 100000 bytes"]);
    assertEquals(stage.reactor.stats().bytesQueued, 0);
  },
);

onEachBackend(
  "write(): towards maximumQueued a tiny chunk counts with its memory",
  (stage) => {
    const maximumQueued = 100_000;
    const { connection } = stage.connection({ maximumQueued });
    const log = new Log();
    log.watch(connection);
    connection.cork();
    let writes = 0;
    while (connection.write(new Uint8Array(1))) writes++;
    // Each chunk counts with 256 bytes more than its length.
    assertEquals(writes, Math.floor(maximumQueued / 257) + 1);
    assertEquals(connection.bufferedAmount, writes);
    stage.until(() => log.lines.length > 0, "the end");
    assertEquals(log.lines, ["close Cannot queue more than 100000 bytes"]);
    assertEquals(stage.reactor.stats().bytesQueued, 0);
  },
);

onAnyBackend(
  "write(): 64 MiB to a peer that does not read do not hold up others",
  (stage) => {
    const { connection } = stage.narrow({ maximumQueued: 256 * MIB });
    for (let count = 0; count < 64; count++) {
      connection.write(
        new Uint8Array(MIB),
      );
    }
    const other = stage.connection();
    other.connection.onData = (chunk) => other.connection.write(chunk);
    other.peer.send("hello");
    assertEquals(other.peer.readText(5), "hello");
    assert(connection.bufferedAmount > 60 * MIB);
    connection.abort();
  },
);

onEachBackend(
  "abort(): it discards the queue, resets, and calls onClose once, later [K11] [K12]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const log = new Log();
    log.watch(connection);
    connection.write(new Uint8Array(2 * MIB));
    connection.abort();
    assertEquals(log.lines, []);
    assertEquals([connection.closed, connection.bufferedAmount], [true, 0]);
    connection.abort();
    connection.close();
    stage.turns();
    assertEquals(log.lines, ["close"]);
    let code = "";
    stage.until(() => {
      try {
        return peer.socket.recv(new Uint8Array(65536)) === 0;
      } catch (error) {
        code = codeOf(error as Error);
        return true;
      }
    }, "the reset");
    assertEquals(code, "ECONNRESET");
  },
);

for (const [how, arrives] of [["end()", true], ["close()", false]] as const) {
  onEachBackend(
    `${how}: with unread input ${
      arrives ? "it loses nothing" : "bytes on their way are lost"
    }`,
    (stage) => {
      const { connection, peer } = stage.narrow();
      peer.send("unread");
      // The system takes more bytes than the peer has room for.
      const sent = connection.socket.send(patternOf(MIB));
      if (arrives) connection.end();
      else connection.close();
      stage.turns();
      const received = peer.read();
      assert(isPattern(received));
      assertEquals(received.length === sent, arrives);
      peer.close();
      stage.until(() => connection.closed, "the close");
    },
  );
}

onEachBackend(
  "close(): an abort() after it adds no second onClose [K12]",
  (stage) => {
    const { connection } = stage.narrow();
    const log = new Log();
    log.watch(connection);
    connection.write(new Uint8Array(2 * MIB));
    connection.close();
    connection.abort();
    stage.turns();
    assertEquals(log.lines, ["close"]);
  },
);

onEachBackend(
  "write(): after the end it is ignored, and sends nothing [K13]",
  (stage) => {
    const ends:
      readonly ((connection: { end(): void; close(): void }) => void)[] = [
        (connection) => connection.end(),
        (connection) => connection.close(),
      ];
    for (const end of ends) {
      const { connection, peer } = stage.connection();
      connection.write(bytesOf("X"));
      end(connection);
      assertEquals(connection.write(bytesOf("Y")), false);
      assertEquals(peer.readText(), "X");
      connection.abort();
      assertEquals(connection.write(bytesOf("Y")), false);
    }
  },
);

onEachBackend(
  "write(): to a peer that is gone it ends the connection with the error, once [K14] [K20] [C14]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    connection.onClose = (error) => {
      log.lines.push(`close ${error && codeOf(error)}`);
    };
    peer.reset();
    stage.until(() => {
      connection.write(new Uint8Array(10));
      return connection.closed;
    }, "the error");
    stage.turns();
    assertEquals(log.lines.length, 1);
    assert(/EPIPE|ECONNRESET/.test(log.lines[0]!), log.lines[0]);
  },
);

onEachBackend(
  "end(): the end of file follows the last byte, once for two calls [K15]",
  (stage) => {
    const { connection, peer } = stage.narrow();
    connection.onData = () => {};
    connection.onEnd = () => {};
    connection.write(patternOf(MIB));
    connection.end();
    connection.end();
    const received = peer.read();
    assertEquals(received.length, MIB);
    assert(!connection.closed);
    peer.send("still read");
    peer.end();
    stage.until(() => connection.closed, "the close");
  },
);

onEachBackend("end(): it sends last bytes", (stage) => {
  const { connection, peer } = stage.connection();
  connection.write(bytesOf("one "));
  connection.end(bytesOf("two"));
  assertEquals(peer.readText(), "one two");
});

onEachBackend("cork(): writes are gathered until uncork()", (stage) => {
  const { connection, peer } = stage.connection();
  connection.cork();
  for (let count = 0; count < 100; count++) connection.write(bytesOf("abc"));
  stage.turns();
  assertEquals(peer.readNow()!.length, 0);
  connection.uncork();
  assertEquals(peer.readNow()!.length, 300);
  assertEquals(connection.bufferedAmount, 0);
});

onEachBackend("write(): a list of chunks is one write", (stage) => {
  const { connection, peer } = stage.connection();
  assert(connection.write([bytesOf("a"), new Uint8Array(0), bytesOf("bc")]));
  assertEquals(new TextDecoder().decode(peer.readNow()!), "abc");
});

onEachBackend(
  "Connection: 16 MiB go either way in steps of a kilobyte [K23]",
  (stage) => {
    const { connection, peer } = stage.connection();
    const data = patternOf(16 * MIB);
    for (let offset = 0; offset < data.length; offset += 1024) {
      connection.write(data.subarray(offset, offset + 1024));
    }
    const received = peer.read(data.length);
    assert(received.length === data.length && isPattern(received));
  },
);

onAnyBackend(
  "setIdleTimeout(): an idle connection ends after the time, an active one does not",
  (stage) => {
    const { connection } = stage.connection();
    const active = stage.connection();
    const log = new Log();
    log.watch(connection);
    log.watch(active.connection, "active");
    const started = performance.now();
    connection.setIdleTimeout(400);
    active.connection.setIdleTimeout(400);
    const ticking = stage.reactor.callEvery(5, () => {
      active.connection.write(bytesOf("x"));
    });
    stage.until(() => log.lines.length > 0, "the timeout");
    assert(performance.now() - started >= 400);
    assertEquals(log.lines, ["close Nothing was sent or received in time"]);
    ticking.cancel();
    assertThrows(() => active.connection.setIdleTimeout(-1), RangeError);
  },
);

onEachBackend(
  "onClose: it is called after all pending callbacks [K17]",
  (stage) => {
    const { connection, peer } = stage.narrow({ highWaterMark: 1000 });
    const log = new Log();
    log.watch(connection);
    while (connection.write(new Uint8Array(50_000)));
    connection.end();
    peer.end();
    peer.read();
    stage.until(() => log.lines.includes("close"), "the close");
    stage.turns();
    // If the close comes first, onClose is called instead of onDrain.
    const others = log.lines.filter((line) => line !== "drain");
    assertEquals(others, ["end", "close"]);
    assertEquals(log.lines.at(-1), "close");
  },
);
