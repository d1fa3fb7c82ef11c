/**
 * Leaks: of one connection, of many, and of random ones.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { isOpen } from "../../backends/ffi/descriptor.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import { type Connection, Reactor } from "../../reactor/mod.ts";
import { soak } from "../soak.ts";
import { openFds, type Random, runDeno, test, withSeed } from "../util.ts";
import {
  isPattern,
  onEachBackend,
  patternOf,
  type Peer,
  type Stage,
} from "./stage.ts";

onEachBackend("Connection.close(): the descriptor is closed [O02]", (stage) => {
  const { connection, peer } = stage.connection();
  const { fd } = connection;
  connection.onData = () => {};
  peer.close();
  stage.until(() => connection.closed, "the close");
  assertEquals([isOpen(fd), connection.fd], [false, -1]);
});

onEachBackend(
  "run(): afterwards there are no registrations, timers or queued bytes [O03]",
  (stage) => {
    const { connection, peer } = stage.connection();
    connection.setIdleTimeout(1000);
    connection.onData = (chunk) => connection.write(chunk);
    peer.send("hello");
    peer.end();
    assertEquals(peer.readText(), "hello");
    stage.until(() => connection.closed, "the end");
    const { registered, timers, bytesQueued } = stage.reactor.stats();
    assertEquals([registered, timers, bytesQueued], [0, 0, 0]);
    stage.reactor.run();
  },
);

onEachBackend(
  "close(): the peers of connections see their end [O04] [N05]",
  (stage) => {
    const reactor = stage.make();
    let closed = 0;
    const acceptor = reactor.listen(
      { hostname: "127.0.0.1", port: 0 },
      (peer) => {
        peer.onData = () => {};
        peer.onClose = () => closed++;
      },
    );
    const peers = [0, 1, 2].map(() => stage.dial(acceptor.address));
    while (reactor.stats().registered < 4) reactor.runOnce(5);
    reactor.close();
    assertEquals(closed, 3);
    for (const peer of peers) assertEquals(peer.readNow(), null);
  },
);

/** Makes the selector refuse the next registration, as the system does without memory. */
function failNextRegister({ selector }: Reactor): void {
  const { register } = selector;
  selector.register = (): never => {
    selector.register = register;
    throw systemError("epoll_ctl", system().errno.ENOMEM!);
  };
}

onEachBackend(
  "listen(), datagram(), connect(): after a failure the descriptor is closed [O06]",
  (stage) => {
    const { reactor } = stage;
    const where = { hostname: "127.0.0.1", port: 0 };
    const acceptor = reactor.listen(where, (connection) => {
      failNextRegister(reactor);
      connection.onData = () => {};
    });
    const { port } = acceptor.address;
    const before = openFds().size;
    // The socket is bound, and listen() fails.
    const backlog = -1;
    assertThrows(() => reactor.listen({ ...where, backlog }, () => {}));
    // The socket listens, and register() fails.
    failNextRegister(reactor);
    assertThrows(() => reactor.listen(where, () => {}), Error, "memory");
    // The socket is created, and bind() fails.
    reactor.datagram({ ...where, port }).close();
    assertThrows(() => reactor.datagram({ ...where, hostname: "192.0.2.1" }));
    assertEquals(openFds().size, before);
    // The connection is accepted, and its setup fails.
    const peer = stage.dial(acceptor.address);
    stage.until(() => stage.errors.length > 0, "the failure");
    assertEquals(peer.readNow(), null);
    peer.close();
    assertEquals(openFds().size, before);
    assertEquals(stage.errors.splice(0).length, 1);
  },
);

/** Ends all endpoints of a reactor, and prints those that are still reachable. */
const GARBAGE = `
  import { Reactor } from "POLLUX/mod.ts";
  const reactor = new Reactor();
  const all = new Map();
  function hold(name) {
    const protocol = { name, calls: 0 };
    all.set(name, new WeakRef(protocol));
    return protocol;
  }
  function attach(connection, name) {
    const protocol = hold(name);
    connection.setIdleTimeout(60_000);
    connection.onData = () => protocol.calls++;
    connection.onEnd = () => (protocol.calls++, connection.end());
    connection.onClose = () => protocol.calls++;
  }
  function live() {
    const datagram = reactor.datagram({ hostname: "127.0.0.1" });
    const receiver = hold("datagram");
    datagram.onMessage = () => (receiver.calls++, datagram.close());
    datagram.send(new Uint8Array(1), datagram.address);
    const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
      attach(peer, "accepted");
      server.close();
    });
    const client = reactor.connect(server.address, (client) => client.end(new Uint8Array(1)));
    attach(client, "connected");
    reactor.run();
  }
  const kept = hold("kept");
  live();
  // The next wait drops the events of the last one.
  reactor.runOnce();
  await new Promise((resolve) => setTimeout(resolve, 1));
  gc();
  for (const [name, held] of all) console.log(name, held.deref()?.calls);
  kept.calls++;
  reactor.close();
`;

