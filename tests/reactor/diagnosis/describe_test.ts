/** `describe()`: each descriptor and timer as a row, in slices. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import { EVENT_READ, EVENT_WRITE } from "../../../backends/mod.ts";
import {
  close,
  dup,
  type InternetAddress,
  type Socket,
  socketPair,
} from "../../../backends/ffi/mod.ts";
import {
  type Datagram,
  type DescriptorDescription,
  Reactor,
  type TimerDescription,
} from "../../../reactor/mod.ts";
import { anyFile, pairOf, test, wine } from "../../util.ts";
import { onAnyBackend, onEachBackend, type Stage } from "../stage.ts";

/** Under Wine each copy of a socket takes milliseconds. */
const MANY = wine ? 1000 : 10_000;

/** All rows of descriptors. */
async function descriptors(
  reactor: Reactor,
): Promise<DescriptorDescription[]> {
  const rows = await Array.fromAsync(reactor.describe());
  return rows.filter((row) => row.subject === "descriptor");
}

/** The row of a descriptor. */
async function rowOf(
  reactor: Reactor,
  fd: number,
): Promise<DescriptorDescription> {
  const found = (await descriptors(reactor)).filter((row) => row.fd === fd);
  assertEquals(found.length, 1, `rows of descriptor ${fd}`);
  return found[0]!;
}

/** Duplicates of a descriptor, as many as the system permits. */
function copiesOf(stage: Stage, most: number): number[] {
  const [, socket] = stage.pair();
  const copies: number[] = [];
  stage.defer(() => copies.forEach(close));
  try {
    while (copies.length < most) copies.push(dup(socket));
  } catch {
    // Some are left for the reactor.
    for (const fd of copies.splice(-64)) close(fd);
  }
  return copies;
}

onEachBackend(
  "describe(): a registration has its events and the name of its callback",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    reactor.register(left, EVENT_READ | EVENT_WRITE, function pump(): void {});
    reactor.register(right, EVENT_READ, () => {});
    const row = await rowOf(reactor, left.fd);
    assertEquals(row.callback, "pump");
    assertEquals(row.events, EVENT_READ | EVENT_WRITE);
    assertEquals(row.role, "program");
    assertEquals((await rowOf(reactor, right.fd)).callback, "");
  },
);

onAnyBackend(
  "describe(): without diagnose() no count is known",
  async (stage) => {
    const { reactor } = stage;
    const [left] = stage.pair();
    reactor.register(left, EVENT_READ, () => {});
    const { since, ready, idle, bytesRead, bytesWritten } = await rowOf(
      reactor,
      left.fd,
    );
    assertEquals([since, ready, idle, bytesRead, bytesWritten], [
      null,
      null,
      null,
      null,
      null,
    ]);
  },
);

onAnyBackend(
  "describe(): with diagnose() a row counts readiness and bytes of both directions",
  async (stage) => {
    const { reactor } = stage;
    await reactor.diagnose();
    const begun = performance.now();
    const { connection, peer } = stage.connection();
    connection.onData = (chunk) => connection.write(chunk);
    for (let count = 1; count <= 3; count++) {
      peer.send("12345");
      peer.read(5);
    }
    const { since, ready, idle, bytesRead, bytesWritten } = await rowOf(
      reactor,
      connection.fd,
    );
    assertEquals([ready, idle, bytesRead, bytesWritten], [3, 0, 15, 15]);
    assertGreater(since!, begun - 1);
    assertLess(since!, performance.now());
  },
);

onAnyBackend(
  "describe(): the counts of a descriptor begin anew when its number is used again",
  async (stage) => {
    const { reactor } = stage;
    await reactor.diagnose();
    const [left, right] = socketPair().map((end) => reactor.adopt(end));
    const { fd } = right!;
    right!.onData = () => {};
    left!.write("12345");
    stage.turns();
    assertEquals((await rowOf(reactor, fd)).bytesRead, 5);
    right!.close();
    left!.close();
    stage.turns();
    // Windows may give out another number first.
    let same: Socket | undefined;
    for (let pairs = 0; same === undefined && pairs < 50; pairs++) {
      same = stage.pair().find((socket) => socket.fd === fd);
    }
    reactor.register(same!, EVENT_READ, () => {});
    const { ready, bytesRead } = await rowOf(reactor, fd);
    assertEquals([ready, bytesRead], [0, 0]);
  },
);

