/**
 * Sockets that a program gives to the reactor: listeners, datagram sockets and
 * connections that something else has created.
 */

import { assert, assertEquals, assertThrows, fail } from "@std/assert";
import {
  close,
  dup,
  type InternetAddress,
  Socket,
  type SocketAddress,
  socketPair,
} from "../../backends/ffi/mod.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf, NEEDS_UNIX_SOCKETS } from "../util.ts";
import {
  Log,
  onAnyBackend,
  onEachBackend,
  type Stage,
  textOf,
} from "./stage.ts";

const ADDRESS: InternetAddress = { hostname: "127.0.0.1", port: 0 };

/** A bound socket, which the test closes if nothing else does. */
function bound(
  stage: Stage,
  address: SocketAddress = ADDRESS,
  type: "stream" | "datagram" = "stream",
): Socket {
  const socket = stage.use(Socket.createFor(address, type));
  socket.bind(address);
  return socket;
}

function nothing(): void {}

for (const listens of [true, false]) {
  const state = listens ? "a listening" : "a bound";
  onAnyBackend(
    `Reactor.listen: accepts connections of ${state} socket, and closes it in the end`,
    (stage) => {
      const socket = bound(stage);
      if (listens) socket.listen(5);
      const address = socket.localAddress;
      let accepted = 0;
      const acceptor = stage.reactor.listen({ socket }, () => accepted++);
      assertEquals(acceptor.address, address);
      stage.dial(address);
      stage.until(() => accepted === 1, "the connection");
      acceptor.close();
      assertEquals(socket.fd, -1);
    },
  );
}

onAnyBackend(
  "Reactor.listen: the limits of connections hold for a given socket, too",
  (stage) => {
    const connections: Connection[] = [];
    const options = { socket: bound(stage), maximumConnections: 1 };
    const acceptor = stage.reactor.listen(options, (connection) => {
      connections.push(connection);
    });
    for (let count = 0; count < 2; count++) stage.dial(acceptor.address);
    stage.until(() => connections.length === 1, "the first");
    stage.turns();
    assertEquals(connections.length, 1);
    connections[0]!.abort();
    stage.until(() => connections.length === 2, "the second");
  },
);

