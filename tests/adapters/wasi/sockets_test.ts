/**
 * Sockets in the hands of a program on our host.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { systemError } from "../../../backends/ffi/errors.ts";
import {
  close,
  pipe,
  read,
  setBlocking,
  Socket,
} from "../../../backends/ffi/mod.ts";
import {
  anyFile,
  bytesOf,
  fillSocket,
  pairOf,
  posixTest,
  test,
} from "../../util.ts";
import {
  FDFLAGS_NONBLOCK,
  FILETYPE_SOCKET_DGRAM,
  FILETYPE_SOCKET_STREAM,
  RIFLAGS_RECV_PEEK,
  RIFLAGS_RECV_WAITALL,
  ROFLAGS_RECV_DATA_TRUNCATED,
  SDFLAGS_RD,
  SDFLAGS_WR,
} from "../../../backends/wasi/abi.ts";
import { wasiErrnoName } from "../../../backends/wasi/errno.ts";
import { WasiHost } from "../../../adapters/wasi/mod.ts";
import {
  RIGHTS_FD_READ,
  RIGHTS_FD_WRITE,
  RIGHTS_POLL_FD_READWRITE,
  RIGHTS_SOCK_ACCEPT,
} from "../../../adapters/wasi/rights.ts";
import { type GuestProgram, onFd, runProgram } from "./guest_program.ts";

/** Runs a program with one end of a connection as its descriptor 3. */
function withPair(
  body: (program: GuestProgram, peer: Socket) => void,
  type?: "stream" | "datagram",
  pages?: number,
): void {
  using pair = pairOf(type);
  const options = { sockets: [pair.left] };
  runProgram(options, (program) => body(program, pair.right), pages);
}

/** Runs a program with a listener as its descriptor 3, and a client on its way. */
function withListener(
  body: (program: GuestProgram, client: Socket) => void,
): void {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [listener] }, (program) => {
    client.connect(listener.localAddress);
    body(program, client);
  });
}

/** The options of a test of preopened directories. */
const NEEDS_DIRECTORIES = {
  reason: "a preopened directory is NotSupported on Windows",
} as const;

posixTest(
  "WasiHost: the sockets are numbered after the directories",
  async () => {
    const directory = await Deno.makeTempDir();
    using pair = pairOf();
    const options = { preopens: { "/a": directory, "/b": directory } };
    runProgram({ ...options, sockets: [pair.left] }, (program) => {
      const at = program.allocate(8);
      program.must("fd_prestat_get", 3, at);
      program.must("fd_prestat_get", 4, at);
      // Here wasi-libc stops to look for directories.
      assertEquals(
        wasiErrnoName(program.call("fd_prestat_get", 5, at)),
        "EBADF",
      );
      assertEquals(program.send(5, ["x"]).errno, "ESUCCESS");
    });
    await Deno.remove(directory);
  },
  NEEDS_DIRECTORIES,
);

test("fd_fdstat_get: a listener has the type and rights that guests look for", () => {
  withListener((program) => {
    const stat = program.fdstat(3);
    assertEquals(stat.filetype, FILETYPE_SOCKET_STREAM);
    assertEquals(stat.flags, 0);
    for (
      const right of [
        RIGHTS_FD_READ,
        RIGHTS_POLL_FD_READWRITE,
        RIGHTS_SOCK_ACCEPT,
      ]
    ) assertEquals(stat.rightsBase & right, right);
    assertEquals(stat.rightsInheriting & RIGHTS_FD_WRITE, RIGHTS_FD_WRITE);
  });
});

test("fd_fdstat_get: a connection can be read, written and polled, not accepted from", () => {
  withListener((program) => {
    const { fd } = program.accept(3);
    const { filetype, rightsBase } = program.fdstat(fd);
    assertEquals(filetype, FILETYPE_SOCKET_STREAM);
    for (
      const right of [RIGHTS_FD_READ, RIGHTS_FD_WRITE, RIGHTS_POLL_FD_READWRITE]
    ) assertEquals(rightsBase & right, right);
    assertEquals(rightsBase & RIGHTS_SOCK_ACCEPT, 0n);
    assertEquals(program.accept(fd).errno, "EINVAL");
  });
});

test("fd_fdstat_get: a datagram socket has its own type", () => {
  withPair((program) => {
    assertEquals(program.fdstat(3).filetype, FILETYPE_SOCKET_DGRAM);
  }, "datagram");
});

