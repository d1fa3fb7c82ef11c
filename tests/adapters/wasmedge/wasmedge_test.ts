/**
 * WasmEdge's socket calls, in both variants.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { type InternetAddress, Socket } from "../../../backends/ffi/mod.ts";
import { bytesOf, NEEDS_UNIX_SOCKETS, pairOf, test } from "../../util.ts";
import { FDFLAGS_NONBLOCK } from "../../../backends/wasi/abi.ts";
import { wasiErrnoName } from "../../../backends/wasi/errno.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import { wasmEdge } from "../../../adapters/wasmedge/mod.ts";
import {
  type GuestProgram,
  onFd,
  runProgram,
  writeIovec,
} from "../wasi/guest_program.ts";

const INET4 = 1, INET6 = 2, UNIX = 3;
const DATAGRAM = 1, STREAM = 2;

/** An address as the guest hands it over: a pointer to a pointer and a length. */
function addressOf(
  program: GuestProgram,
  bytes: readonly number[],
  room = bytes.length,
): number {
  const data = program.allocate(room);
  program.bytes.set(bytes, data);
  const pair = program.allocate(8);
  writeIovec(program.view, pair, data, room);
  return pair;
}

/** The bytes behind such an address. */
function addressBytes(
  program: GuestProgram,
  pair: number,
  length: number,
): number[] {
  const data = program.view.getUint32(pair, true);
  return [...program.bytes.slice(data, data + length)];
}

const LOOPBACK = [127, 0, 0, 1];
const LOOPBACK_V2 = [INET4, 0, 127, 0, 0, 1];

function open(program: GuestProgram, family = INET4, type = STREAM): number {
  const stored = program.allocate(4);
  program.must("sock_open", family, type, stored);
  return program.view.getUint32(stored, true);
}

/** `sock_getlocaladdr` of the second variant: the port. */
function localPort(program: GuestProgram, fd: number): number {
  const port = program.allocate(4);
  const room = addressOf(program, [], 128);
  program.must("sock_getlocaladdr", fd, room, port);
  return program.view.getUint32(port, true);
}

function allowing(
  allow: readonly string[],
  body: (program: GuestProgram) => void,
): void {
  runProgram({ extensions: [wasmEdge({ allow })] }, body);
}

for (
  const [variant, address] of [
    ["first", (program: GuestProgram): number => addressOf(program, LOOPBACK)],
    [
      "second",
      (program: GuestProgram): number => addressOf(program, LOOPBACK_V2, 128),
    ],
  ] as const
) {
  test(`sock_listen, sock_accept: a program accepts by the ${variant} variant`, () => {
    allowing(["127.0.0.1"], (program) => {
      const listener = open(program);
      program.must("sock_bind", listener, address(program), 0);
      program.must("sock_listen", listener, 8);
      using client = Socket.create("IPv4", "stream");
      const port = localPort(program, listener);
      client.connect({ hostname: "127.0.0.1", port });
      const stored = program.allocate(4);
      const args = variant === "first" ? [stored] : [0, stored];
      program.must("sock_accept", listener, ...args);
      const fd = program.view.getUint32(stored, true);
      client.send(bytesOf("hello"));
      program.poll(onFd("read", fd));
      assertEquals(program.receive(fd).text, "hello");
    });
  });

  test(`sock_connect: a program connects by the ${variant} variant`, () => {
    using listener = Socket.create("IPv4", "stream");
    listener.bind({ hostname: "127.0.0.1", port: 0 });
    listener.listen();
    const { port } = listener.localAddress as InternetAddress;
    allowing([`127.0.0.1:${port}`], (program) => {
      const fd = open(program);
      program.must("sock_connect", fd, address(program), port);
      using connection = listener.accept()!;
      program.send(fd, ["hello"]);
      assertEquals(connection.recv(new Uint8Array(8)), 5);
    });
  });
}

test("sock_getlocaladdr: the first variant stores address, version and port", () => {
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program);
    program.must("sock_bind", fd, addressOf(program, LOOPBACK), 0);
    const room = addressOf(program, [], 16);
    const version = program.allocate(4);
    const port = program.allocate(4);
    program.must("sock_getlocaladdr", fd, room, version, port);
    assertEquals(addressBytes(program, room, 4), LOOPBACK);
    assertEquals(program.view.getUint32(version, true), 4);
    assertEquals(program.view.getUint32(port, true), localPort(program, fd));
  });
});

