/**
 * Memory: a chunk belongs to its callback. Memory of the caller may be transferred
 * while a call is pending, without a false end of file or a silent loss.
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WOULD_BLOCK } from "../../backends/ffi/mod.ts";
import type { Conn, Datagram, OutgoingMessage } from "../../reactor/mod.ts";
import { bytesOf, nextTurn } from "../util.ts";
import {
  isPattern,
  joined,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
  textOf,
} from "./stage.ts";

/** Values that are not bytes, by the names that errors give them. */
const NOT_BYTES: readonly (readonly [name: string, value: unknown])[] = [
  ["null", null],
  ["string", "text"],
  ["number", 5],
  ["object", { byteLength: 4 }],
  ["boolean", true],
];

/** Moves a buffer's bytes away, as `postMessage` with a list of transfers does. */
function transfer(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return structuredClone(bytes, { transfer: [bytes.buffer] });
}

/** Bytes whose buffer may be resized, up to twice. */
function resizable(length: number): Uint8Array<ArrayBuffer> {
  const buffer = new ArrayBuffer(length, { maxByteLength: 2 * length });
  return new Uint8Array(buffer, 0, length);
}

onEachBackend(
  "onData: the buffer of a chunk is as long as the chunk, and holds no other",
  (stage) => {
    const all: Uint8Array<ArrayBuffer>[] = [];
    const others = [stage.connection(), stage.connection()];
    for (const { connection } of others) {
      connection.onData = (chunk) => all.push(chunk);
    }
    let expected = 0;
    for (const length of [1, 8, 8, 8, 8, 65, 1024, 1025, 4096, 20_000]) {
      for (const { peer } of others) {
        expected += peer.send(patternOf(length));
        const total = (): number => joined(all).length;
        stage.until(() => total() === expected, `${expected} bytes`);
      }
    }
    assertEquals(new Set(all.map(({ buffer }) => buffer)).size, all.length);
    assert(all.every(({ buffer, length }) => buffer.byteLength === length));
  },
);

onEachBackend(
  "onData: a transferred chunk ends no connection, and none of a later reactor",
  (stage) => {
    const first = stage.connection();
    const second = stage.connection();
    const moved: string[] = [];
    first.connection.onData = (chunk) => moved.push(textOf(transfer(chunk)));
    second.connection.onData = (chunk) => second.connection.write(chunk);
    for (const text of ["one", "two", "thr", "four"]) {
      first.peer.send(text);
      stage.until(() => moved.includes(text), text);
      second.peer.send(text);
      assertEquals(second.peer.readText(text.length), text);
    }
    assert(!first.connection.readEnded && !second.connection.readEnded);
    const later = stage.make();
    let received = "";
    const { address } = later.listen(
      { hostname: "127.0.0.1", port: 0 },
      (accepted) => {
        accepted.onData = (chunk) => received += textOf(chunk);
      },
    );
    stage.dial(address).send("later");
    while (received !== "later") later.runOnce(1000);
  },
);

onEachBackend(
  "reuseBuffer: a transferred buffer is replaced, and no end of file",
  (stage) => {
    const first = stage.connection({ reuseBuffer: true });
    const second = stage.connection({ reuseBuffer: true });
    const log: string[] = [];
    for (const { connection } of [first, second]) {
      connection.onData = (chunk) => log.push(textOf(transfer(chunk)));
      connection.onEnd = () => log.push("end");
    }
    const texts = ["one", "two", "three", "four", "five"];
    for (const [index, text] of texts.entries()) {
      (index % 2 === 0 ? first : second).peer.send(text);
      stage.until(() => log.length > index, text);
    }
    assertEquals(log, texts);
  },
);