test("fd_filestat_get: it returns the type of a socket", () => {
  withPair((program) => {
    const at = program.allocate(64);
    program.must("fd_filestat_get", 3, at);
    assertEquals(program.view.getUint8(at + 16), FILETYPE_SOCKET_STREAM);
  });
});

test("sock_accept: NONBLOCK and an empty backlog are EAGAIN", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  runProgram({ sockets: [listener] }, (program) => {
    program.must("fd_fdstat_set_flags", 3, FDFLAGS_NONBLOCK);
    assertEquals(program.fdstat(3).flags, FDFLAGS_NONBLOCK);
    assertEquals(program.accept(3).errno, "EAGAIN");
  });
});

test("WasiHost: `nonblocking` sets NONBLOCK from the start", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [listener], nonblocking: true }, (program) => {
    assertEquals(program.fdstat(3).flags, FDFLAGS_NONBLOCK);
    assertEquals(program.accept(3).errno, "EAGAIN");
    client.connect(listener.localAddress);
    program.poll(onFd("read", 3));
    assertEquals(program.fdstat(program.accept(3).fd).flags, 0);
  });
});

test("sock_accept: the connection has the flags of the call", () => {
  withListener((program) => {
    const { fd } = program.accept(3, FDFLAGS_NONBLOCK);
    assertEquals(program.fdstat(fd).flags, FDFLAGS_NONBLOCK);
    assertEquals(program.fdstat(3).flags, 0);
    assertEquals(program.receive(fd).errno, "EAGAIN");
  });
});

test("sock_accept: other flags than NONBLOCK are EINVAL", () => {
  withListener((program) => {
    assertEquals(program.accept(3, 1).errno, "EINVAL");
  });
});

test("sock_accept: the connection does not inherit NONBLOCK", () => {
  withListener((program) => {
    program.must("fd_fdstat_set_flags", 3, FDFLAGS_NONBLOCK);
    program.poll(onFd("read", 3));
    assertEquals(program.fdstat(program.accept(3).fd).flags, 0);
  });
});

test("fd_fdstat_set_flags: other flags than NONBLOCK are EINVAL", () => {
  withPair((program) => {
    assertEquals(
      wasiErrnoName(program.call("fd_fdstat_set_flags", 3, 1)),
      "EINVAL",
    );
  });
});

test("fd_fdstat_set_flags: NONBLOCK does not change the host's socket", () => {
  withPair((program, peer) => {
    program.must("fd_fdstat_set_flags", 3, FDFLAGS_NONBLOCK);
    program.must("fd_fdstat_set_flags", 3, 0);
    peer.send(bytesOf("x"));
    assertEquals(program.receive(3).text, "x");
    assertEquals(peer.recv(new Uint8Array(1)), -1);
  });
});

for (const name of ["sock_send", "fd_write"] as const) {
  test(`${name}: the buffers are sent in their order`, () => {
    withPair((program, peer) => {
      const sent = program.send(3, ["one ", "", "two"], name);
      assertEquals(sent, { errno: "ESUCCESS", count: 7 });
      const buffer = new Uint8Array(16);
      assertEquals(peer.recv(buffer), 7);
      assertEquals(new TextDecoder().decode(buffer.slice(0, 7)), "one two");
    });
  });
}

for (const name of ["sock_recv", "fd_read"] as const) {
  test(`${name}: the buffers are filled in their order`, () => {
    withPair((program, peer) => {
      peer.send(bytesOf("abcdefg"));
      const { iovecs, pointers } = program.buffers(3, 2, 8);
      const stored = program.allocate(8);
      const rest = name === "sock_recv" ? [0, stored, stored + 4] : [stored];
      program.must(name, 3, iovecs, 3, ...rest);
      assertEquals(program.view.getUint32(stored, true), 7);
      assertEquals(
        pointers.map((at, index) => program.text(at, [3, 2, 2][index]!)),
        ["abc", "de", "fg"],
      );
      assertEquals(program.bytes[pointers[2]! + 2], 0);
    });
  });
}

test("sock_send: several buffers are one datagram", () => {
  withPair((program, peer) => {
    program.send(3, ["one ", "two"]);
    assertEquals(peer.recv(new Uint8Array(16)), 7);
  }, "datagram");
});

