/**
 * Accepting connections: one, many, and under failures.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import {
  type Acceptor,
  type Connection,
  type ListenOptions,
  Reactor,
} from "../../reactor/mod.ts";
import { close } from "../../backends/ffi/descriptor.ts";
import {
  bytesOf,
  denoProgram,
  NEEDS_UNIX_SOCKETS,
  ONLY_LINUX,
  openFds,
  PATIENCE,
  posixTest,
} from "../util.ts";
import { codeOf, Log, onAnyBackend, onEachBackend, textOf } from "./stage.ts";

onEachBackend(
  "Acceptor: a connection has its addresses, and is non-blocking [I01]",
  (stage) => {
    const accepted: Connection[] = [];
    const acceptor = stage.listen((connection) => accepted.push(connection));
    const peer = stage.dial(acceptor.address);
    stage.until(() => accepted.length === 1, "the connection");
    const [connection] = accepted;
    assertEquals(connection!.remoteAddress, peer.socket.localAddress);
    assertEquals(connection!.localAddress, peer.socket.remoteAddress);
    assertEquals(connection!.socket.recv(new Uint8Array(1)), -1);
    stage.turns();
    assertEquals(accepted.length, 1);
  },
);

onEachBackend(
  "Acceptor: accepts many connections in one iteration, but not all [I02]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    for (let count = 0; count < 100; count++) stage.dial(acceptor.address);
    stage.reactor.runOnce();
    assert(accepted > 1 && accepted < 100, String(accepted));
    stage.until(() => accepted === 100, "the others");
  },
);

onEachBackend(
  "Acceptor: may be closed by its callback, and accepted connections stay open [I09]",
  (stage) => {
    const log = new Log();
    const acceptor = stage.listen((connection) => {
      log.watch(connection);
      acceptor.close();
    });
    const { address } = acceptor;
    const peer = stage.dial(address);
    stage.until(() => acceptor.closed, "the close");
    peer.send("hello");
    stage.until(() => log.lines.length === 1, "the message");
    assertEquals(log.lines, ["data hello"]);
    assertThrows(() => {
      const late = stage.dial(address);
      stage.until(() => late.socket.takeError() !== null, "the refusal");
      throw new Deno.errors.ConnectionRefused();
    }, Deno.errors.ConnectionRefused);
  },
);

onEachBackend(
  "Acceptor: a connection that was reset in the backlog ends like any other [I07]",
  (stage) => {
    const log = new Log();
    let accepted = 0;
    const acceptor = stage.listen((connection) => {
      accepted++;
      log.watch(connection);
    });
    stage.dial(acceptor.address).reset();
    const other = stage.dial(acceptor.address);
    other.send("hello");
    stage.until(() => log.lines.includes("data hello"), "the one that stayed");
    assertEquals(stage.errors, []);
    assert(accepted <= 2);
  },
);

onEachBackend(
  "Acceptor: a connection that waited in the backlog has its data and its end [I08]",
  (stage) => {
    const log = new Log();
    const acceptor = stage.listen((connection) => log.watch(connection));
    acceptor.pause();
    const peer = stage.dial(acceptor.address);
    peer.send("early");
    peer.end();
    stage.turns();
    assertEquals(log.lines, []);
    acceptor.resume();
    stage.until(() => log.lines.length >= 2, "the end");
    assertEquals(log.lines.slice(0, 2), ["data early", "end"]);
  },
);

onAnyBackend(
  "Reactor.listen: a port in use is AddrInUse, port 0 is reported, a closed port is free [I10]",
  (stage) => {
    const first = stage.listen(() => {});
    const { hostname, port } = first.address;
    assert(port > 0);
    const again = (): void => {
      stage.reactor.listen({ hostname, port }, () => {}).close();
    };
    const name = `: bind 127.0.0.1:${port}`;
    assertThrows(again, Deno.errors.AddrInUse, name);
    first.close();
    again();
    again();
  },
);

onAnyBackend(
  "Acceptor.address: is of the kind that the options name, also by its type",
  (stage) => {
    const { reactor } = stage;
    const path = stage.path();
    const onPort = reactor.listen({ hostname: "::1", port: 0 }, () => {});
    assert(onPort.address.port > 0);
    assertEquals(onPort.address.hostname, "::1");
    const onPath = reactor.listen({ path }, () => {});
    assertEquals(onPath.address.path, path);
    // The type of a variable may cover both.
    const options: ListenOptions = { port: 0 };
    const onEither: Acceptor = reactor.listen(options, () => {});
    assert("port" in onEither.address);
    for (const acceptor of [onPort, onPath, onEither]) acceptor.close();
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.listen: refuses a malformed or unavailable address [I11]",
  (stage) => {
    const { reactor } = stage;
    const nothing = (): void => {};
    assertThrows(() => reactor.listen({}, nothing), TypeError);
    assertThrows(
      () => reactor.listen({ port: 1, path: "/tmp/x" }, nothing),
      TypeError,
    );
    assertThrows(() => reactor.listen({ port: 70000 }, nothing), RangeError);
    assertThrows(
      () => reactor.listen({ port: 0, hostname: "999.1.1.1" }, nothing),
      TypeError,
    );
    assertThrows(
      () => reactor.listen({ port: 0, hostname: "192.0.2.1" }, nothing),
      Deno.errors.AddrNotAvailable,
    );
    assertThrows(
      () => reactor.listen({ port: 0, backlog: -1 }, nothing),
      RangeError,
    );
  },
);

onAnyBackend(
  'Reactor.listen: "::" accepts IPv4 too, unless ipv6Only is set [I13]',
  (stage) => {
    let accepted = 0;
    const both = stage.reactor.listen(
      { hostname: "::", port: 0 },
      () => accepted++,
    );
    const { port } = both.address;
    stage.dial({ hostname: "127.0.0.1", port });
    stage.dial({ hostname: "::1", port });
    stage.until(() => accepted === 2, "both");
    const one = stage.reactor.listen(
      { hostname: "::", port: 0, ipv6Only: true },
      () => {},
    );
    assertThrows(
      () =>
        stage.dial({
          hostname: "127.0.0.1",
          port: one.address.port,
        }),
      Deno.errors.ConnectionRefused,
    );
  },
);

onAnyBackend(
  "Reactor.listen: replaces a stale socket at the path, but no other file [I14]",
  (stage) => {
    const path = stage.path();
    const { reactor } = stage;
    let accepted = 0;
    stage.deadServer(path);
    const second = reactor.listen({ path }, () => accepted++);
    assertThrows(
      () => reactor.listen({ path }, () => {}),
      Deno.errors.AddrInUse,
    );
    stage.dial({ path });
    stage.until(() => accepted === 1, "a client by the path");
    second.close();
    Deno.writeTextFileSync(path, "precious");
    assertThrows(
      () => reactor.listen({ path }, () => {}),
      Deno.errors.AddrInUse,
    );
    assertEquals(Deno.readTextFileSync(path), "precious");
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Acceptor.close: removes the file of a Unix socket, as Deno does",
  (stage) => {
    const path = stage.path();
    stage.reactor.listen({ path }, () => {}).close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
    const listener = stage.reactor.net.listen({ path, transport: "unix" });
    listener.close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Acceptor.close: leaves a file that has replaced its own",
  (stage) => {
    const path = stage.path();
    const first = stage.reactor.listen({ path }, () => {});
    Deno.removeSync(path);
    let accepted = 0;
    const second = stage.reactor.listen({ path }, () => accepted++);
    first.close();
    stage.dial({ path });
    stage.until(() => accepted === 1, "a client of the next owner");
    second.close();
    const third = stage.reactor.listen({ path }, () => {});
    Deno.removeSync(path);
    Deno.writeTextFileSync(path, "precious");
    third.close();
    assertEquals(Deno.readTextFileSync(path), "precious");
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Acceptor.close: removes nothing for an abstract name, nor for a datagram socket",
  (stage) => {
    const path = stage.path();
    const name = `\0pollux-${Deno.pid}`;
    Deno.writeTextFileSync(path, "");
    if (Deno.build.os === "linux") {
      stage.reactor.listen({ path: name }, () => {}).close();
    }
    Deno.removeSync(path);
    stage.reactor.datagram({ path }).close();
    assert(Deno.lstatSync(path).isSocket);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Reactor.close: removes the files of its listeners",
  (stage) => {
    const path = stage.path();
    const reactor = new Reactor();
    reactor.listen({ path }, () => {});
    reactor.close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "Acceptor: if onConnection throws, only that connection is closed [F14]",
  (stage) => {
    const log = new Log();
    let count = 0;
    const acceptor = stage.listen((connection) => {
      if (count++ === 0) throw new Error("not this one");
      log.watch(connection);
    });
    const first = stage.dial(acceptor.address);
    const second = stage.dial(acceptor.address);
    second.send("hello");
    stage.until(() => log.lines.length > 0, "the second");
    assertEquals(stage.takeErrors(), ["not this one"]);
    assertEquals(first.read().length, 0);
  },
);

/** Makes the next accept(2) fail. */
function failNextAccept({ socket }: Acceptor, failure: Error): void {
  const { accept } = socket;
  socket.accept = (): never => {
    socket.accept = accept;
    throw failure;
  };
}