onEachBackend(
  "Connection: one that discards input is not ended by a transferred buffer",
  (stage) => {
    const reusing = stage.connection({ reuseBuffer: true });
    reusing.connection.onData = (chunk) => void transfer(chunk);
    const dropping = stage.connection({ reuseBuffer: true });
    let closed = false;
    dropping.connection.onClose = () => closed = true;
    dropping.connection.end();
    for (let round = 0; round < 3; round++) {
      reusing.peer.send("x");
      dropping.peer.send("unread");
      stage.turns();
    }
    assertEquals(closed, false);
    dropping.peer.end();
    stage.until(() => closed, "the close");
  },
);

onEachBackend(
  "reuseBuffer: a callback that runs another reactor keeps its bytes",
  (stage) => {
    const { connection, peer } = stage.connection({ reuseBuffer: true });
    const other = stage.make();
    let others = "";
    const { address } = other.listen(
      { hostname: "127.0.0.1", port: 0, reuseBuffer: true },
      (accepted) => {
        accepted.onData = (chunk) => others += textOf(chunk);
      },
    );
    const otherPeer = stage.dial(address);
    let received = "";
    connection.onData = (chunk) => {
      otherPeer.send("OTHER");
      while (others.length < 5) other.runOnce(1000);
      received += textOf(chunk);
      const shown = textOf(new Uint8Array(chunk.buffer));
      assert(!shown.includes("OTHER"), "the buffer shows another reactor's");
    };
    peer.send("first");
    stage.until(() => received !== "", "the bytes");
    assertEquals(received, "first");
  },
);

onEachBackend(
  "onMessage: the buffer of a message is as long as the message, and transferable",
  (stage) => {
    const datagram = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const buffers = new Set<ArrayBuffer>();
    const texts: string[] = [];
    datagram.onMessage = (data) => {
      assertEquals(data.buffer.byteLength, data.length);
      buffers.add(data.buffer);
      texts.push(textOf(transfer(data)));
    };
    const sent = ["one", "two", "", "three", "x".repeat(5000), "six", "ten"];
    for (const text of sent) datagram.send(bytesOf(text), datagram.address);
    stage.until(() => texts.length === sent.length, "all messages");
    assertEquals([texts, buffers.size], [sent, sent.length]);
  },
);

onEachBackend(
  "write(): it takes buffers, views of all kinds, and shared memory, as end() does",
  (stage) => {
    const { connection, peer } = stage.connection();
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    shared.set(bytesOf("gh"));
    const { buffer } = bytesOf("-ab-");
    connection.write(new DataView(buffer, 1, 2));
    connection.write(bytesOf("cd").buffer);
    connection.write(new Uint16Array(bytesOf("ef").buffer));
    connection.write(shared as never);
    connection.write(shared.buffer as never);
    connection.write([new DataView(buffer, 1, 2), buffer]);
    connection.end(bytesOf("ij").buffer);
    assertEquals(peer.readText(), "abcdefghghab-ab-ij");
  },
);

onEachBackend(
  "write(): queued bytes are a copy, also of resizable and shared memory",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const all = patternOf(3_000_000);
    const first = resizable(1_000_000);
    const second = new Uint8Array(new SharedArrayBuffer(1_000_000));
    const third = all.slice(2_000_000);
    first.set(all.subarray(0, 1_000_000));
    second.set(all.subarray(1_000_000, 2_000_000));
    connection.write(first);
    first.buffer.resize(0);
    connection.write(second as never);
    second.fill(0);
    connection.write(third);
    transfer(third);
    connection.end();
    const received = peer.read();
    assert(received.length === all.length && isPattern(received));
  },
);