test("sock_recv: a truncated datagram is reported", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("abcdef"));
    peer.send(bytesOf("xyz"));
    const flags = ROFLAGS_RECV_DATA_TRUNCATED;
    assertEquals(program.receive(3, 4), {
      errno: "ESUCCESS",
      text: "abcd",
      flags,
    });
    assertEquals(program.receive(3, 3), {
      errno: "ESUCCESS",
      text: "xyz",
      flags: 0,
    });
  }, "datagram");
});

posixTest(
  "sock_recv, sock_send: a datagram of a Unix socket may be longer than any of UDP",
  () => {
    withPair(
      (program, peer) => {
        const half = "x".repeat(50_000);
        assertEquals(program.send(3, [half, half]).count, 100_000);
        assertEquals(peer.recv(new Uint8Array(200_000)), 100_000);

        peer.send(bytesOf(`${half}${half}`));
        const [event] = program.poll(onFd("read", 3));
        assertEquals(event?.nbytes, 100_000n);
        assertEquals(program.receive(3, 200_000).text, `${half}${half}`);
        peer.send(bytesOf(`${half}${half}`));
        const { text, flags } = program.receive(3, 80_000);
        assertEquals(text.length, 80_000);
        assertEquals(flags, ROFLAGS_RECV_DATA_TRUNCATED);
      },
      "datagram",
      16,
    );
  },
  {
    ignore: Deno.build.os !== "linux",
    reason: "macOS has datagrams of 2 KiB, Windows none of Unix sockets",
  },
);

test("sock_recv: PEEK does not consume bytes", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("abc"));
    assertEquals(program.receive(3, 2, RIFLAGS_RECV_PEEK).text, "ab");
    assertEquals(program.receive(3).text, "abc");
  });
});

posixTest("fd_read: without room for a byte it is 0 at once", () => {
  const [stdin, writer] = pipe();
  for (const type of ["stream", "datagram"] as const) {
    using pair = pairOf(type);
    // Neither has anything to read: any other call waits forever.
    runProgram({ stdin, sockets: [pair.left] }, (program) => {
      const { iovecs } = program.buffers(0, 0);
      const stored = program.allocate(4);
      for (const fd of [0, 3]) {
        for (const count of [0, 1, 2]) {
          program.view.setUint32(stored, 99, true);
          program.must("fd_read", fd, iovecs, count, stored);
          assertEquals(program.view.getUint32(stored, true), 0);
        }
      }
      assertEquals(program.call("fd_read", 1, iovecs, 1, stored), 8); // EBADF
    });
  }
  close(stdin);
  close(writer);
});

test("sock_recv: WAITALL returns less only at the end of file", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("abc"));
    assertEquals(program.receive(3, 3, RIFLAGS_RECV_WAITALL).text, "abc");
    peer.send(bytesOf("de"));
    peer.close();
    assertEquals(program.receive(3, 3, RIFLAGS_RECV_WAITALL).text, "de");
  });
});

test("sock_recv: WAITALL returns one datagram, and leaves the next ones", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("abc"));
    peer.send(bytesOf("defgh"));
    assertEquals(program.receive(3, 4, RIFLAGS_RECV_WAITALL).text, "abc");
    const { text, flags } = program.receive(3, 4, RIFLAGS_RECV_WAITALL);
    assertEquals([text, flags], ["defg", ROFLAGS_RECV_DATA_TRUNCATED]);
  }, "datagram");
});

posixTest(
  "sock_recv: WAITALL returns the bytes before an error, which the next call reports",
  () => {
    withPair((program, peer) => {
      // A close with unread data is a reset for the other side.
      program.send(3, ["unread"]);
      peer.send(bytesOf("abc"));
      peer.close();
      assertEquals(program.receive(3, 4, RIFLAGS_RECV_WAITALL).text, "abc");
      assertEquals(program.receive(3).errno, "ECONNRESET");
      assertEquals(program.receive(3), {
        errno: "ESUCCESS",
        text: "",
        flags: 0,
      });
    });
  },
  { reason: "Winsock drops received bytes at a reset" },
);

test("sock_recv, sock_send: unknown flags are EINVAL", () => {
  withPair((program) => {
    assertEquals(program.receive(3, 1, 4).errno, "EINVAL");
    const { iovecs } = program.buffers(1);
    assertEquals(
      wasiErrnoName(program.call("sock_send", 3, iovecs, 1, 1, 0)),
      "EINVAL",
    );
  });
});

