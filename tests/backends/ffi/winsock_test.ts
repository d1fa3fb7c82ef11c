/**
 * Sockets of Windows, where they differ from those of POSIX. `tests/windows/` runs
 * these tests by Wine, too.
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { claimPort } from "../../../backends/ffi/claim_port.ts";
import { system } from "../../../backends/ffi/current_system.ts";
import { errnoName, systemError } from "../../../backends/ffi/errors.ts";
import { libc, openLibrary } from "../../../backends/ffi/libc.ts";
import {
  dup,
  ffiPermissionFlag,
  isBlocking,
  openFile,
  pipe,
  read,
  Socket,
  socketPair,
  WOULD_BLOCK,
  write,
} from "../../../backends/ffi/mod.ts";
import { identityOf, unlinkOwn } from "../../../backends/ffi/path.ts";
import { windows } from "../../../backends/ffi/systems/windows.ts";
import { winsock } from "../../../backends/ffi/winsock.ts";
import { isCloseOnExec } from "../../descriptors.ts";
import {
  anyFile,
  bytesOf,
  NEEDS_ALL_LIBRARIES,
  pairOf,
  PATIENCE,
  runDeno,
  test,
  type TestOptions,
} from "../../util.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

/** A number that no test opens. */
const CLOSED = 1_000_000;

/** Defines a test of Windows. */
function winsockTest(
  name: string,
  body: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  test(`Winsock: ${name}`, body, winsock === null ? { ignore: true } : options);
}

winsockTest("every function is found", () => {
  openLibrary(winsock!);
  for (const [name, call] of Object.entries(winsock!)) {
    assertEquals(typeof call, "function", name);
  }
});

winsockTest("every kind of call returns the number of its error", () => {
  const bytes = new Uint8Array(new ArrayBuffer(128));
  bytes[0] = system().constants.AF_INET;
  const calls = libc();
  const results = {
    accept: calls.accept(CLOSED, null, null),
    bind: calls.bind(CLOSED, bytes, 16),
    closesocket: winsock!.closesocket(CLOSED),
    connect: calls.connect(CLOSED, bytes, 16),
    ioctlsocket: winsock!.ioctlsocket(CLOSED, 0x8004667e, Uint32Array.of(1)),
    listen: calls.listen(CLOSED, 1),
    recv: calls.recv(CLOSED, bytes, 1, 0),
    send: calls.send(CLOSED, bytes, 1, 0),
    sendto: calls.sendto(CLOSED, bytes, 1, 0, bytes, 16),
    shutdown: calls.shutdown(CLOSED, 0),
  };
  for (const [call, result] of Object.entries(results)) {
    assertEquals(result, -system().errno.EBADF!, call);
  }
});

winsockTest("the last error is right in 100,000 calls amid garbage", () => {
  using pair = pairOf();
  const buffer = new Uint8Array(new ArrayBuffer(16));
  const expected = -system().errno.EAGAIN!;
  let kept: Uint8Array | undefined;
  for (let round = 0; round < 100_000; round++) {
    const result = libc().recv(pair.left.fd, buffer, 16, 0);
    if (result !== expected) assertEquals(result, expected, `${round}`);
    if (round % 3 === 0) kept = new Uint8Array(10_000);
  }
  assertEquals(kept?.length, 10_000);
});

winsockTest("the permission of three libraries is enough", async () => {
  const flag = ffiPermissionFlag();
  for (const name of ["ws2_32", "kernel32", "ntdll"]) {
    assertStringIncludes(flag, `\\${name}.dll`);
  }
  const { stdout, stderr } = await runDeno(
    `import { close, Socket, socketPair } from "POLLUX/backends/ffi/mod.ts";
     try { close(${CLOSED}); } catch (error) { console.log(error.code); }
     const [left, right] = socketPair();
     console.log(left.send(new Uint8Array(3)), right.recv(new Uint8Array(9)));
     console.log(right.recv(new Uint8Array(9)));
     const [from, to] = socketPair("datagram");
     to.setOption("receivePacketInfo", true);
     from.sendMessage(new Uint8Array(3));
     console.log(to.receiveMessage(new Uint8Array(9)).bytes);`,
    [flag],
  );
  assertEquals(stdout, "EBADF\n3 3\n-1\n3\n", stderr);
});

