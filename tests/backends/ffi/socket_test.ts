/**
 * Sockets: every call, every domain and type, and refused arguments.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import {
  close,
  formatAddress,
  type InternetAddress,
  isBlocking,
  isSystemError,
  pipe,
  read,
  Socket,
  type SocketAddress,
  type SocketDomain,
  socketPair,
  type SocketType,
  WOULD_BLOCK,
  write,
} from "../../../backends/ffi/mod.ts";
import { EVENT_READ, PollSelector } from "../../../backends/mod.ts";
import { dup2, isCloseOnExec } from "../../descriptors.ts";
import {
  anyFile,
  assertWouldBlock,
  bytesOf,
  drainSocket,
  emulated,
  fillSocket,
  NEEDS_PIPES,
  NEEDS_UNIX_SOCKETS,
  ONLY_LINUX,
  PATIENCE,
  test,
  type TestOptions,
  wine,
} from "../../util.ts";

const { BadResource } = Deno.errors;

/** Whether calls on a socket wait; Windows cannot be asked. */
function waits(socket: { readonly fd: number }): boolean {
  return anyFile && isBlocking(socket);
}

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

/** Calls a body with a function that keeps sockets, which are closed at the end. */
function testWith(
  name: string,
  body: (scope: DisposableStack) => void | Promise<void>,
  options: TestOptions = {},
): void {
  test(name, async () => {
    using scope = new DisposableStack();
    await body(scope);
  }, options);
}

function listenerOn(scope: DisposableStack, address: SocketAddress): Socket {
  const listener = scope.use(Socket.createFor(address));
  listener.bind(address);
  listener.listen();
  return listener;
}

function waitFor(socket: Socket): void {
  using selector = new PollSelector();
  selector.register(socket, EVENT_READ, undefined);
  assertEquals(selector.select(PATIENCE).length, 1);
}

/** A path for a Unix socket that is removed at the end. */
function socketPath(scope: DisposableStack): string {
  const folder = Deno.makeTempDirSync({ prefix: "pollux-" });
  scope.defer(() => Deno.removeSync(folder, { recursive: true }));
  return `${folder}/socket`;
}

function textOf(socket: Socket): string {
  const buffer = new Uint8Array(100);
  const count = socket.recv(buffer);
  return new TextDecoder().decode(buffer.subarray(0, Math.max(count, 0)));
}

const kinds: readonly [SocketDomain, SocketType][] = [
  ["IPv4", "stream"],
  ["IPv4", "datagram"],
  ["IPv6", "stream"],
  ["IPv6", "datagram"],
  ["unix", "stream"],
  ["unix", "datagram"],
];

for (const [domain, type] of kinds) {
  testWith(
    `a ${domain} ${type} socket is non-blocking and close-on-exec when it is created [B33]`,
    (scope) => {
      const socket = scope.use(Socket.create(domain, type));
      assertEquals(socket.domain, domain);
      assertEquals([waits(socket), isCloseOnExec(socket.fd)], [
        false,
        true,
      ]);
    },
    domain === "unix" ? NEEDS_UNIX_SOCKETS : {},
  );
}

const domains: readonly [SocketDomain, SocketAddress][] = [
  ["IPv4", { hostname: "127.0.0.1", port: 1 }],
  ["IPv6", { hostname: "::1", port: 1 }],
  ["IPv6", { hostname: "[::1]", port: 1 }],
  ["unix", { path: "/a/path:with:colons" }],
];

for (const [domain, address] of domains) {
  testWith(
    `Socket.createFor: ${formatAddress(address)} gets a socket of ${domain}`,
    (scope) => {
      const socket = scope.use(Socket.createFor(address));
      assertEquals(socket.domain, domain);
    },
    domain === "unix" ? NEEDS_UNIX_SOCKETS : {},
  );
}

test("Socket.createFor: an address without a hostname is a TypeError", () => {
  const address = { port: 1 } as InternetAddress;
  assertThrows(() => Socket.createFor(address), TypeError, "hostname");
});