onAnyBackend(
  "describe(): listener, connection and datagram socket say what they are",
  async (stage) => {
    const { reactor } = stage;
    const acceptor = stage.listen(function welcome(): void {});
    const client = reactor.connect(acceptor.address);
    client.onData = function take(): void {};
    stage.until(() => !client.connecting, "the connect");
    const datagram = reactor.datagram({ hostname: "127.0.0.1", port: 0 });
    const rows = await Promise.all(
      [acceptor, client, datagram].map(({ fd }) => rowOf(reactor, fd)),
    );
    assertEquals(rows.map(({ role }) => role), [
      "acceptor",
      "connection",
      "datagram",
    ]);
    assertEquals(rows.map(({ callback }) => callback), ["welcome", "take", ""]);
    assertEquals(rows[0]!.file.listening, true);
    assertEquals(rows[0]!.file.localAddress, acceptor.address);
    assertEquals(rows[1]!.file.localAddress, client.localAddress);
    assertEquals(rows[1]!.file.remoteAddress, client.remoteAddress);
    assertEquals(rows[2]!.file.type, "datagram");
    // It is not registered, because it has no callback.
    assertEquals(rows[2]!.events, 0);
  },
);

onAnyBackend(
  "describe(): a connection has its queued bytes, and says that it is paused",
  async (stage) => {
    const { connection, peer } = stage.narrow();
    connection.onData = () => {};
    connection.write(new Uint8Array(1_000_000));
    connection.pause();
    const { bytesQueued, paused } = await rowOf(stage.reactor, connection.fd);
    assertEquals(bytesQueued, connection.bufferedAmount);
    assertGreater(bytesQueued, 0);
    assertEquals(paused, true);
    connection.resume();
    assertEquals((await rowOf(stage.reactor, connection.fd)).paused, false);
    peer.close();
  },
);

onAnyBackend(
  "describe(): a connection of net is a connection, and its listener an acceptor",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    using client = await reactor.net.connect({ port, hostname: "127.0.0.1" });
    using server = await listener.accept();
    const rows = await Promise.all(
      [listener, client, server].map(({ fd }) => rowOf(reactor, fd)),
    );
    assertEquals(rows.map(({ role }) => role), [
      "acceptor",
      "connection",
      "connection",
    ]);
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "describe(): a timer has its deadline, its interval and its name",
  async (stage) => {
    const { reactor } = stage;
    const timer = reactor.callEvery(60_000, function tick(): void {}).unref();
    reactor.callLater(60_000, () => {}).cancel();
    const rows = await Array.fromAsync(reactor.describe());
    const expected: TimerDescription = {
      subject: "timer",
      deadline: timer.deadline,
      interval: 60_000,
      referenced: false,
      callback: "tick",
    };
    assertEquals(rows, [expected]);
  },
);