onEachBackend(
  "write(): a value that is not bytes is refused by its name, and nothing is sent",
  (stage) => {
    const { connection, peer } = stage.connection();
    const good = bytesOf("good");
    for (const [name, value] of NOT_BYTES) {
      const wrong = value as never;
      const refusal = `Cannot write ${name}: it must be bytes`;
      const calls = [
        (): unknown => connection.write(wrong),
        (): unknown => connection.write([good, wrong]),
        (): unknown => connection.end(wrong),
      ];
      // These alone take text, as UTF-8.
      if (name === "string") calls.length = 0;
      for (const call of calls) assertThrows(call, TypeError, refusal);
      assertThrows(() => connection.socket.send(wrong), TypeError, name);
      assertThrows(() => connection.socket.recv(wrong), TypeError, name);
    }
    const refusal = "Cannot write undefined: it must be bytes";
    // deno-lint-ignore no-sparse-arrays -- as a program may have made it
    const sparse = [good, , good] as never;
    assertThrows(() => connection.write(sparse), TypeError, refusal);
    assertThrows(
      () => connection.write([1, 2] as never),
      TypeError,
      "Cannot write number: it must be bytes",
    );
    connection.end(bytesOf("all"));
    assertEquals(peer.readText(), "all");
  },
);

onEachBackend(
  "write(): a transferred or shrunk buffer is refused, not taken for empty",
  (stage) => {
    const { connection, peer } = stage.connection();
    const gone = bytesOf("gone");
    transfer(gone);
    const shrunk = resizable(8);
    shrunk.buffer.resize(4);
    for (const wrong of [gone, gone.buffer, shrunk]) {
      for (
        const call of [
          (): unknown => connection.write(wrong),
          (): unknown => connection.write([bytesOf("good"), wrong]),
          (): unknown => connection.end(wrong),
          (): unknown => connection.socket.send(wrong),
        ]
      ) {
        if (wrong === gone.buffer) assertThrows(call, TypeError);
        else assertThrows(call, TypeError, "transferred or shrunk");
      }
    }
    peer.send("hello");
    for (const wrong of [gone, shrunk]) {
      assertThrows(() => connection.socket.recv(wrong), TypeError);
    }
    assert(!connection.readEnded);
    connection.write(new Uint8Array(0));
    connection.end(bytesOf("all"));
    assertEquals(peer.readText(), "all");
  },
);

/** Two datagram sockets, of which the second collects messages. */
function datagrams(
  stage: Stage,
): { from: Datagram; to: Datagram; received: string[] } {
  const from = stage.reactor.datagram({ hostname: "127.0.0.1" });
  const to = stage.reactor.datagram({ hostname: "127.0.0.1" });
  const received: string[] = [];
  to.onMessage = (data) => received.push(textOf(data));
  return { from, to, received };
}

onEachBackend(
  "Datagram: it sends buffers and all views, and refuses other values",
  (stage) => {
    const { from, to, received } = datagrams(stage);
    const { address } = to;
    const good = bytesOf("good");
    const gone = bytesOf("gone");
    transfer(gone);
    for (const [name, value] of [...NOT_BYTES, ["buffer", gone] as const]) {
      const data = value as never;
      assertThrows(() => from.send(data, address), TypeError, name);
      const list = [{ data: good, address }, { data, address }];
      assertThrows(() => from.sendMany(list), TypeError, name);
    }
    from.send(bytesOf("one").buffer, address);
    from.send(new DataView(bytesOf("-two-").buffer, 1, 3), address);
    from.sendMany([{ data: bytesOf("three").buffer, address }]);
    stage.until(() => received.length === 3, "the messages");
    stage.turns();
    assertEquals(received, ["one", "two", "three"]);
  },
);

onAnyBackend("Datagram: queued messages are copies", (stage) => {
  const { from, to, received } = datagrams(stage);
  const { address } = to;
  const kinds: readonly (() => Uint8Array<ArrayBuffer>)[] = [
    () => new Uint8Array(1),
    () => Buffer.alloc(1),
    () => new Uint8Array(new ArrayBuffer(1, { maxByteLength: 2 })),
  ];
  for (const make of kinds) {
    const data = make();
    const letters = function* (): Iterable<OutgoingMessage> {
      for (const letter of "abc") {
        data.set(bytesOf(letter));
        yield { data, address };
      }
    };
    // None is sent before the last is queued.
    from.sendMany(letters());
    stage.until(() => received.length === 3, "the messages");
    assertEquals(received.splice(0), ["a", "b", "c"]);
  }
});

