/**
 * Accepting: one and many, what fails, and what has to survive it.
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
import { bytesOf, denoProgram, PATIENCE, test } from "../util.ts";
import { codeOf, Log, onAnyBackend, onEachBackend, textOf } from "./stage.ts";

onEachBackend(
  "a connection is accepted with its addresses, and does not block [I01]",
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

onEachBackend("many are accepted in one turn, but not all [I02]", (stage) => {
  let accepted = 0;
  const acceptor = stage.listen(() => accepted++);
  for (let count = 0; count < 100; count++) stage.dial(acceptor.address);
  stage.reactor.runOnce();
  assert(accepted > 1 && accepted < 100, String(accepted));
  stage.until(() => accepted === 100, "the others");
});

onEachBackend(
  "a listener may be closed by its callback: who was accepted lives on [I09]",
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
  "a client that was reset before it is accepted just ends [I07]",
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
  "a delayed accept finds what was sent meanwhile, and its end [I08]",
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
  "a port in use is AddrInUse; port 0 is told; a closed port is free again [I10]",
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
  "an address is of the kind that the options name, also by its type",
  (stage) => {
    const { reactor } = stage;
    const path = stage.path();
    const onPort = reactor.listen({ hostname: "::1", port: 0 }, () => {});
    assert(onPort.address.port > 0);
    assertEquals(onPort.address.hostname, "::1");
    const onPath = reactor.listen({ path }, () => {});
    assertEquals(onPath.address.path, path);
    // Of a variable, the type may not know which.
    const options: ListenOptions = { port: 0 };
    const onEither: Acceptor = reactor.listen(options, () => {});
    assert("port" in onEither.address);
    for (const acceptor of [onPort, onPath, onEither]) acceptor.close();
  },
);

onAnyBackend(
  "what cannot be listened on is refused beforehand [I11]",
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
  "a dual-stack listener hears IPv4, an IPv6 one does not [I13]",
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
  "a path that a dead server left is taken over, a file is not [I14]",
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
);

onAnyBackend(
  "close() of a Unix listener removes its file, as Deno's does",
  (stage) => {
    const path = stage.path();
    stage.reactor.listen({ path }, () => {}).close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
    const listener = stage.reactor.net.listen({ path, transport: "unix" });
    listener.close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
);

onAnyBackend(
  "close() of a Unix listener leaves what its next owner has put at the path",
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
);

onAnyBackend(
  "a listener in the abstract namespace has no file, and a datagram socket keeps its own",
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
);

onAnyBackend(
  "a reactor that is closed removes the files of its listeners",
  (stage) => {
    const path = stage.path();
    const reactor = new Reactor();
    reactor.listen({ path }, () => {});
    reactor.close();
    assertThrows(() => Deno.lstatSync(path), Deno.errors.NotFound);
  },
);

onAnyBackend(
  "a throwing onConnection loses that connection alone [F14]",
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

/** Has the next accept(2) fail, as the system would if it were in the need. */
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
  "what concerns one connection that is gone is passed over, and not told [I05]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    for (const code of ["ECONNABORTED", "EPERM", "EPROTO"]) {
      failNextAccept(acceptor, acceptError(code));
      const before = accepted;
      stage.dial(acceptor.address);
      stage.until(() => accepted > before, `the one after ${code}`);
    }
    assertEquals(stage.reactor.stats().acceptBackOffs, 0);
  },
);

onEachBackend(
  "whatever the system has run out of, accepting waits, is told, and goes on [I05]",
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
      const failure = acceptError(code);
      failNextAccept(acceptor, failure);
      stage.dial(acceptor.address);
      stage.until(() => acceptor.closed, `the end after ${code}`);
      assertEquals(stage.errors.splice(0), [failure]);
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
  { ignore: Deno.build.os !== "linux" },
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
  "an error that nobody thought of is told, and the listener lives on [I06]",
  (stage) => {
    let accepted = 0;
    const acceptor = stage.listen(() => accepted++);
    for (const failure of [acceptError("EIO"), new Error("unheard of")]) {
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
  "a listener can neither send nor receive, and listens on after the attempt [I12]",
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
      assert(["EPIPE", "ENOTCONN"].includes(codeOf(error)), codeOf(error));
    }
    stage.dial(acceptor.address);
    stage.until(() => accepted === 1, "a connection");
  },
);

/** A server that may have few descriptors, and says how it fares. */
const STARVING = `
  import { Reactor } from "${new URL("../../mod.ts", import.meta.url)}";
  const told = [];
  const reactor = new Reactor({ onError: (error) => told.push(error.code) });
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
    console.log(JSON.stringify({ told, acceptBackOffs }));
    // The first of them stays, to be asked whether it is still served.
    for (const peer of open.splice(1)) peer.close();
    seen = acceptBackOffs;
  });
  reactor.run();
`;

test(
  "out of descriptors a listener waits, tells it once, hurts nobody, and goes on [I03] [I04]",
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
      // Whoever was accepted before is still served.
      await clients[0]!.write(new TextEncoder().encode("hello"));
      const buffer = new Uint8Array(16);
      const count = await clients[0]!.read(buffer);
      assertEquals(textOf(buffer.subarray(0, count!)), "hello");
      const report = JSON.parse((await lines.read()).value!.split("\n")[0]!);
      assertEquals(report.told, ["EMFILE"]);
      assert(report.acceptBackOffs < 20, "it spins");
      // Those who waited are accepted once there is room.
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
);