onAnyBackend(
  "Acceptor.close: leaves the file of a given Unix socket",
  (stage) => {
    const path = stage.path();
    const socket = bound(stage, { path });
    stage.reactor.listen({ socket }, nothing).close();
    assert(Deno.lstatSync(path).isSocket);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Acceptor.detach: leaves the socket open, with its backlog and its file",
  (stage) => {
    const path = stage.path();
    const refuse = (): void => fail("It accepts");
    const acceptor = stage.reactor.listen({ path }, refuse);
    const socket = stage.use(Socket.adopt(acceptor.detach()));
    assertEquals([acceptor.closed, acceptor.fd], [true, -1]);
    stage.dial({ path });
    stage.turns();
    let accepted = 0;
    stage.reactor.listen({ socket }, () => accepted++);
    stage.until(() => accepted === 1, "the connection");
    assert(Deno.lstatSync(path).isSocket);
    acceptor.close();
    assertThrows(() => acceptor.detach(), Deno.errors.BadResource);
  },
  NEEDS_UNIX_SOCKETS,
);

onEachBackend(
  "Acceptor.detach: an open copy of the socket causes no wake-ups",
  (stage) => {
    const { selector } = stage.reactor;
    const acceptor = stage.listen(nothing);
    using copy = Socket.adopt(dup(acceptor.fd));
    close(acceptor.detach());
    stage.dial(copy.localAddress);
    stage.turns();
    // epoll would have found a stale event, and renewed its instance.
    assertEquals((selector as { renewals?: number }).renewals ?? 0, 0);
    assertEquals(stage.reactor.runOnce(0), false);
  },
);

onAnyBackend(
  "Reactor.listen: refuses a socket with an address, of another type, or closed",
  (stage) => {
    const { reactor } = stage;
    const socket = bound(stage);
    const refused: readonly (readonly [object, string])[] = [
      [{ socket, port: 0 }, "port"],
      [{ socket, hostname: "::1" }, "hostname"],
      [{ socket, path: "/tmp/x" }, "path"],
      [{ socket, reusePort: true }, "reusePort"],
      [{ socket: 3 }, "socket"],
      [{ socket: bound(stage, ADDRESS, "datagram") }, "datagram"],
    ];
    for (const [options, message] of refused) {
      assertThrows(() => reactor.listen(options, nothing), TypeError, message);
    }
    assert(socket.fd >= 0);
    socket.close();
    assertThrows(
      () => reactor.listen({ socket }, nothing),
      Deno.errors.BadResource,
    );
  },
);

onAnyBackend(
  "Reactor.datagram: sends and receives on a given socket, and closes it in the end",
  (stage) => {
    const { reactor } = stage;
    const socket = bound(stage, ADDRESS, "datagram");
    const address = socket.localAddress;
    const datagram = reactor.datagram({ socket });
    const client = reactor.datagram({
      remoteAddress: address as InternetAddress,
    });
    const received: string[] = [];
    datagram.onMessage = (data, source) => {
      received.push(textOf(data));
      datagram.send(bytesOf("pong"), source);
    };
    client.onMessage = (data) => received.push(textOf(data));
    client.send(bytesOf("ping"));
    stage.until(() => received.length === 2, "the reply");
    assertEquals(received, ["ping", "pong"]);
    datagram.close();
    assertEquals(socket.fd, -1);
  },
);

onAnyBackend(
  "Reactor.datagram: refuses a socket with an address, or of another type",
  (stage) => {
    const { reactor } = stage;
    const socket = bound(stage, ADDRESS, "datagram");
    for (const options of [{ socket, port: 0 }, { socket: bound(stage) }]) {
      assertThrows(() => reactor.datagram(options), TypeError);
    }
    assert(socket.fd >= 0);
  },
);

onAnyBackend(
  "Reactor.adopt: makes a connection of each end of a pair",
  (stage) => {
    const log = new Log();
    const [left, right] = socketPair();
    // A blocking socket would stop the loop.
    left.setBlocking(true);
    const client = stage.reactor.adopt(left);
    const server = stage.reactor.adopt(right);
    log.watch(server);
    assert(!client.connecting);
    client.end("hello");
    client.onData = nothing;
    stage.until(() => log.lines.includes("end"), "the end of file");
    server.end();
    stage.until(() => log.lines.includes("close"), "the end");
    assertEquals(log.lines, ["data hello", "end", "close"]);
    stage.until(() => client.closed, "the end of the other side");
    assertEquals([left.fd, right.fd], [-1, -1]);
  },
);

onAnyBackend(
  "Reactor.adopt: a socket that was accepted by other means has both addresses",
  (stage) => {
    const listener = bound(stage);
    listener.listen();
    const client = stage.dial(listener.localAddress);
    let socket: Socket | null = null;
    while (socket === null) socket = listener.accept();
    const connection = stage.reactor.adopt(socket, { highWaterMark: 1 });
    assertEquals(connection.localAddress, listener.localAddress);
    assertEquals(connection.remoteAddress, client.socket.localAddress);
  },
);

onAnyBackend(
  "Reactor.adopt: refuses a socket without a peer, or of another type",
  (stage) => {
    const { reactor } = stage;
    const socket = bound(stage);
    assertThrows(() => reactor.adopt(socket), Deno.errors.NotConnected);
    const [left, right] = socketPair("datagram").map((end) => stage.use(end));
    for (const other of [left, right, 3]) {
      assertThrows(() => reactor.adopt(other as Socket), TypeError);
    }
    assertThrows(() => reactor.adopt(socket, { port: 1 } as object), TypeError);
    assert(socket.fd >= 0);
  },
);