for (const type of ["stream", "datagram", "seqpacket"] as const) {
  testWith(
    `socketPair("${type}") is two connected ends, non-blocking and close-on-exec [B33]`,
    (scope) => {
      const [left, right] = socketPair(type).map((end) => scope.use(end));
      for (const end of [left!, right!]) {
        assertEquals([waits(end), isCloseOnExec(end.fd)], [false, true]);
        assertWouldBlock(end.recv(new Uint8Array(1)));
      }
      left!.send(bytesOf("one"));
      left!.send(bytesOf("two"));
      assertEquals(textOf(right!), type === "stream" ? "onetwo" : "one");
    },
    type === "seqpacket"
      ? { ignore: !anyFile, reason: "Windows has no seqpacket sockets" }
      : {},
  );
}

for (const hostname of ["127.0.0.1", "::1"]) {
  testWith(
    `a TCP connection over ${hostname} knows both its addresses`,
    (scope) => {
      const listener = listenerOn(scope, { hostname, port: 0 });
      const address = listener.localAddress as InternetAddress;
      assertGreater(address.port, 0);
      const client = scope.use(Socket.create(listener.domain));
      client.connect(address);
      waitFor(listener);
      const server = scope.use(listener.accept()!);
      assertEquals(client.remoteAddress, address);
      assertEquals(server.localAddress, address);
      assertEquals(server.remoteAddress, client.localAddress);
      assertEquals([waits(server), isCloseOnExec(server.fd)], [
        false,
        true,
      ]);
      assertEquals(listener.accept(), null);
    },
  );

  testWith(`a UDP datagram over ${hostname} returns its sender`, (scope) => {
    const address = { hostname, port: 0 };
    const [sender, receiver] = [1, 2].map(() => {
      const socket = scope.use(Socket.createFor(address, "datagram"));
      socket.bind(address);
      return socket;
    });
    assertEquals(receiver!.recvFrom(new Uint8Array(9)), null);
    assertEquals(sender!.sendTo(bytesOf("hello"), receiver!.localAddress), 5);
    waitFor(receiver!);
    assertEquals(receiver!.recvFrom(new Uint8Array(9)), {
      bytes: 5,
      address: sender!.localAddress,
    });
  });
}

testWith("a Unix socket is connected to by its path", (scope) => {
  const path = socketPath(scope);
  const listener = listenerOn(scope, { path });
  const client = scope.use(Socket.create("unix"));
  assertEquals(client.connect({ path }), true);
  const server = scope.use(listener.accept()!);
  client.send(bytesOf("hello"));
  assertEquals(textOf(server), "hello");
  assertEquals(client.remoteAddress, { path });
  assertEquals(server.remoteAddress, { path: "" });
}, NEEDS_UNIX_SOCKETS);

if (system().abstractSockets) {
  testWith(
    "an abstract Unix socket is connected to by its name [B16]",
    (scope) => {
      const path = `\0pollux-${crypto.randomUUID()}`;
      const listener = listenerOn(scope, { path });
      assertEquals(listener.localAddress, { path });
      const client = scope.use(Socket.create("unix"));
      assertEquals(client.connect({ path }), true);
      scope.use(listener.accept()!);
      assertEquals(client.remoteAddress, { path });
    },
  );
}

testWith(
  "a missing path is NotFound, and a plain file refuses [B17]",
  (scope) => {
    const path = socketPath(scope);
    const client = scope.use(Socket.create("unix"));
    const missing = assertThrows(
      () => client.connect({ path }),
      Deno.errors.NotFound,
    );
    assertEquals((missing as Error & { detail: string }).detail, path);
    Deno.writeTextFileSync(path, "");
    assertThrows(() => client.connect({ path }), Deno.errors.ConnectionRefused);
  },
  NEEDS_UNIX_SOCKETS,
);

testWith(
  "acceptFrom() gives the peer's address with the connection",
  (scope) => {
    const listener = listenerOn(scope, LOOPBACK);
    assertEquals(listener.acceptFrom(), null);
    const client = scope.use(Socket.create());
    client.setBlocking(true);
    client.connect(listener.localAddress);
    const accepted = listener.acceptFrom()!;
    scope.use(accepted[0]);
    assertEquals(accepted[1], client.localAddress);
    assertEquals(accepted[0].remoteAddress, client.localAddress);
  },
);