test("sock_send: NONBLOCK sends as many bytes as fit, then EAGAIN", () => {
  withPair(
    (program) => {
      program.must("fd_fdstat_set_flags", 3, FDFLAGS_NONBLOCK);
      const text = "x".repeat(30_000);
      // More than TCP has room for, whose sockets are the pairs of Windows.
      const results = Array.from(
        { length: 640 },
        () => program.send(3, [text]),
      );
      const last = results.at(-1)!;
      assertEquals(last.errno, "EAGAIN");
      assert(results.some(({ count }) => count > 0));
    },
    "stream",
    640,
  );
});

test("sock_send: a closed peer is an error, without a signal", () => {
  withPair((program, peer) => {
    peer.close();
    let { errno } = program.send(3, ["x"]);
    // The pairs of Windows are of TCP, which learns by a send that the peer is gone.
    for (let sends = 0; errno === "ESUCCESS" && sends < 1000; sends++) {
      ({ errno } = program.send(3, ["x"]));
    }
    const errors = anyFile ? ["EPIPE"] : ["ECONNRESET", "ECONNABORTED"];
    assertEquals(errors.includes(errno), true, errno);
  });
});

test("sock_shutdown: it ends the sending direction", () => {
  withPair((program, peer) => {
    program.must("sock_shutdown", 3, SDFLAGS_WR);
    assertEquals(peer.recv(new Uint8Array(1)), 0);
    peer.send(bytesOf("x"));
    assertEquals(program.receive(3).text, "x");
    assertEquals(program.send(3, ["x"]).errno, "EPIPE");
  });
});

test("sock_shutdown: it ends the receiving direction", () => {
  withPair((program) => {
    program.must("sock_shutdown", 3, SDFLAGS_RD);
    assertEquals(program.receive(3), {
      errno: "ESUCCESS",
      text: "",
      flags: 0,
    });
  });
}, {
  ignore: !anyFile,
  reason: "Winsock has an error for a receive after that, no end of file",
});

test("sock_shutdown: no direction is EINVAL", () => {
  withPair((program) => {
    for (const how of [0, 4, -1]) {
      assertEquals(
        wasiErrnoName(program.call("sock_shutdown", 3, how)),
        "EINVAL",
      );
    }
  });
});

test("fd_close: it closes a socket and frees its number", () => {
  withPair((program, peer) => {
    program.must("fd_close", 3);
    assertEquals(peer.recv(new Uint8Array(1)), 0);
    assertEquals(wasiErrnoName(program.call("fd_close", 3)), "EBADF");
    assertEquals(program.receive(3).errno, "EBADF");
  });
});

test("fd_renumber: a socket replaces another, which is closed", () => {
  using first = pairOf();
  using second = pairOf();
  runProgram({ sockets: [first.left, second.left] }, (program) => {
    program.must("fd_renumber", 3, 4);
    assertEquals(second.right.recv(new Uint8Array(1)), 0);
    first.right.send(bytesOf("x"));
    assertEquals(program.receive(4).text, "x");
    assertEquals(program.receive(3).errno, "EBADF");
  });
});

posixTest("fd_renumber: a socket replaces a standard stream", () => {
  const [reader, writer] = pipe();
  using pair = pairOf();
  runProgram({ sockets: [pair.left], stdout: writer }, (program) => {
    program.must("fd_renumber", 3, 1);
    program.send(1, ["out"], "fd_write");
    assertEquals(pair.right.recv(new Uint8Array(8)), 3);
  });
  assertEquals(read(reader, new Uint8Array(8)), -1);
  close(reader);
  close(writer);
});