onEachBackend(
  "write(): a queued node Buffer is a copy, although its slice() is not",
  (stage) => {
    const { connection, peer } = stage.narrow();
    const all = patternOf(2_000_000);
    const buffer = Buffer.from(all);
    connection.write(buffer.subarray(0, 1_000_000));
    connection.write(buffer.subarray(1_000_000));
    buffer.fill(0);
    connection.end();
    const received = peer.read();
    assert(received.length === all.length && isPattern(received));
  },
);

/** Both ends of a connection, each a `Conn`. */
async function conns(stage: Stage): Promise<[client: Conn, server: Conn]> {
  const { reactor } = stage;
  reactor.serve();
  const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  return await Promise.all([
    reactor.net.connect({ port }),
    listener.accept(),
  ]);
}

/** Fills the buffers to the peer, so that the next write waits. Returns the bytes. */
async function fill(conn: Conn): Promise<number> {
  const load = new Uint8Array(1_000_000);
  let total = 0;
  // Bytes on their way make room when they arrive.
  for (let full = 0; full < 50;) {
    const count = conn.socket.send(load);
    full = count === WOULD_BLOCK ? full + 1 : 0;
    if (count === WOULD_BLOCK) await nextTurn();
    else total += count;
  }
  return total;
}

/** Reads so many bytes. */
async function drain(conn: Conn, length: number): Promise<void> {
  const buffer = new Uint8Array(65_536);
  while (length > 0) {
    const count = await conn.read(buffer.subarray(0, length));
    assert(count !== null, "the end came early");
    length -= count;
  }
}

for (
  const [how, take] of [
    ["transferred", (bytes: Uint8Array<ArrayBuffer>) => void transfer(bytes)],
    ["shrunk", (bytes: Uint8Array<ArrayBuffer>) => bytes.buffer.resize(1)],
  ] as const
) {
  onAnyBackend(
    `Conn: a read whose buffer is ${how} meanwhile fails, and the next gets the bytes`,
    async (stage) => {
      const [client, server] = await conns(stage);
      const buffer = resizable(16);
      const read = client.read(buffer);
      take(buffer);
      await server.write(bytesOf("hello"));
      await assertRejects(() => read, TypeError, "transferred or shrunk");
      const next = new Uint8Array(16);
      assertEquals(await client.read(next), 5);
      assertEquals(textOf(next.subarray(0, 5)), "hello");
      server.close();
      assertEquals(await client.read(next), null);
    },
  );

  onAnyBackend(
    `Conn: a write whose buffer is ${how} meanwhile fails, and sends nothing`,
    async (stage) => {
      const [client, server] = await conns(stage);
      const sent = await fill(client);
      const buffer = resizable(100);
      const first = client.write(buffer);
      const second = client.write(bytesOf("next"));
      take(buffer);
      const failing = assertRejects(
        () => first,
        TypeError,
        "transferred or shrunk",
      );
      await drain(server, sent);
      await failing;
      assertEquals(await second, 4);
      const received = new Uint8Array(16);
      assertEquals(await server.read(received), 4);
      assertEquals(textOf(received.subarray(0, 4)), "next");
    },
  );

  onAnyBackend(
    `Conn: a chunk of writable that is ${how} meanwhile fails the stream`,
    async (stage) => {
      const [client, server] = await conns(stage);
      const sent = await fill(client);
      const writer = client.writable.getWriter();
      writer.closed.catch(() => {});
      const chunk = resizable(100);
      const write = writer.write(chunk);
      // The stream passes it to the connection in a later iteration.
      await nextTurn();
      take(chunk);
      const failing = assertRejects(() => write, TypeError);
      await drain(server, sent);
      await failing;
      assertEquals(await server.read(new Uint8Array(16)), null);
    },
  );
}

