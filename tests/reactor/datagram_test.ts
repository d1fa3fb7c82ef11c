/**
 * Datagrams: whole, in order, with their addresses, and under failures.
 */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertThrows,
} from "@std/assert";
import {
  type InternetAddress,
  Socket,
  type SocketAddress,
  socketPair,
} from "../../backends/ffi/mod.ts";
import {
  type Datagram,
  type DatagramOptions,
  type OutgoingMessage,
  Reactor,
} from "../../reactor/mod.ts";
import {
  anyFile,
  bytesOf,
  cpuTime,
  elapsed,
  NEEDS_UNIX_DATAGRAMS,
  ONLY_LINUX,
  PATIENCE,
} from "../util.ts";
import {
  codeOf,
  isPattern,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
  textOf,
} from "./stage.ts";

/** The options of a test of UDP's errors, as that of a closed port. */
const NEEDS_UDP_ERRORS = {
  ignore: !anyFile,
  reason: "Windows does not report that a port is closed",
} as const;

/** A datagram socket, its received messages, and their sources. */
function datagramOf(
  stage: Stage,
  options: DatagramOptions = {},
): { datagram: Datagram; received: string[]; senders: SocketAddress[] } {
  const where = "path" in options ? {} : { hostname: "127.0.0.1" };
  const datagram = stage.reactor.datagram({ ...where, ...options });
  const received: string[] = [];
  const senders: SocketAddress[] = [];
  datagram.onMessage = (data, address) => {
    received.push(textOf(data));
    senders.push(address);
  };
  return { datagram, received, senders };
}

onEachBackend(
  "Datagram: messages arrive whole, in order, with their sources [B11]",
  (stage) => {
    const { datagram, received, senders } = datagramOf(stage);
    const first = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const second = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const texts = Array.from({ length: 70 }, (_, index) => `message ${index}`);
    for (const [index, text] of texts.entries()) {
      (index % 2 === 0 ? first : second).send(bytesOf(text), datagram.address);
    }
    stage.until(() => received.length === 70, "all messages");
    assertEquals(received, texts);
    assertEquals(senders[0], first.address);
    assertEquals(senders[1], second.address);
  },
);

onEachBackend("Datagram: an empty datagram is a message [B11]", (stage) => {
  const { datagram, received } = datagramOf(stage);
  datagram.send(new Uint8Array(0), datagram.address);
  stage.until(() => received.length === 1, "the message");
  assertEquals(received, [""]);
});

onEachBackend(
  "Datagram.send: a reply goes to the source of the message",
  (stage) => {
    const server = stage.reactor.datagram({ hostname: "127.0.0.1" });
    server.onMessage = (data, sender) => server.send(data, sender);
    const clients = [datagramOf(stage), datagramOf(stage)];
    for (const [index, { datagram }] of clients.entries()) {
      datagram.send(bytesOf(`client ${index}`), server.address);
    }
    stage.until(
      () => clients.every(({ received }) => received.length > 0),
      "both",
    );
    assertEquals(clients.map(({ received }) => received), [
      ["client 0"],
      ["client 1"],
    ]);
  },
);

onEachBackend("Datagram: IPv6 and Unix sockets do the same [B15]", (stage) => {
  const ipv6 = { hostname: "::1" };
  const both = anyFile ? [ipv6, { path: stage.path() }] : [ipv6];
  for (const options of both) {
    const { datagram, received } = datagramOf(stage, options);
    datagram.send(bytesOf("hello"), datagram.address);
    stage.until(() => received.length === 1, "the message");
    assertEquals(received, ["hello"]);
    datagram.close();
  }
});

onAnyBackend(
  "Datagram.address: is of the kind that the options name, also by its type",
  (stage) => {
    const { reactor } = stage;
    const path = stage.path();
    assert(reactor.datagram().address.port > 0);
    const udp = reactor.datagram({ hostname: "::1", broadcast: true });
    assertEquals(udp.address.hostname, "::1");
    if (anyFile) {
      assertEquals(reactor.datagram({ path }).address.path, path);
    }
    // The type of a variable may cover both.
    const options: DatagramOptions = {};
    const either: Datagram = reactor.datagram(options);
    assert("port" in either.address);
  },
);