function acceptError(code: string): Error {
  return systemError("accept", system().errno[code]!);
}

onEachBackend(
  "Acceptor: skips a failed connection without a report [I05]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    const codes = ["ECONNABORTED", "EPERM", "EPROTO"];
    // Windows has no EPROTO.
    for (const code of codes.filter((code) => code in system().errno)) {
      failNextAccept(acceptor, acceptError(code));
      const before = accepted;
      stage.dial(acceptor.address);
      stage.until(() => accepted > before, `the one after ${code}`);
    }
    assertEquals(stage.reactor.stats().acceptBackOffs, 0);
  },
);

onEachBackend(
  "Acceptor: pauses in a shortage, reports it, and accepts again [I05]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    const codes = ["ENFILE", "ENOBUFS", "ENOMEM"];
    for (const code of codes) {
      failNextAccept(acceptor, acceptError(code));
      const before = accepted;
      stage.dial(acceptor.address);
      stage.until(() => stage.errors.length > 0, `the ${code}`);
      assertEquals(accepted, before);
      stage.until(() => accepted > before, `the one after ${code}`);
      assertEquals(
        stage.errors.splice(0).map((error) => codeOf(error as Error)),
        [code],
      );
    }
    assertEquals(stage.reactor.stats().acceptBackOffs, codes.length);
  },
);

