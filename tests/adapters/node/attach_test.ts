/** The parts of the bridge that Deno's own sockets do not have. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import {
  attach,
  ConnectionDuplex,
  createConnection,
} from "../../../adapters/node/mod.ts";
import { nodeError } from "../../../adapters/node/errors.ts";
import { ffiPermissionFlag } from "../../../backends/ffi/library.ts";
import { socketPair } from "../../../backends/ffi/mod.ts";
import { Reactor } from "../../../reactor/mod.ts";
import { anyFile, eventually, runDeno, test } from "../../util.ts";
import { Bridge, closed, inTime, onBridge, stop } from "./networks.ts";
import { Peer } from "./peer.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0 } as const;

onBridge(
  "attach(): closing the server closes the acceptor",
  async ({ reactor }) => {
    const server = net.createServer();
    const acceptor = attach(server, reactor, LOCAL);
    await closed(server);
    return acceptor.closed;
  },
  true,
);

onBridge(
  "attach(): closing the acceptor closes the server",
  async ({ reactor }) => {
    const server = net.createServer();
    const acceptor = attach(server, reactor, LOCAL);
    const close = once(server, "close");
    acceptor.close();
    await close;
    return server.listening;
  },
  false,
);

test("attach(): closing the reactor closes server and connections", async () => {
  const bridge = new Bridge();
  const server = net.createServer();
  const connection = once(server, "connection");
  using peer = await Peer.connect(await bridge.listen(server));
  const [socket] = await connection;
  const ends = [once(server, "close"), once(socket, "close")];
  await bridge[Symbol.asyncDispose]();
  await inTime(Promise.all(ends), "bridge");
  assertEquals(await peer.rest(), "<reset>");
});

onBridge(
  "attach(): a closed acceptor leaves a server that listens again",
  async ({ reactor }) => {
    const server = net.createServer((socket) => socket.resume().end("second"));
    const first = attach(server, reactor, LOCAL);
    await closed(server);
    const { address } = attach(server, reactor, LOCAL);
    first.close();
    const peer = await Peer.connect((address as { port: number }).port);
    const answer = await peer.rest();
    peer[Symbol.dispose]();
    await closed(server);
    return [server.listening, answer];
  },
  [false, "second"],
);

onBridge(
  "attach(): beyond maximumConnections clients wait in the backlog",
  async (bridge) => {
    const sockets: net.Socket[] = [];
    const server = net.createServer((socket) => sockets.push(socket));
    const port = await bridge.listen(server, { maximumConnections: 1 });
    await Peer.connect(port);
    await eventually(() => sockets.length === 1, "the first");
    const second = await Peer.connect(port);
    await second.send("x");
    const before = sockets.length;
    sockets[0]!.destroy();
    await eventually(() => sockets.length === 2, "the second");
    await stop(server);
    return before;
  },
  1,
);

onBridge(
  "attach(): idleTimeout ends a connection with ETIMEDOUT",
  async (bridge) => {
    const failure = Promise.withResolvers<NodeJS.ErrnoException>();
    // The client may see its connection after that has ended.
    const server = net.createServer((socket) =>
      socket.once("error", failure.resolve)
    );
    await Peer.connect(await bridge.listen(server, { idleTimeout: 20 }));
    const { code } = await failure.promise;
    await stop(server);
    return code;
  },
  "ETIMEDOUT",
);

onBridge(
  "attach(): two servers share a port with reusePort",
  async ({ reactor }) => {
    const servers = [net.createServer(), net.createServer()];
    const first = attach(servers[0]!, reactor, { ...LOCAL, reusePort: true });
    const { port } = first.address as { port: number };
    attach(servers[1]!, reactor, { ...LOCAL, port, reusePort: true });
    const ports = servers.map((server) =>
      (server.address() as net.AddressInfo).port
    );
    await Promise.all(servers.map(closed));
    return ports.every((each) => each === port);
  },
  true,
  { ignore: !anyFile, reason: "Windows has no reusePort" },
);

onBridge(
  "attach(): a port in use is an error of the call",
  async ({ reactor }) => {
    const first = net.createServer();
    const { address } = attach(first, reactor, LOCAL);
    const second = net.createServer();
    assertThrows(
      () => attach(second, reactor, address),
      Deno.errors.AddrInUse,
    );
    await closed(first);
    return second.listening;
  },
  false,
);

onBridge(
  "attach(): unknown options are refused before anything is touched",
  ({ reactor }) => {
    const server = net.createServer();
    for (const option of ["reuseBuffer", "unknown"]) {
      const options = { ...LOCAL, [option]: true };
      assertThrows(() => attach(server, reactor, options), TypeError, option);
      assertThrows(
        () => createConnection(reactor, { ...options, port: 1 }),
        TypeError,
        option,
      );
    }
    return Promise.resolve(server.listening);
  },
  false,
);

test("attach(): a handler that throws ends its connection alone", async () => {
  const errors: unknown[] = [];
  await using reactor = new Reactor({ onError: (error) => errors.push(error) });
  void reactor.serve();
  const server = http.createServer((request, response) => {
    if (request.url === "/bad") throw new Error("bad handler");
    response.end("good");
  });
  const { address } = attach(server, reactor, LOCAL);
  const { port } = address as { port: number };
  const ask = async (path: string): Promise<string> => {
    using peer = await Peer.connect(port);
    await peer.send(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    return await peer.rest();
  };
  assertEquals(await ask("/bad"), "<reset>");
  assertMatch(await ask("/good"), /good$/);
  assertEquals(errors.map((error) => (error as Error).message), [
    "bad handler",
  ]);
  await closed(server);
});

/** Listeners that throw, while the reactor calls them. */
const THROWING: Record<string, (socket: net.Socket, fail: () => void) => void> =
  {
    "connection": (_socket, fail) => fail(),
    "data": (socket, fail) => socket.on("data", fail),
  };

