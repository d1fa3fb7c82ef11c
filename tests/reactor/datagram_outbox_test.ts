/**
 * Messages that callbacks send: they leave together, in their order, and before whatever
 * may depend on them.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Socket, type SocketAddress } from "../../backends/ffi/mod.ts";
import type { Datagram } from "../../reactor/mod.ts";
import { bytesOf, NEEDS_UNIX_DATAGRAMS, PATIENCE } from "../util.ts";
import { codeOf, onAnyBackend, onEachBackend, type Stage } from "./stage.ts";

const LOCAL = { hostname: "127.0.0.1" };

/** A plain socket outside of the reactor, which receives. */
function plainSocket(stage: Stage): Socket {
  const socket = stage.use(Socket.create("IPv4", "datagram"));
  socket.bind({ ...LOCAL, port: 0 });
  return socket;
}

/**
 * The texts that wait at a plain socket, so many at least: on a busy machine they do not
 * arrive at once.
 */
function waitingAt(socket: Socket, count: number = 0): string[] {
  const texts: string[] = [];
  const buffer = new Uint8Array(new ArrayBuffer(65_536));
  const end = performance.now() + PATIENCE;
  for (;;) {
    const length = socket.recv(buffer);
    if (length >= 0) {
      texts.push(new TextDecoder().decode(buffer.subarray(0, length)));
    } else if (texts.length >= count || performance.now() > end) return texts;
  }
}

/** Sends several messages to a socket, which are received together. */
function sendTogether(stage: Stage, to: Datagram, texts: string[]): void {
  const sender = stage.reactor.datagram(LOCAL);
  for (const text of texts) sender.send(bytesOf(text), to.address);
  sender.close();
}

onEachBackend(
  "Datagram.send: replies of several sockets leave in the order of their calls",
  (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    const other = stage.reactor.datagram(LOCAL);
    const numbers = Array.from({ length: 200 }, (_, index) => `${index}`);
    const sent: string[] = [];
    server.onMessage = (data) => {
      const text = new TextDecoder().decode(data);
      const by = sent.length % 3 === 2 ? other : server;
      by.send(data, target.localAddress);
      // The memory is the caller's again.
      data.fill(0);
      sent.push(text);
    };
    sendTogether(stage, server, numbers);
    stage.until(() => sent.length === 200, "all messages");
    assertEquals([sent, waitingAt(target, 200)], [numbers, numbers]);
  },
);

onAnyBackend(
  "Datagram.send: a large reply keeps its place among small ones",
  (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    let count = 0;
    server.onMessage = (data) => {
      const large = count++ % 2 === 1;
      server.send(
        large ? new Uint8Array(20_000).fill(49) : data,
        target.localAddress,
      );
    };
    sendTogether(stage, server, ["a", "b", "c", "d"]);
    stage.until(() => count === 4, "all messages");
    const large = "1".repeat(20_000);
    assertEquals(waitingAt(target, 4), ["a", large, "c", large]);
  },
);

onAnyBackend(
  "Datagram.sendMany: within a callback, all messages keep their order",
  (stage) => {
    const target = plainSocket(stage);
    const address = target.localAddress;
    const server = stage.reactor.datagram(LOCAL);
    let count = 0;
    server.onMessage = (data) => {
      server.send(data, address);
      server.sendMany([{ data: bytesOf("m"), address }, {
        data: bytesOf("n"),
        address,
      }]);
      count++;
    };
    sendTogether(stage, server, ["a", "b"]);
    stage.until(() => count === 2, "all messages");
    assertEquals(waitingAt(target, 6), ["a", "m", "n", "b", "m", "n"]);
  },
);

/** The acts of a callback before which its replies leave. */
const LEAVING: readonly (readonly [string, (server: Datagram) => void])[] = [
  ["close()", (server) => server.close()],
  ["connect()", (server) => server.connect({ ...LOCAL, port: 9 })],
  ["a look at the socket", (server) => {
    server.socket.setOption("broadcast", true);
  }],
];