onAnyBackend(
  "Acceptor: is closed and reports the error when its socket can accept no more",
  (stage) => {
    for (const code of ["EBADF", "ENOTSOCK", "EINVAL"]) {
      const acceptor = stage.listen(() => {});
      const { fd } = acceptor;
      const failure = acceptError(code);
      failNextAccept(acceptor, failure);
      stage.dial(acceptor.address);
      stage.until(() => acceptor.closed, `the end after ${code}`);
      assertEquals(stage.errors.splice(0), [failure]);
      // A number that was lost may belong to another file, which stays open.
      const isLost = code !== "EINVAL";
      assertEquals(openFds().has(fd), isLost);
      if (isLost) close(fd);
    }
    assertEquals(stage.reactor.stats().acceptBackOffs, 0);
  },
);

onAnyBackend(
  "Acceptor: is closed after shutdown(2) of its socket, which would be ready for ever",
  (stage) => {
    const acceptor = stage.listen(() => {});
    acceptor.socket.shutdown("read");
    stage.until(() => acceptor.closed, "the end of the listener");
    assertEquals(
      stage.errors.splice(0).map((error) => codeOf(error as Error)),
      ["EINVAL"],
    );
  },
  // The BSDs do not shut a listening socket down.
  ONLY_LINUX,
);

onAnyBackend(
  "Acceptor: pauses when 64 connections in a row have failed",
  (stage) => {
    const acceptor = stage.listen(() => {});
    const { socket } = acceptor;
    const failure = acceptError("EOPNOTSUPP");
    let attempts = 0;
    socket.accept = (): never => {
      attempts++;
      throw failure;
    };
    stage.dial(acceptor.address);
    stage.until(() => stage.errors.length > 0, "the report");
    assertEquals(attempts, 64);
    assertEquals(stage.errors.splice(0), [failure]);
    assertEquals(stage.reactor.stats().acceptBackOffs, 1);
  },
);

onAnyBackend(
  "Acceptor: an unreferenced one does not keep run() alive while it rests",
  (stage) => {
    const acceptor = stage.listen(() => {});
    acceptor.socket.accept = (): never => {
      throw acceptError("ENFILE");
    };
    stage.dial(acceptor.address);
    stage.until(() => stage.errors.length > 0, "the report");
    stage.errors.splice(0);
    acceptor.unref();
    let hangs = false;
    stage.reactor.callLater(PATIENCE, () => {
      hangs = true;
      stage.reactor.stop();
    }).unref();
    stage.reactor.run();
    assert(!hangs);
  },
);