testWith("a port in use is AddrInUse, which names it [I10]", (scope) => {
  const first = listenerOn(scope, LOOPBACK);
  const second = scope.use(Socket.create());
  const { port } = first.localAddress as InternetAddress;
  const error = assertThrows(
    () => second.bind({ hostname: "127.0.0.1", port }),
    Deno.errors.AddrInUse,
    anyFile ? "Address already in use (os error" : "(os error 10048)",
  );
  assertEquals(
    (error as Error & { detail: string }).detail,
    `127.0.0.1:${port}`,
  );
});

testWith("a foreign address is AddrNotAvailable [I11]", (scope) => {
  const socket = scope.use(Socket.create());
  assertThrows(
    () => socket.bind({ hostname: "192.0.2.1", port: 0 }),
    Deno.errors.AddrNotAvailable,
  );
});

testWith(
  "a refused connection is ConnectionRefused, by connect() or takeError()",
  (scope) => {
    const listener = listenerOn(scope, LOOPBACK);
    const address = listener.localAddress;
    listener.close();
    const client = scope.use(Socket.create());
    client.setBlocking(true);
    const error = assertThrows(() => client.connect(address));
    assertInstanceOf(error, Deno.errors.ConnectionRefused);
    assert(isSystemError(error));
    assertEquals([error.code, error.syscall], ["ECONNREFUSED", "connect"]);
  },
);

testWith("a socket without a peer reports NotConnected", (scope) => {
  const socket = scope.use(Socket.create());
  assertThrows(() => socket.remoteAddress, Deno.errors.NotConnected);
  assertThrows(() => socket.shutdown("write"), Deno.errors.NotConnected);
});

const BAD_ADDRESSES: readonly [SocketAddress, ErrorConstructor, string][] = [
  [{ hostname: "127.0.0.1", port: 70000 }, RangeError, "70000"],
  [{ hostname: "127.0.0.1", port: -1 }, RangeError, "-1"],
  [{ hostname: "999.1.1.1", port: 1 }, TypeError, "999.1.1.1"],
  [{ hostname: "localhost", port: 1 }, TypeError, "localhost"],
  [{ hostname: "::1", port: 1 }, TypeError, "IPv4"],
  [{ path: "/run/x" }, TypeError, "IPv4"],
];

for (const [address, ErrorClass, part] of BAD_ADDRESSES) {
  testWith(
    `bind(), connect() and sendTo() refuse ${
      JSON.stringify(address)
    } by its value`,
    (scope) => {
      const socket = scope.use(Socket.create("IPv4", "datagram"));
      const calls = [
        () => socket.bind(address),
        () => socket.connect(address),
        () => socket.sendTo(new Uint8Array(1), address),
      ];
      for (const call of calls) assertThrows(call, ErrorClass, part);
      assertEquals((socket.localAddress as InternetAddress).port, 0);
    },
  );
}

testWith("a Unix path that is too long is refused, not cut [B17]", (scope) => {
  const socket = scope.use(Socket.create("unix"));
  const path = `/run/${"p".repeat(200)}`;
  assertThrows(() => socket.bind({ path }), RangeError, "205");
}, NEEDS_UNIX_SOCKETS);

testWith(
  "recv() and send() refuse lengths that are not within the buffer",
  (scope) => {
    const [left] = socketPair().map((end) => scope.use(end));
    const buffer = new Uint8Array(4);
    for (const length of [-1, 5, 1.5, NaN, Infinity, 2 ** 32]) {
      assertThrows(() => left!.recv(buffer, length), RangeError);
      assertThrows(() => left!.send(buffer, length), RangeError);
    }
  },
);

testWith(
  "recv() and send() use as much of the buffer as `length` says",
  (scope) => {
    const [left, right] = socketPair().map((end) => scope.use(end));
    assertEquals(left!.send(bytesOf("abcdef"), 4), 4);
    const buffer = new Uint8Array(4);
    assertEquals(right!.recv(buffer.subarray(1), 2), 2);
    assertEquals([...buffer], [0, 97, 98, 0]);
    assertEquals(right!.recv(buffer, 0), 0);
  },
);