test("sock_getlocaladdr: the second variant stores family and address", () => {
  allowing(["[::1]"], (program) => {
    const loopback = [...new Array(15).fill(0), 1];
    const fd = open(program, INET6);
    const address = addressOf(program, [INET6, 0, ...loopback], 128);
    program.must("sock_bind", fd, address, 0);
    const room = addressOf(program, [], 128);
    program.must("sock_getlocaladdr", fd, room, program.allocate(4));
    assertEquals(addressBytes(program, room, 18), [INET6, 0, ...loopback]);
  });
});

test("sock_getpeeraddr: it stores the address of the peer", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  const { port } = listener.localAddress as InternetAddress;
  allowing([`127.0.0.1:${port}`], (program) => {
    const fd = open(program);
    program.must("sock_connect", fd, addressOf(program, LOOPBACK), port);
    const stored = program.allocate(4);
    program.must("sock_getpeeraddr", fd, addressOf(program, [], 128), stored);
    assertEquals(program.view.getUint32(stored, true), port);
  });
});

test("sock_recv_from: bytes of a connection that do not fit stay for the next call", () => {
  using pair = pairOf();
  const extensions = [wasmEdge({ allow: [] })];
  runProgram({ sockets: [pair.left], extensions }, (program) => {
    pair.right.send(bytesOf("abcdefgh"));
    const { iovecs, pointers } = program.buffers(2, 3);
    const from = addressOf(program, [], 128);
    const stored = program.allocate(4);
    const flags = program.allocate(4);
    const args = [iovecs, 2, from, 0, program.allocate(4), stored, flags];
    program.must("sock_recv_from", 3, ...args);
    assertEquals(program.view.getUint32(stored, true), 5);
    assertEquals(program.view.getUint32(flags, true), 0);
    assertEquals(program.text(pointers[1]!, 3), "cde");
    assertEquals(program.receive(3).text, "fgh");
  });
});

test("sock_send_to, sock_recv_from: datagrams carry their addresses", () => {
  using peer = Socket.create("IPv4", "datagram");
  peer.bind({ hostname: "127.0.0.1", port: 0 });
  const { port } = peer.localAddress as InternetAddress;
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program, INET4, DATAGRAM);
    const { iovecs, pointers } = program.buffers(3, 2);
    program.write(pointers[0]!, "abc");
    program.write(pointers[1]!, "de");
    const stored = program.allocate(4);
    const address = addressOf(program, LOOPBACK_V2, 128);
    program.must("sock_send_to", fd, iovecs, 2, address, port, 0, stored);
    assertEquals(program.view.getUint32(stored, true), 5);
    const received = peer.recvFrom(new Uint8Array(8))!;
    assertEquals(received.bytes, 5);

    peer.sendTo(bytesOf("answer"), received.address!);
    const from = addressOf(program, [], 128);
    const fromPort = program.allocate(4);
    const flags = program.allocate(4);
    program.must(
      ...["sock_recv_from", fd, iovecs, 2, from, 0] as const,
      ...[fromPort, stored, flags],
    );
    assertEquals(program.view.getUint32(stored, true), 5);
    assertEquals(program.view.getUint32(flags, true), 1, "it was cut");
    assertEquals(program.view.getUint32(fromPort, true), port);
    assertEquals(addressBytes(program, from, 6), LOOPBACK_V2);
    assertEquals(program.text(pointers[0]!, 3), "ans");

    peer.sendTo(bytesOf("again"), received.address!);
    const narrow = addressOf(program, [], 16);
    program.must("sock_recv_from", fd, iovecs, 2, narrow, 0, stored, flags);
    assertEquals(program.view.getUint32(flags, true), 0);
    assertEquals(addressBytes(program, narrow, 4), LOOPBACK);
  });
});