onEachBackend(
  "Acceptor: pauses after an unknown error, reports it, and accepts again [I06]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    for (const failure of [acceptError("EIO"), new Error("unknown")]) {
      failNextAccept(acceptor, failure);
      const before = accepted;
      stage.dial(acceptor.address);
      stage.until(() => accepted > before, "the one after it");
      assertEquals(stage.errors.splice(0), [failure]);
    }
    assert(!acceptor.closed);
  },
);

onEachBackend(
  "Acceptor: a send or a receive on its socket fails, and it still accepts [I12]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    const { socket } = acceptor;
    for (
      const attempt of [
        () => socket.send(bytesOf("x")),
        () => socket.recv(new Uint8Array(1)),
      ]
    ) {
      const error = assertThrows(attempt, Error);
      // Wine reports a receive as ECONNRESET.
      const expected = ["EPIPE", "ENOTCONN", "ECONNRESET"];
      assert(expected.includes(codeOf(error)), codeOf(error));
    }
    stage.dial(acceptor.address);
    stage.until(() => accepted === 1, "a connection");
  },
);

/** A server with few descriptors, which prints its errors and pauses. */
const STARVING = `
  import { Reactor } from "${new URL("../../mod.ts", import.meta.url)}";
  const codes = [];
  const reactor = new Reactor({ onError: (error) => codes.push(error.code) });
  const open = [];
  const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
    open.push(peer);
    peer.onData = (chunk) => peer.write(chunk);
  });
  console.log(server.address.port);
  let seen = 0;
  reactor.callEvery(20, () => {
    const { acceptBackOffs } = reactor.stats();
    if (acceptBackOffs === seen) return;
    console.log(JSON.stringify({ codes, acceptBackOffs }));
    // The first one stays open, to check that it is still served.
    for (const peer of open.splice(1)) peer.close();
    seen = acceptBackOffs;
  });
  reactor.run();
`;

posixTest(
  "Acceptor: without a free descriptor it pauses, reports it once, serves on, and recovers [I03] [I04]",
  async () => {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, STARVING);
    const command = `ulimit -n 64; exec "$0" run --no-check --allow-ffi "$1"`;
    const child = new Deno.Command("sh", {
      args: ["-c", command, denoProgram(), file],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const clients: Deno.TcpConn[] = [];
    try {
      const port = Number((await lines.read()).value);
      for (let count = 0; count < 90; count++) {
        clients.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      }
      // Connections that were accepted before are still served.
      await clients[0]!.write(new TextEncoder().encode("hello"));
      const buffer = new Uint8Array(16);
      const count = await clients[0]!.read(buffer);
      assertEquals(textOf(buffer.subarray(0, count!)), "hello");
      const report = JSON.parse((await lines.read()).value!.split("\n")[0]!);
      assertEquals(report.codes, ["EMFILE"]);
      assert(report.acceptBackOffs < 20, "it spins");
      // Connections from the backlog are accepted once there is room.
      const last = clients.at(-1)!;
      await last.write(new TextEncoder().encode("x"));
      await last.read(buffer);
    } finally {
      for (const client of clients) client.close();
      child.kill("SIGKILL");
      await child.status;
      await lines.cancel();
      await Deno.remove(file);
    }
  },
  { reason: "Windows has no limit of open descriptors" },
);

onAnyBackend("Acceptor: onClose is called once, from the loop", (stage) => {
  const calls: unknown[] = [];
  const acceptor = stage.listen(() => {});
  acceptor.onClose = (error) => calls.push(error);
  acceptor.close();
  acceptor.close();
  assertEquals(calls, []);
  stage.turns();
  assertEquals(calls, [undefined]);
});

onAnyBackend("Acceptor: onClose is called when the reactor is closed", () => {
  let calls = 0;
  const reactor = new Reactor();
  reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {})
    .onClose = () => calls++;
  reactor.close();
  assertEquals(calls, 1);
});

onAnyBackend(
  "Acceptor: onClose gets the error of a socket that cannot accept",
  (stage) => {
    const errors: (Error | undefined)[] = [];
    const acceptor = stage.listen(() => {});
    acceptor.onClose = (error) => errors.push(error);
    acceptor.socket.accept = () => {
      throw systemError("accept", system().errno.EINVAL!);
    };
    stage.dial(acceptor.address);
    stage.until(() => errors.length > 0, "onClose");
    assertEquals(errors.map((error) => codeOf(error!)), ["EINVAL"]);
    assertEquals(
      stage.errors.splice(0).map((error) => codeOf(error as Error)),
      [
        "EINVAL",
      ],
    );
  },
);