test("Reactor: it holds no reference to ended endpoints [O05]", async () => {
  const flags = ["--allow-ffi", "--v8-flags=--expose-gc"];
  const { stdout, stderr } = await runDeno(GARBAGE, flags);
  const expected = [
    "kept 0", // the test itself holds it
    "datagram undefined",
    "connected undefined",
    "accepted undefined",
    "",
  ];
  assertEquals(stdout.split("\n"), expected, stderr);
});

test("close(): five hundred reactors leave no descriptor open [O01]", () => {
  const before = openFds().size;
  for (let round = 0; round < 500; round++) {
    using reactor = new Reactor();
    reactor.wake();
    reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
    reactor.runOnce();
  }
  assertEquals(openFds().size, before);
});

/** A connection and its peer, with the bytes that each has sent and has to receive. */
interface Life {
  readonly connection: Connection;
  readonly peer: Peer;
  sent: number;
  received: number;
  ends: number;
  ended: boolean;
}

const BYTES = patternOf(100_000);

function begin(stage: Stage): Life {
  const { connection, peer } = stage.connection();
  const life: Life = {
    connection,
    peer,
    sent: 0,
    received: 0,
    ends: 0,
    ended: false,
  };
  connection.onData = (chunk) => {
    assert(isPattern(chunk, life.received), "bytes out of order");
    life.received += chunk.length;
  };
  connection.onEnd = () => {
    assertEquals(life.received, life.sent, "the end came before the last byte");
    life.ended = true;
  };
  connection.onClose = () => life.ends++;
  return life;
}

/** Operations on a connection that are possible in any state. */
const STEPS: readonly ((life: Life, random: Random) => void)[] = [
  ({ connection }) => connection.pause(),
  ({ connection }) => connection.resume(),
  ({ connection }, random) =>
    connection.write(new Uint8Array(random.below(50_000))),
  ({ connection }) => connection.end(),
  ({ connection }) => connection.close(),
  ({ connection }) => connection.abort(),
  ({ connection }) => {
    connection.cork();
    connection.write(new Uint8Array(10));
    connection.uncork();
  },
  (life, random) => {
    if (life.peer.socket.fd === -1) return;
    const end = Math.min(life.sent + 1 + random.below(5000), BYTES.length);
    try {
      const count = life.peer.socket.send(BYTES.slice(life.sent, end));
      if (count > 0) life.sent += count;
    } catch {
      // The connection is closed, and the peer has received its end.
    }
  },
  ({ peer }) => {
    if (peer.socket.fd !== -1) peer.readNow();
  },
  ({ peer }) => {
    try {
      if (peer.socket.fd !== -1) peer.end();
    } catch {
      // Already closed.
    }
  },
  ({ peer }) => peer.reset(),
  ({ peer }) => peer.close(),
];

onEachBackend(
  "Connection: random operations end each one once, in order, without a leak [F03] [F04]",
  (stage) => {
    withSeed((random) => {
      const lives: Life[] = [];
      for (let step = 0; step < 600; step++) {
        if (lives.length < 8 || random.below(12) === 0) {
          lives.push(begin(stage));
        }
        const life = lives[random.below(lives.length)]!;
        random.pick(STEPS)(life, random);
        if (random.below(3) === 0) stage.reactor.runOnce();
        if (lives.length > 20) lives.shift()!.connection.abort();
      }
      for (const { connection, peer } of lives) {
        connection.abort();
        peer.close();
      }
      stage.turns();
      assert(
        lives.every(({ ends }) => ends === 1),
        "onClose was not called once",
      );
      assertEquals(stage.takeErrors(), []);
      const { registered, bytesQueued } = stage.reactor.stats();
      assertEquals([registered, bytesQueued], [0, 0]);
    })();
  },
);

test("Reactor: three seconds of churning connections leak nothing", () => {
  withSeed((random) => {
    const { connections, leftovers } = soak(3000, random);
    assertEquals(leftovers, []);
    assert(connections > 400, String(connections));
  })();
});

onEachBackend(
  "Connection: a peer that does not read stops its producer",
  (stage) => {
    const source = stage.connection();
    const sink = stage.narrow({ highWaterMark: 16 * 1024 });
    source.connection.onData = (chunk) => {
      if (!sink.connection.write(chunk)) source.connection.pause();
    };
    sink.connection.onDrain = () => source.connection.resume();
    const data = patternOf(8 * 1024 * 1024);
    let offered = 0;
    const offer = (): void => {
      const chunk = data.subarray(offered, offered + 64 * 1024);
      const count = chunk.length === 0 ? 0 : source.peer.socket.send(chunk);
      if (count > 0) offered += count;
    };
    let most = 0;
    for (let turn = 0; turn < 400; turn++) {
      offer();
      stage.reactor.runOnce();
      most = Math.max(most, sink.connection.bufferedAmount);
    }
    assert(offered < data.length, "the source was never stopped");
    assert(most < 2 * 1024 * 1024, String(most));
    let total = 0;
    stage.until(() => {
      offer();
      for (;;) {
        const chunk = sink.peer.readNow();
        if (chunk === null || chunk.length === 0) break;
        assert(isPattern(chunk, total));
        total += chunk.length;
      }
      return total === data.length;
    }, "all bytes");
  },
);