onAnyBackend(
  "describe(): a reader and a pending promise have their names",
  async (stage) => {
    const { reactor } = stage;
    const [left] = stage.pair();
    const served = reactor.serve();
    reactor.addReader(left, function input(): void {});
    const pending = Promise.resolve(reactor.writable(left)).catch(() => {});
    const { callback } = await rowOf(reactor, left.fd);
    assert(["input, writable", "input"].includes(callback), callback);
    await pending;
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "describe(): descriptors of the reactor itself have no row",
  async (stage) => {
    const { reactor } = stage;
    void reactor.wakeFd;
    assertEquals(await descriptors(reactor), []);
  },
);

test("describe(): a closed descriptor that is still registered is closed", async () => {
  using reactor = new Reactor();
  using pair = pairOf();
  const copy = dup(pair.left);
  reactor.register(copy, EVENT_READ, () => {});
  close(copy);
  assertEquals((await rowOf(reactor, copy)).file.kind, "closed");
  reactor.unregister(copy);
});

onAnyBackend(
  `describe(): ${MANY} descriptors are described in slices, between which the loop turns`,
  async (stage) => {
    const { reactor } = stage;
    const copies = copiesOf(stage, MANY);
    for (const fd of copies) reactor.register(fd, EVENT_READ, () => {});
    const served = reactor.serve();
    let turns = 0;
    let most = 0;
    let rows = 0;
    reactor.callEvery(1, () => turns++);
    let before = turns;
    let sinceTurn = 0;
    for await (const _ of reactor.describe()) {
      rows++;
      sinceTurn = turns === before ? sinceTurn + 1 : 1;
      before = turns;
      most = Math.max(most, sinceTurn);
    }
    assertGreater(rows, copies.length);
    // A slice of 1 ms has some hundred rows, or more where the machine is busy.
    assertLess(most, rows / 3, `${most} rows in a row`);
    reactor.stop();
    await served;
  },
);

onAnyBackend(
  "describe(): a loop that leaves early ends the description",
  async (stage) => {
    const { reactor } = stage;
    for (let count = 0; count < 100; count++) {
      reactor.callLater(
        60_000,
        () => {},
      );
    }
    let rows = 0;
    for await (const _ of reactor.describe()) if (++rows === 3) break;
    assertEquals(rows, 3);
  },
);

onAnyBackend(
  "describe(): a paused connection has no counts of the former owner of its number",
  async (stage) => {
    const { reactor } = stage;
    await reactor.diagnose();
    const { connection, peer } = stage.connection();
    const { fd } = connection;
    connection.onData = () => connection.abort();
    peer.send("x");
    stage.until(() => connection.closed, "the end");
    using pair = pairOf();
    const adopted = [pair.left, pair.right]
      .map((socket) => reactor.adopt(socket));
    for (const each of adopted) each.pause();
    assert(adopted.some((each) => each.fd === fd), "number was not used again");
    const { since, ready, idle } = await rowOf(reactor, fd);
    assertEquals({ since, ready, idle }, { since: null, ready: 0, idle: 0 });
    for (const each of adopted) each.abort();
  },
  {
    ignore: !anyFile,
    reason: "Windows need not give out a number again",
  },
);

onAnyBackend(
  "describe(): a connection that is paused after its row has no second one",
  async (stage) => {
    const { reactor } = stage;
    const { connection } = stage.connection();
    connection.onData = () => {};
    const { fd } = connection;
    let rows = 0;
    for await (const row of reactor.describe()) {
      if (row.subject === "timer" || row.fd !== fd) continue;
      rows++;
      connection.pause();
    }
    assertEquals(rows, 1);
    assertEquals((await rowOf(reactor, fd)).paused, true);
  },
);

test("diagnose(): a closed reactor is refused", async () => {
  const reactor = new Reactor();
  reactor.close();
  await assertRejects(() => reactor.diagnose(), Deno.errors.BadResource);
});

test("diagnose(): an unknown option and a threshold of 0 are refused", async () => {
  using reactor = new Reactor();
  await assertRejects(
    () => reactor.diagnose({ stallTreshold: 1 } as never),
    TypeError,
    'did you mean "stallThreshold"?',
  );
  await assertRejects(
    () => reactor.diagnose({ stallThreshold: 0 }),
    RangeError,
  );
});

test("diagnose(): an onDiagnosis that is no function is refused, and an earlier call takes effect", async () => {
  using reactor = new Reactor();
  const earlier = reactor.diagnose();
  await assertRejects(
    () => reactor.diagnose({ onDiagnosis: 5 as never }),
    TypeError,
  );
  await earlier;
  reactor.callSoon(() => {});
  reactor.runOnce();
  assertGreater(reactor.stats().callbackTime, 0);
});

onAnyBackend(
  "describe(): a datagram socket has the bytes of its messages, also of batches",
  async (stage) => {
    const { reactor } = stage;
    await reactor.diagnose();
    const [left, right] = [0, 0].map((port) =>
      reactor.datagram({ hostname: "127.0.0.1", port })
    ) as [Datagram<InternetAddress>, Datagram<InternetAddress>];
    let received = 0;
    right.onMessage = function count(data): void {
      received += data.length;
    };
    const data = new Uint8Array(100);
    const { address } = right;
    for (let count = 0; count < 5; count++) {
      left.sendMany(Array.from({ length: 10 }, () => ({ data, address })));
      stage.until(() => received === (count + 1) * 1000, "the messages");
    }
    const sent = await rowOf(reactor, left.fd);
    const row = await rowOf(reactor, right.fd);
    assertEquals([sent.bytesWritten, row.bytesRead], [5000, 5000]);
    assertEquals([row.callback, row.idle], ["count", 0]);
  },
);