testWith(
  "send() to a full socket is WOULD_BLOCK, and nothing is lost",
  (scope) => {
    const [left, right] = socketPair().map((end) => scope.use(end));
    const sent = fillSocket(left!);
    assertEquals(left!.send(bytesOf("x")), WOULD_BLOCK);
    assertEquals(drainSocket(right!), sent);
  },
);

testWith(
  "send() to a peer that is gone is an error, never a signal [K14] [M10]",
  (scope) => {
    const [left, right] = socketPair().map((end) => scope.use(end));
    right!.close();
    if (anyFile) {
      assertThrows(() => left!.send(bytesOf("x")), Deno.errors.BrokenPipe);
      return;
    }
    // The pairs of Windows are of TCP, which learns by a send that the peer is gone.
    const error = assertThrows(() => {
      for (let sends = 0; sends < 1000; sends++) left!.send(bytesOf("x"));
    });
    assert(isSystemError(error));
    assert(["ECONNRESET", "ECONNABORTED"].includes(error.code), error.code);
  },
);

testWith(
  "a datagram that is too large is an error of its own [B14]",
  (scope) => {
    const socket = scope.use(Socket.create("IPv4", "datagram"));
    socket.bind(LOOPBACK);
    const error = assertThrows(
      () => socket.sendTo(new Uint8Array(70_000), socket.localAddress),
    );
    assert(isSystemError(error));
    assertEquals(error.code, "EMSGSIZE");
    assertEquals(socket.sendTo(new Uint8Array(1), socket.localAddress), 1);
  },
);

testWith("shutdown() ends one direction", (scope) => {
  const [left, right] = socketPair().map((end) => scope.use(end));
  left!.shutdown("write");
  assertEquals(right!.recv(new Uint8Array(1)), 0);
  assertEquals(right!.send(bytesOf("x")), 1);
  assertEquals(textOf(left!), "x");
  assertThrows(
    () => left!.shutdown("sideways" as "read"),
    TypeError,
    "sideways",
  );
});

testWith("named options are read back as they were set", (scope) => {
  const socket = scope.use(Socket.create());
  for (
    const name of [
      "reuseAddress",
      "keepAlive",
      "noDelay",
      "broadcast",
      "outOfBandInline",
    ] as const
  ) {
    socket.setOption(name, true);
    assertEquals(socket.getOption(name), true, name);
    socket.setOption(name, false);
    assertEquals(socket.getOption(name), false, name);
  }
  socket.setOption("timeToLive", 7);
  assertEquals(socket.getOption("timeToLive"), 7);
  socket.setOption("sendBufferSize", 8192);
  assertGreaterOrEqual(socket.getOption("sendBufferSize"), 8192);
});

testWith("options that cannot be are refused by name and value", (scope) => {
  const socket = scope.use(Socket.create());
  assertThrows(
    () => socket.setOption("noDelay", 1 as unknown as boolean),
    TypeError,
    "noDelay",
  );
  assertThrows(() => socket.setOption("timeToLive", 1.5), RangeError, "1.5");
  assertThrows(() => socket.setOption("timeToLive", 2 ** 31), RangeError);
  assertThrows(
    () => socket.getOption("nothing" as "noDelay"),
    TypeError,
    "nothing",
  );
});

testWith("raw options are read in full, however often", (scope) => {
  const socket = scope.use(Socket.create());
  const { SOL_SOCKET, SO_TYPE, SO_LINGER, SOCK_STREAM } = system().constants;
  const expected = new Uint8Array(Int32Array.of(SOCK_STREAM).buffer);
  for (let round = 0; round < 20_000; round++) {
    const value = socket.getRawOption(SOL_SOCKET, SO_TYPE, 4);
    if (value[0] !== expected[0]) assertEquals(value, expected, `${round}`);
  }
  // struct linger has two words, on Windows two half-words
  const linger = anyFile ? Int32Array.of(1, 5) : Uint16Array.of(1, 5);
  const bytes = new Uint8Array(linger.buffer);
  socket.setRawOption(SOL_SOCKET, SO_LINGER, bytes);
  const read = socket.getRawOption(SOL_SOCKET, SO_LINGER, bytes.length);
  assertEquals(read, bytes);
});