onAnyBackend("Datagram: a Unix client needs no name", (stage) => {
  const path = stage.path();
  const { received, senders } = datagramOf(stage, { path });
  const client = stage.reactor.datagram({ path: "" });
  client.send(bytesOf("log line"), { path });
  stage.until(() => received.length === 1, "the message");
  assertEquals([received, senders], [["log line"], [{ path: "" }]]);
}, NEEDS_UNIX_DATAGRAMS);

onEachBackend(
  "Datagram: a closed port is reported to onError, and the socket stays open [B13] [K24]",
  (stage) => {
    const dead = Socket.create("IPv4", "datagram");
    dead.bind({ hostname: "127.0.0.1", port: 0 });
    const address = dead.localAddress;
    dead.close();
    const { datagram, received } = datagramOf(stage, {
      remoteAddress: address,
    });
    const errors: string[] = [];
    datagram.onError = (error) => errors.push(codeOf(error));
    datagram.send(bytesOf("anybody"));
    stage.until(() => errors.length > 0, "the error");
    assertEquals(errors[0], "ECONNREFUSED");
    const { turns } = stage.reactor.stats();
    stage.reactor.runOnce(20);
    assert(stage.reactor.stats().turns - turns <= 2, "it spins");
    assert(!datagram.closed);
    assertEquals(received, []);
  },
  { needs: "keepsErrors", ...NEEDS_UDP_ERRORS },
);

// The sockets of Windows do not report ICMP messages: see windows_socket.ts.

/** A datagram socket without `onMessage`, whose peer is a closed port. */
function unanswered(stage: Stage): Datagram {
  using closed = Socket.create("IPv4", "datagram");
  closed.bind({ hostname: "127.0.0.1", port: 0 });
  const remoteAddress = closed.localAddress;
  return stage.reactor.datagram({ hostname: "127.0.0.1", remoteAddress });
}

onEachBackend(
  "Datagram: onError alone is called with the error of a closed port, and keeps run() alive until then",
  (stage) => {
    const datagram = unanswered(stage);
    const errors: Error[] = [];
    datagram.onError = (error) => {
      errors.push(error);
      datagram.close();
    };
    datagram.send(bytesOf("x"));
    stage.reactor.run();
    assertEquals(errors.map(codeOf), ["ECONNREFUSED"]);
    assert(errors[0] instanceof Deno.errors.ConnectionRefused);
  },
  { needs: "keepsErrors", ...NEEDS_UDP_ERRORS },
);

onEachBackend(
  "Datagram: a paused one calls onError, too",
  (stage) => {
    const datagram = unanswered(stage);
    const errors: Error[] = [];
    datagram.onMessage = () => {};
    datagram.onError = (error) => errors.push(error);
    datagram.pause();
    datagram.send(bytesOf("x"));
    stage.until(() => errors.length > 0, "the error");
    assertEquals(errors.map(codeOf), ["ECONNREFUSED"]);
  },
  { needs: "keepsErrors", ...NEEDS_UDP_ERRORS },
);

onEachBackend(
  "Datagram: with onError alone, messages wait for onMessage and wake nothing",
  (stage) => {
    const peer = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const datagram = stage.reactor.datagram({ hostname: "127.0.0.1" });
    datagram.onError = () => {};
    for (const text of ["one", "two"]) {
      peer.send(bytesOf(text), datagram.address);
    }
    stage.until(() => stage.reactor.stats().events > 0, "the first readiness");
    const { events } = stage.reactor.stats();
    stage.turns();
    assertEquals(stage.reactor.stats().events, events);
    const received: string[] = [];
    datagram.onMessage = (data) => received.push(textOf(data));
    stage.until(() => received.length === 2, "the messages");
    assertEquals(received, ["one", "two"]);
  },
);

onAnyBackend(
  "Datagram: without onMessage and onError it does not keep run() alive, and the next send() reports the error",
  (stage) => {
    const datagram = unanswered(stage);
    datagram.send(bytesOf("x"));
    stage.reactor.run();
    assert(!datagram.closed);
    datagram.send(bytesOf("x"));
    stage.until(() => stage.errors.length > 0, "the report");
    const [error] = stage.errors.splice(0);
    assertEquals(codeOf(error as Error), "ECONNREFUSED");
  },
  NEEDS_UDP_ERRORS,
);

onAnyBackend("Datagram: a callback may be unset by undefined", (stage) => {
  const { datagram, received } = datagramOf(stage);
  datagram.onError = datagram.onDrain = datagram.onClose = undefined;
  datagram.onMessage = undefined;
  datagram.send(bytesOf("x"), datagram.address as SocketAddress);
  stage.reactor.run();
  assertEquals(received, []);
  datagram.close();
  stage.turns();
});

