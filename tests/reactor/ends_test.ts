/**
 * Ends of a connection by two causes at once, or by rare errors of the system; and
 * that an end is final.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import type { SocketAddress } from "../../backends/ffi/mod.ts";
import type { Connection, ListenOptions, Reactor } from "../../reactor/mod.ts";
import { bytesOf, NEEDS_POSIX, NEEDS_UNIX_SOCKETS, openFds } from "../util.ts";
import {
  codeOf,
  isPattern,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Peer,
  type Stage,
} from "./stage.ts";

/** Waits for the next event at a peer: bytes, the end of file, or an error. */
function next(stage: Stage, peer: Peer): string {
  let event: string | undefined;
  const buffer = new Uint8Array(64);
  stage.until(() => {
    try {
      const count = peer.socket.recv(buffer);
      if (count >= 0) event = count === 0 ? "end" : `${count} bytes`;
    } catch (error) {
      event = codeOf(error as Error);
    }
    return event !== undefined;
  }, "an event at the peer");
  return event!;
}

onEachBackend(
  "end(): nothing is written after it, and close() ends the connection once [K16]",
  (stage) => {
    for (const size of [4, 1_000_000]) {
      const log = new Log();
      const { connection, peer } = stage.narrow();
      connection.onClose = log.note("close");
      connection.write(patternOf(size));
      connection.end();
      assertEquals(connection.write(bytesOf("late")), false);
      connection.close();
      assertEquals(connection.write(bytesOf("later")), false);
      const received = peer.read();
      assert(received.length === size && isPattern(received));
      peer.close();
      stage.until(() => connection.closed, "the end");
      stage.turns();
      assertEquals(log.lines, ["close"]);
    }
  },
);

onAnyBackend(
  "abort(): without a reset the peer gets the sent bytes, and the end",
  (stage) => {
    const { connection, peer } = stage.narrow();
    while (connection.write(new Uint8Array(65536)));
    connection.abort(undefined, false);
    assertEquals(connection.closed, true);
    let event = "";
    let count = 0;
    for (; event !== "end"; count++) {
      event = next(stage, peer);
      assert(event === "end" || event.endsWith(" bytes"), event);
    }
    assert(count > 1, `${count} events`);
  },
);

onEachBackend(
  "end(): bytes that came before a reset are received, and then the reset",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    connection.pause();
    peer.send("last");
    peer.reset();
    stage.turns();
    // It has no connection any more, so shutdown(2) fails.
    connection.end();
    connection.resume();
    stage.until(() => connection.closed, "the reset");
    stage.turns();
    assertEquals(log.lines[0], "data last");
    assertEquals(codeOf(connection.error!), "ECONNRESET");
    assertEquals(log.lines.length, 2);
  },
  NEEDS_POSIX,
);

onEachBackend(
  "abort(): it resets a TCP peer, also after the end of file [K18]",
  (stage) => {
    const log = new Log();
    const { connection, peer } = stage.connection();
    connection.onClose = log.note("close");
    connection.abort();
    assertEquals(next(stage, peer), "ECONNRESET");
    const ending = stage.connection();
    ending.connection.onClose = log.note("close after end");
    ending.connection.end(bytesOf("bye"));
    assertEquals(next(stage, ending.peer), "3 bytes");
    assertEquals(next(stage, ending.peer), "end");
    ending.connection.abort();
    // Without the reset there would be room for this unread byte.
    let code: string | undefined;
    stage.until(() => {
      try {
        ending.peer.send("x");
      } catch (error) {
        code = codeOf(error as Error);
      }
      return code !== undefined;
    }, "the reset");
    assert(["EPIPE", "ECONNRESET"].includes(code!), code);
    stage.turns();
    assertEquals(log.lines, ["close", "close after end"]);
  },
);

onEachBackend(
  "Connection: no call registers it again once it is closed [K21]",
  (stage) => {
    const log = new Log();
    const { connection, peer } = stage.narrow();
    log.watch(connection);
    connection.write(new Uint8Array(1_000_000));
    assertEquals(stage.reactor.stats().registered, 1);
    peer.reset();
    stage.until(() => connection.closed, "the reset");
    stage.turns();
    const before = [...log.lines];
    for (
      const call of [
        () => connection.write(bytesOf("x")),
        () => connection.write([bytesOf("x"), bytesOf("y")]),
        () => connection.cork(),
        () => connection.write(bytesOf("x")),
        () => connection.uncork(),
        () => connection.end(bytesOf("x")),
        () => connection.pause(),
        () => connection.resume(),
        () => connection.whenWritable(log.note("writable")),
        () => connection.onData = log.note("data"),
        () => connection.unref(),
        () => connection.ref(),
        () => connection.close(),
        () => connection.abort(),
      ]
    ) {
      call();
      const { registered, bytesQueued } = stage.reactor.stats();
      assertEquals([registered, bytesQueued], [0, 0], String(call));
    }
    stage.turns();
    assertEquals(log.lines, before);
  },
);

onEachBackend(
  "Connection: a rare error of a read ends it, and onClose gets the error [L07]",
  (stage) => {
    for (const code of ["EIO", "ENOMEM", "EXDEV"]) {
      const log = new Log();
      const { connection, peer } = stage.connection();
      log.watch(connection);
      connection.socket.recv = (): never => {
        throw systemError("recv", system().errno[code]!);
      };
      peer.send("hello");
      stage.until(() => log.lines.length > 0, "the error");
      stage.turns();
      assertEquals(log.lines, [`close ${code}`]);
    }
  },
);