for (const [name, listen] of Object.entries(THROWING)) {
  test(`attach(): a throwing listener of "${name}" ends its socket, and not the process`, async () => {
    const errors: string[] = [];
    const onError = (error: unknown): void => {
      errors.push((error as Error).message);
    };
    await using reactor = new Reactor({ onError });
    void reactor.serve();
    // An "error" without a listener would fail the test as an uncaught one.
    const server = net.createServer((socket) =>
      listen(socket, () => {
        throw new Error(`thrown in ${name}`);
      })
    );
    const { address } = attach(server, reactor, LOCAL);
    const client = createConnection(reactor, address);
    client.on("error", () => {});
    client.resume();
    client.write("x");
    await new Promise((resolve) => client.once("close", resolve));
    await closed(server);
    assertEquals(errors, [`thrown in ${name}`]);
  });
}

test('createConnection(): a throwing listener of "connect" ends its socket, and not the process', async () => {
  const errors: unknown[] = [];
  await using reactor = new Reactor({ onError: (error) => errors.push(error) });
  void reactor.serve();
  const server = net.createServer((socket) => socket.on("error", () => {}));
  const { address } = attach(server, reactor, LOCAL);
  const client = createConnection(reactor, address, () => {
    // Also a value that is no error.
    throw "thrown text";
  });
  await new Promise((resolve) => client.once("close", resolve));
  await closed(server);
  assertEquals(errors, ["thrown text"]);
});

onBridge(
  "ConnectionDuplex: takes over an end of a socket pair",
  async ({ reactor }) => {
    const [left, right] = socketPair().map((end) =>
      new ConnectionDuplex(reactor.adopt(end))
    ) as [ConnectionDuplex, ConnectionDuplex];
    left.end("hello");
    let text = "";
    for await (const chunk of right) text += chunk;
    return [text, right.remoteAddress, right.readyState];
  },
  // Without Unix sockets, the pair is one of TCP.
  ["hello", anyFile ? undefined : "127.0.0.1", "closed"],
);

onBridge(
  "ConnectionDuplex: addresses are known after the end, also when first read then",
  async (bridge) => {
    const server = net.createServer((socket) => socket.end());
    const port = await bridge.listen(server);
    const socket = bridge.connect({ port });
    socket.resume();
    await once(socket, "close");
    await stop(server);
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    return [remoteAddress, remotePort === port, localAddress, localPort! > 0];
  },
  ["127.0.0.1", true, "127.0.0.1", true],
);

onBridge(
  "ConnectionDuplex: an error has Node's properties and the cause",
  async (bridge) => {
    const socket = bridge.connect({ port: 1 });
    const [error] = await once(socket, "error");
    const refused = error.cause instanceof Deno.errors.ConnectionRefused;
    return [error.message, error.code, error.errno < 0, refused];
  },
  ["connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED", true, true],
);

test("ConnectionDuplex: a timeout of the reactor is ETIMEDOUT", () => {
  const timedOut = new Deno.errors.TimedOut("Cannot connect in time");
  const { code, message, cause } = nodeError(timedOut);
  assertEquals([code, message], ["ETIMEDOUT", "Cannot connect in time"]);
  assertEquals(cause, timedOut);
});

test("./node: a server and its client need --allow-ffi for the C library alone", async () => {
  const { stdout, stderr } = await runDeno(
    `
    import http from "node:http";
    import { Reactor } from "POLLUX/reactor/mod.ts";
    import { attach, createConnection } from "POLLUX/adapters/node/mod.ts";
    const reactor = new Reactor();
    reactor.serve();
    const server = http.createServer((_, response) => response.end("hello"));
    const { address } = attach(server, reactor, { hostname: "127.0.0.1", port: 0 });
    const client = createConnection(reactor, address);
    client.write("GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n");
    let text = "";
    for await (const chunk of client) text += chunk;
    console.log(text.split("\\r\\n").at(-1));
    server.close(() => reactor.close());
    `,
    [ffiPermissionFlag()],
  );
  assertEquals([stdout, stderr], ["hello\n", ""]);
});