testWith("a raw option is read into a whole number of bytes only", (scope) => {
  const socket = scope.use(Socket.create());
  const { SOL_SOCKET, SO_TYPE } = system().constants;
  const conversions = [0, 4];
  const growing = { valueOf: () => conversions.shift() ?? 4 };
  for (const length of [growing, "4", null, NaN, 1.5, -1, 2 ** 32]) {
    assertThrows(
      () => socket.getRawOption(SOL_SOCKET, SO_TYPE, length as number),
      RangeError,
      "bytes of an option",
    );
  }
  assertEquals(conversions.length, 2);
  // QEMU and Windows refuse the address of no memory.
  const least = emulated || !anyFile ? 4 : 0;
  assertEquals(socket.getRawOption(SOL_SOCKET, SO_TYPE, least).length, least);
});

testWith(
  "listen() sets an option, and refuses an invalid backlog",
  (scope) => {
    const socket = scope.use(Socket.create());
    socket.bind(LOOPBACK);
    for (const backlog of [-1, 1.5, NaN, 2 ** 31]) {
      assertThrows(() => socket.listen(backlog), RangeError);
    }
    socket.listen();
    assertEquals(socket.getOption("acceptsConnections"), true);
  },
);

testWith("create() refuses a domain or a type that is none", () => {
  assertThrows(() => Socket.create("IPv5" as "IPv4"), TypeError, "IPv5");
  assertThrows(
    () => Socket.create("IPv4", "river" as "stream"),
    TypeError,
    "river",
  );
});

test("create() and shutdown() refuse names that every object has, and lists", () => {
  const [left, right] = socketPair();
  using _left = left;
  using _right = right;
  for (const name of ["constructor", "toString", "__proto__", ["both"]]) {
    const [type, direction] = [name as SocketType, name as "both"];
    assertThrows(() => Socket.create("IPv4", type), TypeError, "must be");
    assertThrows(() => socketPair(type), TypeError, "must be");
    assertThrows(() => left.shutdown(direction), TypeError, "must be");
  }
  assertEquals(left.send(new Uint8Array(1)), 1);
  assertEquals(right.send(new Uint8Array(1)), 1);
});

test("every call on a closed socket says that it is closed", () => {
  const socket = Socket.create("IPv4", "datagram");
  socket.close();
  const address = { hostname: "127.0.0.1", port: 1 };
  const buffer = new Uint8Array(1);
  const calls: (() => unknown)[] = [
    () => socket.bind(address),
    () => socket.listen(),
    () => socket.accept(),
    () => socket.connect(address),
    () => socket.recv(buffer),
    () => socket.recvFrom(buffer),
    () => socket.send(buffer),
    () => socket.sendTo(buffer, address),
    () => socket.shutdown("both"),
    () => socket.getOption("noDelay"),
    () => socket.setOption("noDelay", true),
    () => socket.localAddress,
    () => socket.remoteAddress,
    () => socket.takeError(),
    () => socket.setBlocking(true),
    () => socket.detach(),
  ];
  for (const call of calls) assertThrows(call, BadResource, "closed");
  assertEquals(socket.fd, -1);
});

testWith(
  "closing twice leaves alone the file that has the number by then [F06]",
  (scope) => {
    const [left, right] = socketPair().map((end) => scope.use(end));
    const other = Socket.create();
    const number = other.fd;
    other.close();
    dup2(left!.fd, number);
    other.close();
    const owner = scope.use(Socket.adopt(number));
    owner.send(bytesOf("alive"));
    assertEquals(textOf(right!), "alive");
  },
);

testWith(
  "detach() gives the descriptor away, and adopt() takes it over",
  (scope) => {
    const [left, right] = socketPair();
    scope.use(right);
    const fd = left.detach();
    left.close();
    assertEquals(left.fd, -1);
    const adopted = scope.use(Socket.adopt(fd));
    assertEquals([adopted.fd, adopted.domain], [fd, right.domain]);
    adopted.send(bytesOf("hello"));
    assertEquals(textOf(right), "hello");
  },
);