winsockTest("each lacking thing is NotSupported, by its name", () => {
  using socket = Socket.create();
  const missing: Record<string, () => unknown> = {
    pipes: () => pipe(),
    "seqpacket sockets": () => socketPair("seqpacket"),
    "descriptors in messages": () =>
      socket.sendMessage(new Uint8Array(1), { descriptors: [socket] }),
    reusePort: () => socket.setOption("reusePort", true),
    "whether calls wait": () => isBlocking(socket),
    "readiness of files": () => openFile("C:\\windows"),
    "unlink()": () => libc().unlink(new Uint8Array(1)),
  };
  for (const [name, call] of Object.entries(missing)) {
    assertThrows(call, Deno.errors.NotSupported, name);
  }
});

winsockTest("a socket that is not bound has the address zero", () => {
  using ipv4 = Socket.create();
  using ipv6 = Socket.create("IPv6");
  assertEquals(ipv4.localAddress, { hostname: "0.0.0.0", port: 0 });
  assertEquals(ipv6.localAddress, { hostname: "::", port: 0 });
});

winsockTest("adopt() knows the domain of a socket that is not bound", () => {
  const socket = Socket.create("IPv6", "datagram");
  using adopted = Socket.adopt(socket.detach());
  assertEquals([adopted.domain, adopted.type], ["IPv6", "datagram"]);
});

winsockTest("a datagram that does not fit is cut, as on other systems", () => {
  using pair = pairOf("datagram");
  const room = new Uint8Array(4);
  for (let round = 0; round < 3; round++) pair.left.send(bytesOf("too long"));
  assertEquals(pair.right.recv(room), 4);
  assertEquals(room, bytesOf("too "));
  assertEquals(pair.right.recvFrom(room)?.bytes, 4);
  const message = pair.right.receiveMessage(room)!;
  assertEquals([message.bytes, message.truncated], [4, true]);
  assertEquals(pair.right.recv(room), WOULD_BLOCK);
});

winsockTest(
  "the options of a boolean are read, whose length is one byte",
  () => {
    using socket = Socket.create();
    for (const name of ["noDelay", "keepAlive"] as const) {
      assertEquals(socket.getOption(name), false, name);
      socket.setOption(name, true);
      assertEquals(socket.getOption(name), true, name);
    }
  },
);

winsockTest("the port of a listener cannot be taken over", () => {
  using listener = Socket.create();
  claimPort(listener);
  listener.bind(LOOPBACK);
  listener.listen();
  using thief = Socket.create();
  thief.setOption("reuseAddress", true);
  const error = assertThrows(() => thief.bind(listener.localAddress));
  assertInstanceOf(error, Error);
});

winsockTest(
  "child processes inherit neither sockets, nor accepted ones, nor copies",
  () => {
    using listener = Socket.create();
    listener.bind(LOOPBACK);
    listener.listen();
    using client = Socket.create();
    client.setBlocking(true);
    client.connect(listener.localAddress);
    using accepted = listener.accept()!;
    using copy = Socket.adopt(dup(accepted));
    for (const { fd } of [listener, client, accepted, copy]) {
      assert(isCloseOnExec(fd));
    }
  },
);

winsockTest(
  "an accepted socket does not block, even if its listener does",
  () => {
    using listener = Socket.create();
    listener.bind(LOOPBACK);
    listener.listen();
    listener.setBlocking(true);
    using client = Socket.create();
    client.setBlocking(true);
    client.connect(listener.localAddress);
    using accepted = listener.accept()!;
    assertEquals(accepted.recv(new Uint8Array(1)), WOULD_BLOCK);
  },
);

winsockTest("read(), write() and dup() take sockets", () => {
  using pair = pairOf();
  using copy = Socket.adopt(dup(pair.left));
  pair.left.close();
  const room = new Uint8Array(9);
  assertEquals(write(copy, bytesOf("hello")), 5);
  assertEquals(read(pair.right, room), 5);
  copy.close();
  assertEquals(read(pair.right, room), 0);
});

winsockTest(
  "the ends of a pair are connected to each other, without delays",
  () => {
    using streams = pairOf();
    using datagrams = pairOf("datagram");
    for (const { left, right } of [streams, datagrams]) {
      assertEquals(left.remoteAddress, right.localAddress);
      assertEquals(right.remoteAddress, left.localAddress);
    }
    assert(streams.left.getOption("noDelay"));
    assert(streams.right.getOption("noDelay"));
  },
);