onAnyBackend(
  "Datagram.send: a message that is too large is EMSGSIZE, for it alone [B14]",
  (stage) => {
    const { datagram, received } = datagramOf(stage);
    const errors: string[] = [];
    datagram.onError = (error) => errors.push(codeOf(error));
    datagram.send(new Uint8Array(65_508), datagram.address);
    datagram.send(bytesOf("small"), datagram.address);
    stage.until(() => received.length === 1, "the small one");
    assertEquals([errors, received], [["EMSGSIZE"], ["small"]]);
  },
);

onEachBackend("Datagram.sendMany: sends all messages, in order", (stage) => {
  const { datagram, received } = datagramOf(stage);
  const texts = Array.from({ length: 100 }, (_, index) => `${index}`);
  datagram.sendMany(
    texts.map((text) => ({ data: bytesOf(text), address: datagram.address })),
  );
  stage.until(() => received.length === 100, "all messages");
  assertEquals(received, texts);
});

onEachBackend(
  "Datagram.send: without room, messages are queued whole and in order, and onDrain follows [K24]",
  (stage) => {
    const path = stage.path();
    const { datagram, received } = datagramOf(stage, { path });
    datagram.pause();
    const client = stage.reactor.datagram({ path: "" });
    let drained = 0;
    client.onDrain = () => drained++;
    const texts = Array.from(
      { length: 400 },
      (_, index) => `${index}`.padEnd(1000, "."),
    );
    let full = false;
    for (const text of texts) {
      full = !client.send(bytesOf(text), { path }) || full;
    }
    assert(full);
    assert(client.bufferedAmount > 0);
    assertEquals(stage.reactor.stats().bytesQueued, client.bufferedAmount);
    datagram.resume();
    stage.until(() => received.length === 400, "all messages");
    stage.until(() => drained === 1, "the drain");
    assertEquals(received, texts);
    assertEquals(client.bufferedAmount, 0);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onAnyBackend(
  "Datagram.send: 100,000 messages behind a full buffer arrive in order, and soon",
  (stage) => {
    const messages = 100_000;
    const [left, right] = socketPair("datagram");
    const sender = stage.reactor.datagram({ socket: left });
    const receiver = stage.reactor.datagram({ socket: right });
    // Nothing is received yet: the system has room for a few.
    for (let count = 0; count < messages; count++) {
      sender.send(bytesOf(`${count}`));
    }
    assert(sender.bufferedAmount > messages);
    let received = 0;
    let inOrder = true;
    receiver.onMessage = (data) => {
      inOrder &&= textOf(data) === `${received}`;
      received++;
    };
    // Ten times its usual time.
    const took = cpuTime(() => {
      stage.until(() => received === messages, "all messages");
    });
    assertLess(took, 4000);
    assert(inOrder);
    assertEquals(sender.bufferedAmount, 0);
  },
  NEEDS_UNIX_DATAGRAMS,
);

/** A client whose messages wait for a receiver that has paused. */
function waiting(
  stage: Stage,
  maximumQueued: number,
): { client: Datagram; path: string; receiver: Datagram; received: string[] } {
  const path = stage.path();
  const { datagram: receiver, received } = datagramOf(stage, { path });
  receiver.pause();
  const client = stage.reactor.datagram({ path: "", maximumQueued });
  // The system takes some messages, and one is queued.
  while (client.bufferedAmount === 0) client.send(bytesOf("first"), { path });
  return { client, path, receiver, received };
}

onEachBackend(
  "Datagram.send: above maximumQueued a message is refused and nothing changes",
  (stage) => {
    const { client, path, receiver, received } = waiting(stage, 10_000);
    let drained = 0;
    client.onDrain = () => drained++;
    let taken = 0;
    const send = (): boolean => {
      const more = client.send(bytesOf(`${taken}`.padEnd(1000)), { path });
      taken++;
      return more;
    };
    while (send());
    const { bufferedAmount } = client;
    // One message may exceed the maximum: its send() returns false.
    assert(bufferedAmount > 7_000 && bufferedAmount < 11_000);
    const message = "Cannot queue more than 10000 bytes";
    for (let times = 0; times < 3; times++) {
      assertThrows(send, RangeError, message);
    }
    assertEquals(client.bufferedAmount, bufferedAmount);
    assertEquals(stage.reactor.stats().bytesQueued, bufferedAmount);
    receiver.resume();
    stage.until(() => drained === 1, "the drain");
    assertEquals(client.bufferedAmount, 0);
    client.send(bytesOf("last"), { path });
    stage.until(() => received.at(-1) === "last", "all messages");
    const numbers = received.filter((text) => text.length === 1000).map(Number);
    assertEquals(numbers, Array.from({ length: taken }, (_, index) => index));
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram.send: after a refusal onDrain follows, and the messages before it are sent",
  (stage) => {
    const { client, path, receiver, received } = waiting(stage, 10_000);
    let drained = 0;
    client.onDrain = () => drained++;
    const messages = Array.from({ length: 100 }, (_, index) => ({
      data: bytesOf(`${index}`.padEnd(1000)),
      address: { path },
    }));
    assertThrows(() => client.sendMany(messages), RangeError, "10000");
    const taken = Math.floor(client.bufferedAmount / 1000);
    assert(taken > 0 && taken < 20);
    receiver.resume();
    stage.until(() => drained === 1, "the drain");
    const last = messages[taken - 1]!;
    stage.until(() => received.at(-1) === textOf(last.data), "all messages");
    assertEquals(
      received.slice(-taken),
      messages.slice(0, taken).map(({ data }) => textOf(data)),
    );
  },
  NEEDS_UNIX_DATAGRAMS,
);

onAnyBackend(
  "Datagram.sendMany: takes more than maximumQueued if the system takes it",
  (stage) => {
    const { datagram, received } = datagramOf(stage, { maximumQueued: 1000 });
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
    const sent = datagram.sendMany(
      texts.map((text) => ({
        data: bytesOf(text),
        address: datagram.address,
      })),
    );
    assertEquals([sent, datagram.bufferedAmount], [true, 0]);
    stage.until(() => received.length === texts.length, "all messages");
    assertEquals(received, texts);
  },
);

onAnyBackend(
  "Datagram.send: empty messages count towards maximumQueued",
  (stage) => {
    const { client, path } = waiting(stage, 100_000);
    const fill = (): void => {
      for (let left = 1000; left > 0; left--) {
        client.send(new Uint8Array(0), { path });
      }
    };
    assertThrows(fill, RangeError, "Cannot queue more than 100000 bytes");
    client.close();
    assertEquals(client.bufferedAmount, 0);
    assertEquals(client.send(new Uint8Array(0), { path }), false);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onAnyBackend(
  "Reactor.datagram: refuses a negative maximumQueued, or one that is no number",
  (stage) => {
    const path = stage.path();
    for (const maximumQueued of [-1, NaN]) {
      assertThrows(
        () => stage.reactor.datagram({ path, maximumQueued }),
        RangeError,
        `Cannot queue ${maximumQueued} bytes at the most`,
      );
    }
    // No socket was created: the path is free.
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
);

/**
 * A client for whose larger messages Linux has no room. Their fragments, of 1280 bytes
 * each, would take more than twice the send buffer: ENOBUFS.
 */
function crowded(stage: Stage): {
  client: Datagram;
  address: SocketAddress;
  receiver: Datagram;
  received: string[];
} {
  const { datagram: receiver, received } = datagramOf(stage, {
    hostname: "::1",
  });
  const client = stage.reactor.datagram({ hostname: "::1" });
  const { IPPROTO_IPV6, IPV6_MTU } = { IPPROTO_IPV6: 41, IPV6_MTU: 24 };
  client.socket.setRawOption(IPPROTO_IPV6, IPV6_MTU, 1280);
  client.socket.setOption("sendBufferSize", 1);
  return { client, address: receiver.address, receiver, received };
}

const LARGE = "large".padEnd(10_000, ".");

onAnyBackend(
  "Datagram.send: after ENOBUFS a message waits for room, and nothing spins",
  (stage) => {
    const { client, address, received } = crowded(stage);
    const { reactor } = stage;
    client.send(bytesOf(LARGE), address);
    client.send(bytesOf("second"), address);
    // Messages that were queued from the start wait too.
    client.sendMany([{ data: bytesOf("third"), address }]);
    assertEquals(client.bufferedAmount, LARGE.length + 11);
    const { turns } = reactor.stats();
    reactor.callLater(200, () => reactor.stop());
    reactor.run();
    assertEquals(received, []);
    assertLess(reactor.stats().turns - turns, 60);
    client.socket.setOption("sendBufferSize", 200_000);
    stage.until(() => received.length === 3, "all messages");
    assertEquals(received, [LARGE, "second", "third"]);
    assertEquals(client.bufferedAmount, 0);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram.send: repeated ENOBUFS is reported, and later messages are sent",
  (stage) => {
    const { client, address, received } = crowded(stage);
    const errors: string[] = [];
    client.onError = (error) => errors.push(codeOf(error));
    const took = elapsed(() => {
      const messages = ["first", LARGE, "last"];
      client.sendMany(
        messages.map((text) => ({ data: bytesOf(text), address })),
      );
      stage.until(() => received.length === 2, "the others");
    });
    assertEquals([errors, received], [["ENOBUFS"], ["first", "last"]]);
    assertGreaterOrEqual(took, 990);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram: after ENOBUFS, unref(), ref() and close() work as otherwise",
  (stage) => {
    const { client, address, receiver } = crowded(stage);
    const { reactor } = stage;
    receiver.unref();
    client.unref();
    client.send(bytesOf(LARGE), address);
    reactor.run();
    client.ref();
    assert(reactor.runOnce(20));
    client.unref();
    assert(!reactor.runOnce(20));
    client.ref();
    assertEquals([reactor.stats().timers, client.closed], [1, false]);
    client.close();
    assertEquals([reactor.stats().timers, client.bufferedAmount], [0, 0]);
    reactor.run();
  },
  ONLY_LINUX,
);

onEachBackend(
  "Datagram.unref: the socket does not keep run() alive",
  (stage) => {
    const { datagram, received } = datagramOf(stage);
    datagram.unref();
    stage.reactor.run();
    datagram.ref();
    datagram.onMessage = (data) => {
      received.push(textOf(data));
      datagram.close();
    };
    datagram.send(bytesOf("hello"), datagram.address);
    stage.reactor.run();
    assertEquals([received, datagram.closed], [["hello"], true]);
  },
);

onEachBackend(
  "Datagram: ref() and unref() count right in any order of calls",
  (stage) => {
    const { reactor } = stage;
    const { client, path, receiver, received } = waiting(stage, 100_000);
    receiver.resume();
    client.unref();
    client.unref();
    client.onMessage = () => {};
    client.pause();
    stage.until(() => client.bufferedAmount === 0, "the queue");
    client.ref();
    client.resume();
    client.unref();
    const count = received.length;
    client.send(bytesOf("one more"), { path });
    stage.until(() => received.length > count, "one more");
    client.ref();
    client.ref();
    client.close();
    client.unref();
    client.ref();
    // The count is balanced: the receiver keeps run() alive until it is closed.
    reactor.callLater(1, () => receiver.close()).unref();
    reactor.callLater(PATIENCE, () => reactor.stop()).unref();
    reactor.run();
    assert(receiver.closed);
    assertEquals(reactor.runOnce(), false);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onAnyBackend("Datagram: a kept message does not change", (stage) => {
  const { datagram } = datagramOf(stage);
  const kept: Uint8Array[] = [];
  datagram.onMessage = (data) => kept.push(data);
  for (let index = 0; index < 40; index++) {
    datagram.send(new Uint8Array(500).fill(index), datagram.address);
  }
  stage.until(() => kept.length === 40, "all messages");
  assert(kept.every((data, index) => data.every((byte) => byte === index)));
});

onAnyBackend(
  "Reactor.datagram: two sockets share a port with reusePort",
  (stage) => {
    const first = datagramOf(stage, { reusePort: true });
    const { port } = first.datagram.address as InternetAddress;
    const second = datagramOf(stage, { reusePort: true, port });
    assertThrows(() => datagramOf(stage, { port }), Deno.errors.AddrInUse);
    second.datagram.close();
  },
  { ignore: !anyFile, reason: "Windows has no reusePort" },
);

onAnyBackend(
  "Reactor.datagram: broadcast is refused without the option",
  (stage) => {
    const address = { hostname: "255.255.255.255", port: 9 };
    const errors: string[] = [];
    const plain = stage.reactor.datagram();
    plain.onError = (error) => errors.push(codeOf(error));
    plain.send(bytesOf("x"), address);
    stage.until(() => errors.length > 0, "the error");
    assertEquals(errors, ["EACCES"]);
    const allowed = stage.reactor.datagram({ broadcast: true });
    assertEquals(allowed.socket.getOption("broadcast"), true);
  },
);

onAnyBackend(
  "Datagram: receives from a multicast group on loopback after joining it",
  (stage) => {
    const { datagram, received } = datagramOf(stage, { hostname: "0.0.0.0" });
    const { port } = datagram.address as InternetAddress;
    const group = "239.255.77.77";
    datagram.socket.joinGroup(group, "127.0.0.1");
    const sender = stage.reactor.datagram({ hostname: "127.0.0.1" });
    const { IPPROTO_IP, IP_MULTICAST_IF } = {
      IPPROTO_IP: 0,
      IP_MULTICAST_IF: 32,
    };
    if (Deno.build.os === "linux") {
      sender.socket.setRawOption(
        IPPROTO_IP,
        IP_MULTICAST_IF,
        Uint8Array.of(127, 0, 0, 1),
      );
    }
    sender.send(bytesOf("to the group"), { hostname: group, port });
    stage.until(() => received.length === 1, "the message");
    datagram.socket.leaveGroup(group, "127.0.0.1");
    assertEquals(received, ["to the group"]);
  },
);

onEachBackend(
  "Datagram.sendMany: a malformed address is reported, and the other messages are sent",
  (stage) => {
    const { datagram, received } = datagramOf(stage);
    const { address } = datagram;
    const errors: string[] = [];
    datagram.onError = ({ name }) => errors.push(name);
    const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
    datagram.sendMany(texts.map((text, index) => ({
      data: bytesOf(text),
      address: index % 20 === 7 ? { hostname: "::1", port: 9 } : address,
    })));
    const good = texts.filter((_, index) => index % 20 !== 7);
    stage.until(() => received.length === good.length, "the others");
    assertEquals(received, good);
    assertEquals(errors, ["TypeError", "TypeError", "TypeError"]);
    assertThrows(
      () => datagram.sendMany([{ data: "text" as never, address }]),
      TypeError,
    );
  },
);

onAnyBackend(
  "Datagram.sendMany: an iterable that closes the socket sends no more, and onClose is last",
  (stage) => {
    const { datagram: receiver, received } = datagramOf(stage);
    const { address } = receiver;
    for (const more of [["lost"], []]) {
      const sender = stage.reactor.datagram({ hostname: "127.0.0.1" });
      const calls: string[] = [];
      sender.onError = ({ message }) => calls.push(message);
      sender.onClose = () => calls.push("closed");
      const messages = function* (): Iterable<OutgoingMessage> {
        yield { data: bytesOf("sent"), address };
        sender.close();
        for (const text of more) yield { data: bytesOf(text), address };
      };
      assertEquals(sender.sendMany(messages()), false);
      stage.until(() => calls.length > 0, "the close");
      stage.turns();
      assertEquals(calls, ["closed"]);
    }
    assertEquals(received, ["sent", "sent"]);
  },
);

onEachBackend(
  "Datagram.send: a Unix message larger than any of UDP is sent whole, queued or not",
  (stage) => {
    const [left, right] = socketPair("datagram");
    stage.use(right);
    const sender = stage.reactor.datagram({ socket: left });
    const large = patternOf(100_000);
    const buffer = new Uint8Array(new ArrayBuffer(200_000));
    let queued = 0;
    // The first is sent at once. One without room is queued, with others behind it.
    for (let count = 0; count < 8; count++) {
      sender.send(large);
      sender.send(bytesOf("small"));
      queued = Math.max(queued, sender.bufferedAmount);
    }
    assert(queued > large.length);
    const lengths: number[] = [];
    stage.until(() => {
      const count = right.recv(buffer);
      if (count <= 0) return false;
      lengths.push(count);
      assert(count === 5 || isPattern(buffer.subarray(0, count)));
      return lengths.length === 16;
    }, "all messages");
    assertEquals(lengths, Array.from({ length: 8 }, () => [100_000, 5]).flat());
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram: a message that is too large to be received is reported, not truncated",
  (stage) => {
    const path = stage.path();
    const { datagram, received } = datagramOf(stage, { path });
    const errors: string[] = [];
    datagram.onError = ({ message }) => errors.push(message);
    const client = stage.reactor.datagram({ path: "" });
    client.send(new Uint8Array(65_537), { path });
    client.send(bytesOf("small"), { path });
    stage.until(() => received.length > 0, "the small one");
    assertEquals(received, ["small"]);
    assertEquals(errors, [
      "Cannot receive a datagram of more than 65536 bytes",
    ]);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram.pause: after a call in onMessage no message is delivered until resume(), and none is lost",
  (stage) => {
    const { datagram, received } = datagramOf(stage);
    const { onMessage } = datagram;
    datagram.onMessage = (...message) => {
      onMessage!(...message);
      datagram.pause();
    };
    const texts = ["one", "two", "three", "four"];
    for (const text of texts) datagram.send(bytesOf(text), datagram.address);
    for (let count = 1; count <= texts.length; count++) {
      stage.until(() => received.length > count - 1, "a message");
      stage.turns(2);
      assertEquals(received, texts.slice(0, count));
      // Methods never call back.
      datagram.resume();
      assertEquals(received.length, count);
      if (count !== 2) continue;
      datagram.onMessage = null;
      datagram.send(bytesOf("five"), datagram.address);
      stage.turns(2);
      datagram.onMessage = onMessage;
      texts.push("five");
      stage.until(() => received.length === 5, "the others");
      assertEquals(received, texts);
      break;
    }
    datagram.onMessage = () => datagram.pause();
    for (const text of texts) datagram.send(bytesOf(text), datagram.address);
    stage.turns(2);
    datagram.resume();
    datagram.close();
    stage.turns(2);
    assertEquals(stage.reactor.stats().registered, 0);
  },
);

onEachBackend(
  "Datagram: if onError throws, the next messages are delivered all the same",
  (stage) => {
    const path = stage.path();
    const { datagram, received } = datagramOf(stage, { path });
    datagram.onError = () => {
      throw new Error("thrown");
    };
    const client = stage.reactor.datagram({ path: "" });
    client.send(new Uint8Array(65_537), { path });
    client.send(bytesOf("small"), { path });
    stage.until(() => received.length > 0, "the small one");
    assertEquals(stage.takeErrors(), ["thrown"]);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram: onMessage may run another reactor, which receives messages of its own",
  (stage) => {
    const other = stage.use(
      new Reactor({ selector: stage.backend.make() }),
    );
    const received: string[] = [];
    const [outer, inner] = [stage.reactor, other].map((reactor) => {
      const datagram = reactor.datagram({ hostname: "127.0.0.1" });
      const name = reactor === other ? "inner" : "outer";
      datagram.onMessage = (data) => {
        received.push(`${name} ${textOf(data)}`);
        if (reactor !== other) other.runOnce();
      };
      for (const text of ["1", "2", "3"]) {
        datagram.send(bytesOf(`${name}${text}`), datagram.address);
      }
      return datagram;
    });
    stage.until(() => received.length === 6, "all messages");
    assertEquals(
      received.toSorted(),
      [1, 2, 3].map((number) => `inner inner${number}`)
        .concat([1, 2, 3].map((number) => `outer outer${number}`)),
    );
    outer!.close();
    inner!.close();
  },
);

onAnyBackend("Datagram.send: refuses malformed data and addresses", (stage) => {
  const { datagram } = datagramOf(stage);
  assertThrows(() => datagram.send("text" as never), TypeError);
  assertThrows(
    () => datagram.send(bytesOf("x"), { hostname: "::1", port: 1 }),
    TypeError,
  );
  assertThrows(
    () => datagram.send(bytesOf("x"), { hostname: "127.0.0.1", port: 70000 }),
    RangeError,
  );
  assertThrows(() => stage.reactor.datagram({ port: -1 }), RangeError);
});

onEachBackend(
  "Datagram.close: onClose is called once, and later messages are discarded",
  (stage) => {
    const { datagram, received } = datagramOf(stage);
    let closed = 0;
    datagram.onClose = () => closed++;
    datagram.send(bytesOf("lost"), datagram.address);
    datagram.close();
    datagram.close();
    assertEquals(
      datagram.send(bytesOf("x"), { hostname: "127.0.0.1", port: 9 }),
      false,
    );
    stage.turns();
    datagram.onMessage = () => {};
    datagram.pause();
    datagram.resume();
    assertEquals([closed, received], [1, []]);
    assertEquals(stage.reactor.stats().registered, 0);
  },
);