testWith(
  "adopt() makes a socket non-blocking, and knows its domain",
  (scope) => {
    const socket = Socket.create("IPv6");
    socket.setBlocking(true);
    const adopted = scope.use(Socket.adopt(socket.detach()));
    assertEquals([adopted.domain, waits(adopted)], ["IPv6", false]);
  },
);

testWith("recvFrom() of a stream over TCP has no address", (scope) => {
  const listener = listenerOn(scope, { hostname: "127.0.0.1", port: 0 });
  const client = scope.use(Socket.create());
  client.connect(listener.localAddress);
  waitFor(listener);
  const server = scope.use(listener.accept()!);
  client.send(bytesOf("x"));
  waitFor(server);
  assertEquals(server.recvFrom(new Uint8Array(9)), { bytes: 1, address: null });
});

testWith(
  "a peer of the Unix domain without a name has an empty path",
  (scope) => {
    const [left, right] = socketPair("datagram").map((end) => scope.use(end));
    left!.send(bytesOf("x"));
    assertEquals(right!.recvFrom(new Uint8Array(9)), {
      bytes: 1,
      address: { path: "" },
    });
  },
  NEEDS_UNIX_SOCKETS,
);

testWith(
  "an answer reaches an abstract name that is not UTF-8",
  (scope) => {
    const [asking, answering] = [1, 2].map(() =>
      scope.use(Socket.create("unix", "datagram"))
    );
    const unique = `${Deno.pid}.${performance.now()}`;
    asking!.bind({ path: `\0${unique}\udcff\udc80` });
    answering!.bind({ path: `\0${unique}` });
    asking!.sendTo(bytesOf("question"), { path: `\0${unique}` });
    const { address } = answering!.recvFrom(new Uint8Array(9))!;
    assertEquals(address, { path: `\0${unique}\udcff\udc80` });
    answering!.sendTo(bytesOf("answer"), address!);
    assertEquals(textOf(asking!), "answer");
  },
  {
    ignore: !system().abstractSockets,
    reason: "this system has no abstract names",
  },
);

testWith("2^31 bytes or more are sent and received in parts", (scope) => {
  const huge = new Uint8Array(2 ** 31 + 1);
  const [left, right] = socketPair().map((end) => scope.use(end));
  assertGreater(left!.send(huge), 0);
  assertGreater(right!.recv(huge), 0);
  assertGreater(left!.sendPieces([huge, huge]), 0);
  assertGreater(right!.recvFrom(huge)!.bytes, 0);
  assertGreater(write(left!, huge), 0);
  assertGreater(read(right!, huge), 0);
  assertThrows(() => left!.send(huge, 2 ** 31 + 2), RangeError);
}, { ignore: wine, reason: "Wine copies for many seconds" });

testWith("an interface of a multicast group may be named", (scope) => {
  const socket = scope.use(Socket.create("IPv6", "datagram"));
  const group = "ff02::1234";
  socket.joinGroup(group, "lo");
  socket.leaveGroup(group, "lo");
  assertThrows(() => socket.joinGroup(group, "nonexistent"), TypeError);
  assertThrows(() => socket.joinGroup(group, -1), TypeError);
}, ONLY_LINUX);

test("adopt() refuses a descriptor that is no socket", () => {
  const [reader, writer] = pipe();
  const error = assertThrows(() => Socket.adopt(reader));
  assert(isSystemError(error));
  assertEquals(error.code, "ENOTSOCK");
  assertThrows(() => Socket.adopt(-1), RangeError);
  assertThrows(() => Socket.adopt(1_000_000), BadResource);
  close(reader);
  close(writer);
}, NEEDS_PIPES);

testWith("setBlocking() lets a plain client wait", (scope) => {
  const listener = listenerOn(scope, LOOPBACK);
  const client = scope.use(Socket.create());
  client.setBlocking(true);
  assertEquals(client.connect(listener.localAddress), true);
  const server = scope.use(listener.accept()!);
  server.send(bytesOf("hello"));
  assertEquals(textOf(client), "hello");
});

test("a using scope closes a socket", () => {
  const socket = Socket.create();
  {
    using scoped = socket;
    assertNotEquals(scoped.fd, -1);
  }
  assertEquals(socket.fd, -1);
});