onEachBackend(
  "Conn: memory without room is no end of file, and a value that is not memory an error [L08]",
  async (stage) => {
    const { reactor } = stage;
    const served = reactor.serve();
    const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
    const [conn, peer] = await Promise.all([
      reactor.net.connect({ port: listener.addr.port }),
      listener.accept(),
    ]);
    await peer.write(bytesOf("hello"));
    assertEquals(await conn.read(new Uint8Array(0)), 0);
    for (const wrong of ["text", 16, {}, null]) {
      await assertRejects(() => conn.read(wrong as never), TypeError);
    }
    const buffer = new Uint8Array(16);
    assertEquals(await conn.read(buffer), 5);
    await peer.closeWrite();
    assertEquals(await conn.read(buffer), null);
    assertEquals(conn.closed, false);
    reactor.stop();
    await served;
  },
);

/** Makes the system refuse changes of a registration. */
function refuseChanges({ selector }: Reactor): void {
  Object.assign(selector, {
    rewatch(): never {
      throw systemError("epoll_ctl", system().errno.ENOMEM!);
    },
  });
}

onEachBackend(
  "Connection: a refused change of its registration ends it, and is reported once",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const withCallback = stage.narrow();
    log.watch(withCallback.connection);
    const without = stage.narrow();
    without.connection.onData = () => {};
    without.connection.unref();
    refuseChanges(reactor);
    for (const { connection } of [withCallback, without]) {
      const before = openFds().size;
      assertEquals(connection.write(new Uint8Array(1_000_000)), false);
      assertEquals([connection.closed, connection.fd], [true, -1]);
      assertEquals(openFds().size, before - 1);
    }
    stage.turns();
    assertEquals(log.lines, ["close ENOMEM"]);
    // Without `onClose`, the error goes to `onError` of the reactor.
    assertEquals(stage.errors.splice(0).map((it) => codeOf(it as Error)), [
      "ENOMEM",
    ]);
    const { registered, bytesQueued } = reactor.stats();
    assertEquals([registered, bytesQueued], [0, 0]);
    assertEquals(reactor.runOnce(), false);
  },
);

onEachBackend(
  "Connection: one that was unregistered by the program closes like any other",
  (stage) => {
    const log = new Log();
    const { connection, peer } = stage.connection();
    log.watch(connection);
    stage.reactor.unregister(connection);
    const before = openFds().size;
    connection.close();
    stage.turns();
    assertEquals([log.lines, openFds().size], [["close"], before - 1]);
    assertEquals(next(stage, peer), "end");
  },
);

onEachBackend(
  "Acceptor, Datagram: one that was unregistered by its number still closes",
  (stage) => {
    const { reactor } = stage;
    const acceptor = stage.listen(() => {});
    const datagram = reactor.datagram({ hostname: "127.0.0.1" });
    datagram.onMessage = () => {};
    for (const closable of [acceptor, datagram]) {
      reactor.unregister(closable.fd);
      closable.close();
      assert(closable.closed);
      assertEquals(closable.fd, -1);
    }
    assertEquals(reactor.stats().registered, 0);
  },
);

onEachBackend(
  "connect(): one whose descriptor was unregistered fails after its timeout, once",
  (stage) => {
    const { reactor } = stage;
    const log = new Log();
    const options = { ...stage.fullListener(), timeout: 30 };
    const connection = reactor.connect(options);
    connection.onClose = (error) => {
      log.lines.push(error instanceof Error ? "failed" : "closed");
    };
    const [key] = [...reactor.selector.getMap().values()];
    reactor.unregister(key!.fd);
    stage.until(() => log.lines.length > 0, "the failure");
    stage.turns();
    assertEquals(log.lines, ["failed"]);
    assertEquals(reactor.stats().registered, 0);
  },
);

onAnyBackend(
  "remoteAddress: it is known after the end of the peer and of the connection",
  (stage) => {
    const internet = { hostname: "127.0.0.1", port: 0 };
    const ways: [how: string, options: ListenOptions][] = [
      ["IPv4", internet],
      ["IPv6", { ...internet, hostname: "::1" }],
      ["a path", { path: stage.path() }],
    ];
    for (const [how, options] of ways) {
      for (const end of ["end", "reset", "abort"] as const) {
        let accepted: Connection | undefined;
        const acceptor = stage.listen((it) => accepted = it, options);
        const client = stage.reactor.connect(
          acceptor.address as InternetAddress,
        );
        stage.until(() => accepted !== undefined && client.fd >= 0, how);
        const { remoteAddress, localAddress } = client;
        if (!("path" in options)) {
          assertEquals(
            accepted!.remoteAddress,
            localAddress,
          );
        }
        const peersAddress = accepted!.remoteAddress;
        let reported: SocketAddress | undefined;
        accepted!.onClose = (_, it) => reported = it.remoteAddress;
        accepted!.onData = () => {};
        if (end === "abort") accepted!.abort();
        else client[end === "end" ? "close" : "abort"]();
        stage.until(() => reported !== undefined, end);
        assertEquals(reported, peersAddress, `${how}, ${end}`);
        client.abort();
        assertEquals(client.remoteAddress, remoteAddress);
        assertEquals(client.localAddress, localAddress);
        acceptor.close();
      }
    }
  },
  NEEDS_UNIX_SOCKETS,
);

onAnyBackend(
  "localAddress: after an error both addresses are known, though never read",
  (stage) => {
    const { connection, peer } = stage.connection();
    const [local, remote] = [
      peer.socket.remoteAddress,
      peer.socket.localAddress,
    ];
    connection.onData = () => {};
    peer.reset();
    stage.until(() => connection.closed, "the reset");
    assertEquals(codeOf(connection.error!), "ECONNRESET");
    assertEquals([connection.localAddress, connection.remoteAddress], [
      local,
      remote,
    ]);
  },
);