test(
  "sock_connect: a program connects to the path of a Unix socket",
  async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/socket`;
    using listener = Socket.create("unix", "stream");
    listener.bind({ path });
    listener.listen();
    allowing([path], (program) => {
      const fd = open(program, UNIX);
      const bytes = [UNIX, 0, ...bytesOf(path), 0];
      program.must("sock_connect", fd, addressOf(program, bytes, 128), 0);
      const other = [UNIX, 0, ...bytesOf(`${path}2`), 0];
      const address = addressOf(program, other, 128);
      assertEquals(
        wasiErrnoName(
          program.call("sock_connect", open(program, UNIX), address, 0),
        ),
        "EACCES",
      );
    });
    await Deno.remove(directory, { recursive: true });
  },
  NEEDS_UNIX_SOCKETS,
);

test(
  "sock_connect: a path is EACCES once a link has replaced it or its directory",
  async () => {
    const directory = await Deno.makeTempDir();
    const secret = `${directory}/secret`;
    await Deno.mkdir(`${directory}/own`);
    const path = `${directory}/own/socket`;
    using own = Socket.create("unix", "stream");
    own.bind({ path });
    own.listen();
    await Deno.mkdir(secret);
    using other = Socket.create("unix", "stream");
    other.bind({ path: `${secret}/socket` });
    other.listen();
    allowing([path], (program) => {
      const connect = (): string => {
        const bytes = [UNIX, 0, ...bytesOf(path), 0];
        const address = addressOf(program, bytes, 128);
        return wasiErrnoName(
          program.call("sock_connect", open(program, UNIX), address, 0),
        );
      };
      assertEquals(connect(), "ESUCCESS");
      Deno.renameSync(path, `${path}2`);
      Deno.symlinkSync("../secret/socket", path);
      assertEquals(connect(), "EACCES");
      Deno.removeSync(path);
      Deno.renameSync(`${directory}/own`, `${directory}/old`);
      Deno.symlinkSync("secret", `${directory}/own`);
      assertEquals(connect(), "EACCES");
      Deno.removeSync(`${directory}/own`);
      Deno.renameSync(`${directory}/old`, `${directory}/own`);
      Deno.renameSync(`${path}2`, path);
      assertEquals(connect(), "ESUCCESS");
    });
    await Deno.remove(directory, { recursive: true });
  },
  NEEDS_UNIX_SOCKETS,
);

test("wasmEdge: an address that is not allowed is EACCES", () => {
  allowing(["127.0.0.1:1", "[::1]:2"], (program) => {
    const refused = (name: string, port: number, bytes: number[]): string => {
      const family = bytes.length === 4 ? INET4 : INET6;
      const fd = open(program, family);
      return wasiErrnoName(
        program.call(name, fd, addressOf(program, bytes), port),
      );
    };
    const mapped = [...new Array(10).fill(0), 255, 255, 127, 0, 0, 1];
    assertEquals(refused("sock_bind", 0, LOOPBACK), "EACCES");
    assertEquals(refused("sock_bind", 1, [0, 0, 0, 0]), "EACCES");
    assertEquals(refused("sock_connect", 2, LOOPBACK), "EACCES");
    assertEquals(refused("sock_connect", 1, [127, 0, 0, 2]), "EACCES");
    assertEquals(refused("sock_connect", 2, mapped), "EACCES");
    assertEquals(refused("sock_connect", 0x1_0001, LOOPBACK), "EINVAL");
    const fd = open(program, INET4, DATAGRAM);
    const { iovecs } = program.buffers(1);
    const stored = program.allocate(4);
    const address = addressOf(program, LOOPBACK);
    assertEquals(
      wasiErrnoName(
        program.call("sock_send_to", fd, iovecs, 1, address, 9, 0, stored),
      ),
      "EACCES",
    );
  });
});

test("sock_listen: an unbound socket is EACCES, because the system would bind it to all addresses", () => {
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program);
    assertEquals(wasiErrnoName(program.call("sock_listen", fd, 8)), "EACCES");
  });
});

test("sock_connect: a refused connection is ECONNREFUSED", () => {
  using closed = Socket.create("IPv4", "stream");
  closed.bind({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.localAddress as InternetAddress;
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program);
    const address = addressOf(program, LOOPBACK);
    assertEquals(
      wasiErrnoName(program.call("sock_connect", fd, address, port)),
      "ECONNREFUSED",
    );
  });
});

test("sock_connect: with NONBLOCK, poll_oneoff and SO_ERROR report the end", () => {
  using closed = Socket.create("IPv4", "stream");
  closed.bind({ hostname: "127.0.0.1", port: 0 });
  const { port } = closed.localAddress as InternetAddress;
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program);
    program.must("fd_fdstat_set_flags", fd, FDFLAGS_NONBLOCK);
    const address = addressOf(program, LOOPBACK);
    const errno = program.call("sock_connect", fd, address, port);
    if (wasiErrnoName(errno) === "ECONNREFUSED") return;
    assertEquals(wasiErrnoName(errno), "EINPROGRESS");
    program.poll(onFd("read", fd), onFd("write", fd));
    const value = program.allocate(4);
    program.must("sock_getsockopt", fd, 0, 2, value, 4);
    assertEquals(
      wasiErrnoName(program.view.getUint32(value, true)),
      "ECONNREFUSED",
    );
  });
});

test("sock_getsockopt, sock_setsockopt: options have WasmEdge's numbers", () => {
  allowing([], (program) => {
    const fd = open(program);
    const value = program.allocate(4);
    const length = program.allocate(4);
    program.view.setUint32(length, 4, true);
    const get = (level: number, option: number): number => {
      program.must("sock_getsockopt", fd, level, option, value, length);
      return program.view.getUint32(value, true);
    };
    assertEquals(get(0, 1), STREAM);
    assertEquals(get(0, 0), 0);
    program.view.setUint32(value, 1, true);
    program.must("sock_setsockopt", fd, 0, 0, value, 4);
    assertEquals(get(0, 0), 1);
    program.view.setUint32(value, 1, true);
    program.must("sock_setsockopt", fd, 6, 15, value, 4);
    assertEquals(get(6, 15), 1);
    assertEquals(
      wasiErrnoName(program.call("sock_getsockopt", fd, 0, 9, value, length)),
      "ENOPROTOOPT",
    );
  });
});

test("sock_getaddrinfo: it resolves numeric addresses only", () => {
  allowing([], (program) => {
    const name = program.allocate(16);
    program.write(name, "127.0.0.1\0");
    const service = program.allocate(8);
    program.write(service, "80");
    const info = program.allocate(28);
    const sockaddr = program.allocate(12);
    const data = program.allocate(26);
    program.view.setUint32(info + 12, sockaddr, true);
    program.view.setUint32(sockaddr + 8, data, true);
    const first = program.allocate(4);
    program.view.setUint32(first, info, true);
    const hints = program.allocate(28);
    const stored = program.allocate(4);
    program.must(
      ...["sock_getaddrinfo", name, 10, service, 2] as const,
      ...[hints, first, 1, stored],
    );
    assertEquals(program.view.getUint32(stored, true), 1);
    assertEquals(program.view.getUint16(data, false), 80);
    assertEquals([...program.bytes.slice(data + 2, data + 6)], LOOPBACK);
    program.write(name, "deno.com\0\0");
    assertEquals(
      wasiErrnoName(
        program.call(
          ...["sock_getaddrinfo", name, 10, service, 2] as const,
          ...[hints, first, 1, stored],
        ),
      ),
      "ENOENT",
    );
  });
});

test("sock_connect: a malformed address is EINVAL", () => {
  allowing(["127.0.0.1"], (program) => {
    const fd = open(program);
    for (const bytes of [[], [127], [9, 0, 127, 0, 0, 1]]) {
      const room = bytes.length > 1 ? 128 : bytes.length;
      const address = addressOf(program, bytes, room);
      assertEquals(
        wasiErrnoName(program.call("sock_connect", fd, address, 80)),
        "EINVAL",
      );
    }
    const beyond = program.allocate(8);
    writeIovec(program.view, beyond, 65530, 16);
    assertEquals(
      wasiErrnoName(program.call("sock_connect", fd, beyond, 80)),
      "EFAULT",
    );
  });
});

test("WasiHost: without the extension there are only the calls of preview 1", () => {
  const imports = new WasiHost().imports["wasi_snapshot_preview1"]!;
  assertEquals(Object.keys(imports).filter((name) => /^sock_/.test(name)), [
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
  ]);
});

test("wasmEdge: a malformed address in the list is refused", () => {
  for (const entry of ["localhost:80", "127.0.0.1:99999", "", "*"]) {
    assertThrows(
      () => wasmEdge({ allow: [entry] }),
      TypeError,
      "Cannot allow",
    );
  }
});

test("wasmEdge: an unknown option is named", () => {
  const options = { allow: [], alow: [] };
  const error = assertThrows(() => wasmEdge(options), TypeError);
  assertEquals(error.message, 'Unknown option "alow"; did you mean "allow"?');
});

test("WasiHost: an object that is no extension is refused", () => {
  assertThrows(
    () => new WasiHost({ extensions: [{ name: "wasmedge" }] }),
    TypeError,
    "as an extension",
  );
});