/** Runs a program with a directory as 3, a socket as 4, and a file of the directory as 5. */
async function withFile(
  body: (program: GuestProgram, peer: Socket) => void,
): Promise<string> {
  const directory = await Deno.makeTempDir();
  using pair = pairOf();
  const options = { preopens: { "/": directory }, sockets: [pair.left] };
  try {
    runProgram(options, (program) => {
      assertEquals(openFile(program, 3), 5);
      body(program, pair.right);
    });
    return await Deno.readTextFile(`${directory}/file`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Opens a file to write and read it, and makes it if need be. */
function openFile(program: GuestProgram, directory: number): number {
  const name = program.allocate(8);
  program.write(name, "file");
  const stored = program.allocate(8);
  const rights = RIGHTS_FD_READ | RIGHTS_FD_WRITE;
  program.must(
    "path_open",
    ...[directory, 0, name, 4, 1, rights, 0n, 0, stored],
  );
  return program.view.getUint32(stored, true);
}

posixTest(
  "fd_renumber: a socket replaces a file, which is closed",
  async () => {
    const text = await withFile((program, peer) => {
      program.must("fd_renumber", 4, 5);
      assertEquals(program.send(5, ["socket"]).count, 6);
      assertEquals(peer.recv(new Uint8Array(8)), 6);
      assertEquals(program.receive(4).errno, "EBADF");
      // The number that is free now is the next one's.
      assertEquals(openFile(program, 3), 4);
      assertEquals(program.send(4, ["file"], "fd_write").count, 4);
      peer.send(bytesOf("x"));
      assertEquals(program.poll(onFd("read", 5)).length, 1);
    });
    assertEquals(text, "file");
  },
  NEEDS_DIRECTORIES,
);

posixTest(
  "fd_renumber: a file replaces a socket, which is closed",
  async () => {
    const text = await withFile((program, peer) => {
      // Waited for once, so that the number has a past.
      program.poll(onFd("write", 4));
      program.must("fd_renumber", 5, 4);
      assertEquals(peer.recv(new Uint8Array(1)), 0);
      assertEquals(program.send(4, ["file"], "fd_write").count, 4);
      assertEquals(program.receive(4).errno, "ENOTSOCK");
      assertEquals(program.poll(onFd("read", 4)).length, 1);
      assertEquals(program.receive(5).errno, "EBADF");
    });
    assertEquals(text, "file");
  },
  NEEDS_DIRECTORIES,
);

posixTest(
  "fd_renumber: a file replaces standard output, and a directory a socket",
  async () => {
    const text = await withFile((program, peer) => {
      program.must("fd_renumber", 5, 1);
      assertEquals(program.send(1, ["out"], "fd_write").count, 3);
      program.must("fd_renumber", 3, 4);
      assertEquals(peer.recv(new Uint8Array(1)), 0);
      assertEquals(openFile(program, 4), 3);
    });
    assertEquals(text, "out");
  },
  NEEDS_DIRECTORIES,
);

test("fd_renumber: a closed number is EBADF", () => {
  withPair((program, peer) => {
    for (const [from, to] of [[3, 9], [9, 3], [-1, 3], [3, -1]]) {
      assertEquals(
        wasiErrnoName(program.call("fd_renumber", from, to)),
        "EBADF",
      );
    }
    program.must("fd_renumber", 3, 3);
    peer.send(bytesOf("x"));
    assertEquals(program.receive(3).text, "x");
  });
});

test("fd_*: each call for files returns its error on a socket", () => {
  withPair((program) => {
    const at = program.allocate(64);
    const errno = (name: string, ...args: unknown[]): string =>
      wasiErrnoName(program.call(name, ...args));
    assertEquals(errno("fd_seek", 3, 0n, 0, at), "ESPIPE");
    assertEquals(errno("fd_tell", 3, at), "ESPIPE");
    assertEquals(errno("fd_pread", 3, at, 0, 0n, at), "ESPIPE");
    assertEquals(errno("fd_readdir", 3, at, 8, 0n, at), "ENOTDIR");
    assertEquals(
      errno("path_open", 3, 0, at, 1, 0, 0n, 0n, 0, at),
      "ENOTDIR",
    );
  });
});

test("sock_*: a standard stream is ENOTSOCK", () => {
  runProgram({}, (program) => {
    assertEquals(program.receive(0).errno, "ENOTSOCK");
    assertEquals(program.accept(0).errno, "ENOTSOCK");
  });
});

posixTest("WasiHost: a program can use directories and sockets", async () => {
  const directory = await Deno.makeTempDir();
  using pair = pairOf();
  const options = { preopens: { "/": directory }, sockets: [pair.left] };
  runProgram(options, (program) => {
    const fd = openFile(program, 3);
    // 4 is the socket: node:wasi, which does not know it, had given that number.
    assertEquals(fd, 5);
    assertEquals(program.send(fd, ["text"], "fd_write").count, 4);
    program.must("fd_close", fd);
    assertEquals(openFile(program, 3), 5);
    const { iovecs, pointers } = program.buffers(8);
    program.must("fd_read", 5, iovecs, 1, program.allocate(4));
    assertEquals(program.text(pointers[0]!, 4), "text");
  });
  assertEquals(await Deno.readTextFile(`${directory}/file`), "text");
  await Deno.remove(directory, { recursive: true });
}, NEEDS_DIRECTORIES);

test("WasiHost: the end closes the program's connections, not the host's sockets", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [listener] }, (program) => {
    client.connect(listener.localAddress);
    assertEquals(program.accept(3).errno, "ESUCCESS");
  });
  assertEquals(client.recv(new Uint8Array(1)), 0);
  assertEquals(listener.getOption("acceptsConnections"), true);
});