winsockTest(
  "a datagram to a closed port does not fail the next receive",
  () => {
    using socket = Socket.create("IPv4", "datagram");
    socket.bind(LOOPBACK);
    using closed = Socket.create("IPv4", "datagram");
    closed.bind(LOOPBACK);
    const address = closed.localAddress;
    closed.close();
    socket.sendTo(bytesOf("x"), address);
    const end = performance.now() + PATIENCE / 50;
    while (performance.now() < end) {
      assertEquals(socket.recvFrom(new Uint8Array(1)), null);
    }
  },
);

winsockTest("pieces are sent in order, with an offset", () => {
  using pair = pairOf();
  const pieces = ["abc", "def", "ghi"].map(bytesOf);
  assertEquals(pair.left.sendPieces(pieces, 1, 1), 5);
  const room = new Uint8Array(9);
  assertEquals(pair.right.recv(room), 5);
  assertEquals(room.subarray(0, 5), bytesOf("efghi"));
});

winsockTest(
  "the destination of a datagram is received, with full permission",
  () => {
    using pair = pairOf("datagram");
    pair.right.setOption("receivePacketInfo", true);
    pair.left.send(bytesOf("x"));
    const message = pair.right.receiveMessage(new Uint8Array(9))!;
    assertEquals(message.control.packetInfo?.address, "127.0.0.1");
    assertEquals(pair.right.receiveMessage(new Uint8Array(9)), null);
  },
  NEEDS_ALL_LIBRARIES,
);

winsockTest("a file has an identity, and is removed only with it", () => {
  const path = Deno.makeTempFileSync();
  const other = Deno.makeTempFileSync();
  const identity = identityOf(path)!;
  assertGreater(identity.inode, 0n);
  assertEquals(identityOf(path), identity);
  assertEquals(unlinkOwn(other, identity), false);
  assertEquals(unlinkOwn(path, identity), true);
  assertEquals(identityOf(path), null);
  Deno.removeSync(other);
});

/** Without a library, the table is checked on every machine. */
Deno.test("Windows: a number that has several names has the usual one", () => {
  const { errno, errnoNames } = windows("x86_64");
  const winners = {
    EAGAIN: errno.EINPROGRESS!,
    EBADF: errno.ENOTSOCK!,
    EPIPE: errno.ESHUTDOWN!,
  };
  for (const [name, number] of Object.entries(winners)) {
    assertEquals([errnoNames![number], errno[name]], [name, number]);
  }
});

Deno.test("Windows: each name of several for a number has a winner", () => {
  const { errno, errnoNames } = windows("x86_64");
  const numbers = Object.values(errno);
  const shared = numbers.filter((number, index) =>
    numbers.indexOf(number) !== index
  );
  for (const number of shared) assert(number in errnoNames!, `${number}`);
});

Deno.test("Windows: the constants of descriptors are NotSupported, by name", () => {
  const { constants } = windows("aarch64");
  for (const name of ["O_NONBLOCK", "F_GETFL", "MSG_DONTWAIT"] as const) {
    assertThrows(() => constants[name], Deno.errors.NotSupported, name);
  }
});

Deno.test("Windows: WSAMSG and WSABUF are laid out as in <ws2def.h>", () => {
  const { msghdr, iovec } = windows("x86_64");
  // LPSOCKADDR name; INT namelen; LPWSABUF lpBuffers; ULONG dwBufferCount;
  // WSABUF Control { ULONG len; CHAR *buf; }; ULONG dwFlags;
  const { name, namelen, iov, iovlen, controllen, control, flags } = msghdr;
  const offsets = [name, namelen, iov, iovlen, controllen, control, flags];
  assertEquals(offsets, [0, 8, 16, 24, 32, 40, 48]);
  assertEquals(msghdr.size, 56);
  assertEquals([iovec.length, iovec.address], [0, 1]);
});

winsockTest(
  "an error has Deno's class, and the code that programs expect",
  () => {
    const expected = [
      [10061, "ECONNREFUSED", Deno.errors.ConnectionRefused],
      [10035, "EAGAIN", Deno.errors.WouldBlock],
      [10048, "EADDRINUSE", Deno.errors.AddrInUse],
      [10054, "ECONNRESET", Deno.errors.ConnectionReset],
      [10058, "EPIPE", Deno.errors.BrokenPipe],
      [6, "EBADF", Deno.errors.BadResource],
    ] as const;
    for (const [number, code, type] of expected) {
      const error = systemError("recv", number);
      assertEquals([error.code, errnoName(number)], [code, code]);
      assertInstanceOf(error, type);
      assertStringIncludes(error.message, `(os error ${number})`);
    }
    assert(!anyFile);
  },
);