for (const [name, leave] of LEAVING) {
  onAnyBackend(`Datagram.send: replies leave before ${name}`, (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    const seen: string[][] = [];
    server.onMessage = (data) => {
      server.send(data, target.localAddress);
      if (++received !== 2) return;
      leave(server);
      seen.push(waitingAt(target, 2));
    };
    let received = 0;
    sendTogether(stage, server, ["a", "b"]);
    stage.until(() => received >= 2, "the messages");
    assertEquals(seen, [["a", "b"]]);
  });
}

onAnyBackend(
  "Datagram.send: replies leave before a callback runs another reactor",
  (stage) => {
    const other = stage.make();
    const client = other.datagram(LOCAL);
    const server = stage.reactor.datagram(LOCAL);
    const texts: string[] = [];
    client.onMessage = (data) => texts.push(new TextDecoder().decode(data));
    let count = 0;
    server.onMessage = (data) => {
      server.send(data, client.address);
      for (let turn = 0; turn < 100 && texts.length === count; turn++) {
        other.runOnce(10);
      }
      assertEquals(texts.length, ++count);
    };
    sendTogether(stage, server, ["a", "b", "c"]);
    stage.until(() => count === 3, "all messages");
    assertEquals(texts, ["a", "b", "c"]);
  },
);

onAnyBackend(
  "Datagram.send: replies do not wait for slow callbacks",
  (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    let count = 0;
    let most = 0;
    server.onMessage = (data) => {
      server.send(data, target.localAddress);
      const end = performance.now() + 1;
      while (performance.now() < end);
      count++;
      most = Math.max(most, count - (waiting += waitingAt(target).length));
    };
    let waiting = 0;
    const texts = Array.from({ length: 60 }, (_, index) => `${index}`);
    sendTogether(stage, server, texts);
    stage.until(() => count === 60, "all messages");
    assert(most <= 40, `${most} replies waited`);
  },
);

onEachBackend(
  "Datagram.send: without room, gathered replies are queued in their order",
  (stage) => {
    const path = stage.path();
    const receiver = stage.reactor.datagram({ path });
    const server = stage.reactor.datagram(LOCAL);
    const proxy = stage.reactor.datagram({ path: "" });
    const texts = Array.from({ length: 300 }, (_, index) => `${index}`);
    let count = 0;
    server.onMessage = (data) => {
      proxy.send(data, { path });
      count++;
    };
    server.socket.setOption("receiveBufferSize", 1 << 20);
    sendTogether(stage, server, texts);
    stage.until(() => count === 300, "all messages");
    assert(proxy.bufferedAmount > 0);
    const received: string[] = [];
    receiver.onMessage = (data) => {
      received.push(new TextDecoder().decode(data));
    };
    stage.until(() => received.length === 300, "the queue");
    assertEquals(received, texts);
    assertEquals(proxy.bufferedAmount, 0);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram.send: of gathered replies, each refused one is reported, and the others are sent",
  (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    const errors: string[] = [];
    server.onError = (error) => errors.push(codeOf(error));
    const wrong: SocketAddress = { hostname: "255.255.255.255", port: 9 };
    let count = 0;
    server.onMessage = (data) => {
      server.send(data, count++ % 3 === 1 ? wrong : target.localAddress);
    };
    const texts = Array.from({ length: 30 }, (_, index) => `${index}`);
    sendTogether(stage, server, texts);
    // Without gathering, an error is reported before the next message is taken.
    stage.until(() => errors.length === 10 && count === 30, "the errors");
    assertEquals(errors, Array(10).fill("EACCES"));
    assertEquals(
      waitingAt(target, 20),
      texts.filter((_, index) => index % 3 !== 1),
    );
  },
);

onAnyBackend(
  "Datagram.send: within a callback, it throws for a malformed address at once",
  (stage) => {
    const target = plainSocket(stage);
    const server = stage.reactor.datagram(LOCAL);
    let count = 0;
    server.onMessage = (data) => {
      server.send(data, target.localAddress);
      const wrong = { hostname: "::1", port: 9 };
      assertThrows(() => server.send(data, wrong), TypeError, "[::1]:9");
      count++;
    };
    sendTogether(stage, server, ["a", "b"]);
    stage.until(() => count === 2, "all messages");
    assertEquals(waitingAt(target, 2), ["a", "b"]);
  },
);