test("proc_exit: it ends the program with its code, not Deno", () => {
  assertEquals(
    runProgram({}, (program) => {
      program.call("proc_exit", 7);
    }),
    7,
  );
});

test("WasiHost.start: it throws the error of a trap", () => {
  assertThrows(
    () =>
      runProgram({}, () => {
        throw new WebAssembly.RuntimeError("unreachable");
      }),
    WebAssembly.RuntimeError,
  );
});

test("WasiHost: a program gets its arguments and its environment", () => {
  runProgram({ args: ["echo", "-v"], env: { NAME: "value" } }, (program) => {
    const at = program.allocate(8);
    program.must("args_sizes_get", at, at + 4);
    assertEquals(program.view.getUint32(at, true), 2);
    program.must("environ_sizes_get", at, at + 4);
    assertEquals(program.view.getUint32(at, true), 1);
  });
});

test("WasiHost: a host runs one program only", () => {
  const host = new WasiHost();
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = { exports: { memory, _start(): void {} } };
  host.start(instance);
  assertThrows(() => host.start(instance), TypeError, "one program");
});

test("WasiHost: an instance without a memory or a _start is refused", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  assertThrows(
    () => new WasiHost().start({ exports: { _start(): void {} } }),
    TypeError,
    "no memory",
  );
  assertThrows(
    () => new WasiHost().start({ exports: { memory } }),
    TypeError,
    "no _start",
  );
});

posixTest("fd_write: a full pipe is EAGAIN only with NONBLOCK", () => {
  const [reader, writer] = pipe();
  fillSocket(writer);
  runProgram({ stdout: writer }, (program) => {
    program.must("fd_fdstat_set_flags", 1, FDFLAGS_NONBLOCK);
    assertEquals(program.send(1, ["x"], "fd_write").errno, "EAGAIN");
  });
  close(reader);
  close(writer);
});

posixTest("fd_write: a blocking pipe takes as many bytes as fit", () => {
  const [reader, writer] = pipe();
  setBlocking(writer, true);
  runProgram({ stdout: writer }, (program) => {
    program.must("fd_fdstat_set_flags", 1, FDFLAGS_NONBLOCK);
    const { iovecs } = program.buffers(500_000);
    const stored = program.allocate(4);
    let written = 0;
    while (program.call("fd_write", 1, iovecs, 1, stored) === 0) {
      written += program.view.getUint32(stored, true);
    }
    assert(written > 0 && written < 500_000, `${written}`);
  }, 16);
  close(reader);
  close(writer);
});

/** A socket as on macOS, which has no SO_ACCEPTCONN. */
function withoutAcceptsConnections(socket: Socket): Socket {
  const getOption = socket.getOption.bind(socket);
  return Object.assign(socket, {
    getOption(name: Parameters<typeof getOption>[0]): unknown {
      if (name === "acceptsConnections") throw systemError("getsockopt", 92);
      return getOption(name);
    },
  }) as Socket;
}

test("WasiHost: without SO_ACCEPTCONN, an address without a peer means a listener", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create("IPv4", "stream");
  using fresh = Socket.create("IPv4", "stream");
  using pair = pairOf("datagram");
  client.connect(listener.localAddress);
  const sockets = [listener, client, fresh, pair.left]
    .map(withoutAcceptsConnections);
  runProgram({ sockets }, (program) => {
    const accepts = [3, 4, 5, 6].map((fd) =>
      (program.fdstat(fd).rightsBase & RIGHTS_SOCK_ACCEPT) !== 0n
    );
    assertEquals(accepts, [true, false, false, false]);
    assertEquals(program.accept(3).errno, "ESUCCESS");
  });
});

test("sock_accept: at the limit of descriptors it is EMFILE, and the connection stays queued", () => {
  using listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [listener], maximumDescriptors: 4 }, (program) => {
    client.connect(listener.localAddress);
    assertEquals(program.accept(3).errno, "EMFILE");
    program.must("fd_close", 2);
    assertEquals(program.accept(3), { errno: "ESUCCESS", fd: 2 });
  });
  assertThrows(() => new WasiHost({ maximumDescriptors: 0 }), RangeError);
});