onAnyBackend(
  "Conn: a write whose buffer grows meanwhile sends the bytes of the call",
  async (stage) => {
    const [client, server] = await conns(stage);
    const sent = await fill(client);
    const buffer = new ArrayBuffer(5, { maxByteLength: 100 });
    const view = new Uint8Array(buffer);
    view.set(bytesOf("hello"));
    const write = client.write(view);
    buffer.resize(100);
    await drain(server, sent);
    assertEquals(await write, 5);
    client.close();
    const received = new Uint8Array(200);
    assertEquals(await server.read(received), 5);
    assertEquals(textOf(received.subarray(0, 5)), "hello");
  },
);

onAnyBackend(
  "Conn: a pending write of shared memory sends its later bytes",
  async (stage) => {
    const [client, server] = await conns(stage);
    const sent = await fill(client);
    const shared = new Uint8Array(new SharedArrayBuffer(5));
    const write = client.write(shared);
    shared.set(bytesOf("hello"));
    await drain(server, sent);
    assertEquals(await write, 5);
    const received = new Uint8Array(new SharedArrayBuffer(16));
    assertEquals(await server.read(received), 5);
    assertEquals(textOf(received.slice(0, 5)), "hello");
  },
);

onAnyBackend(
  "Conn: read() and write() take a Uint8Array, as Deno's do",
  async (stage) => {
    const [client, server] = await conns(stage);
    const others = [["object", new ArrayBuffer(2)]] as const;
    for (const [name, value] of [...NOT_BYTES, ...others]) {
      const wrong = value as never;
      const must = `${name}: it must be a Uint8Array`;
      await assertRejects(
        () => client.write(wrong),
        TypeError,
        `Cannot write ${must}`,
      );
      await assertRejects(
        () => client.read(wrong),
        TypeError,
        `Cannot read into ${must}`,
      );
    }
    client.close();
    assertEquals(await server.read(new Uint8Array(16)), null);
  },
);

onAnyBackend(
  "Conn: writable takes buffers and all views, as Deno's does",
  async (stage) => {
    const [client, server] = await conns(stage);
    const writer = (client.writable as WritableStream).getWriter();
    await writer.write(bytesOf("ab").buffer);
    await writer.write(new DataView(bytesOf("-cd-").buffer, 1, 2));
    await writer.write(new Uint16Array(bytesOf("ef").buffer));
    await writer.write(new SharedArrayBuffer(1));
    await writer.write(new Uint8Array(0));
    await writer.close();
    assertEquals(await new Response(server.readable).text(), "abcdef\0");
  },
);

for (const [name, value] of NOT_BYTES) {
  onAnyBackend(
    `Conn: writable fails with ${name}, and sends nothing`,
    async (stage) => {
      const [client, server] = await conns(stage);
      const writer = (client.writable as WritableStream).getWriter();
      writer.closed.catch(() => {});
      await assertRejects(
        () => writer.write(value),
        TypeError,
        `Cannot write ${name}: it must be bytes`,
      );
      assertEquals(await server.read(new Uint8Array(16)), null);
    },
  );
}

onAnyBackend(
  "Conn: a chunk of readable shows no other byte, with a buffer of the caller or not",
  async (stage) => {
    const [client, server] = await conns(stage);
    await server.write(bytesOf("one"));
    const reader = client.readable.getReader();
    const { value } = await reader.read();
    assertEquals(textOf(value!), "one");
    const { buffer } = transfer(value!);
    assert(new Uint8Array(buffer).subarray(3).every((byte) => byte === 0));
    reader.releaseLock();
    const byob = client.readable.getReader({ mode: "byob" });
    const read = byob.read(new Uint8Array(16));
    await server.write(bytesOf("two"));
    const answer = await read;
    assertEquals(textOf(answer.value!), "two");
    assertEquals(answer.value!.buffer.byteLength, 16);
    const resizing = byob.read(new DataView(new ArrayBuffer(8), 2, 4));
    await server.write(bytesOf("three"));
    assertEquals((await resizing).value!.byteLength, 4);
    server.close();
    const rest = await byob.read(new Uint8Array(16));
    assertEquals(textOf(rest.value!), "e");
    assert((await byob.read(new Uint8Array(16))).done);
  },
);
