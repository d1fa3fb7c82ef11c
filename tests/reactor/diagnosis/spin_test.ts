/** Spins: a descriptor that is ready again and again, while nothing moves. */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { system } from "../../../backends/ffi/current_system.ts";
import { opens } from "../../../backends/ffi/library.ts";
import type { Socket } from "../../../backends/ffi/mod.ts";
import { permittedLibraries } from "../../../backends/ffi/permission.ts";
import { EVENT_READ, EVENT_WRITE } from "../../../backends/mod.ts";
import type { Diagnosis, Spin } from "../../../reactor/mod.ts";
import { bytesOf, drainSocket, fillSocket } from "../../util.ts";
import { onAnyBackend, onEachBackend, type Stage } from "../stage.ts";

/** More turns than the events that make a spin. */
const TURNS = 1100;

/** Switches diagnosis on, and collects the spins. */
async function spinsOf(stage: Stage): Promise<Spin[]> {
  const spins: Spin[] = [];
  await stage.reactor.diagnose({
    onDiagnosis: (diagnosis: Diagnosis) => {
      if (diagnosis.kind === "spin") spins.push(diagnosis);
    },
  });
  return spins;
}

/** Runs turns, each of which finds an event. */
function spin(stage: Stage, turns: number = TURNS): void {
  for (let turn = 0; turn < turns; turn++) stage.reactor.runOnce(1000);
}

/** A socket with unread input, and its peer. */
function readable(stage: Stage): [socket: Socket, peer: Socket] {
  const [peer, socket] = stage.pair();
  peer.send(bytesOf("x"));
  return [socket, peer];
}

onEachBackend(
  "spin: a callback that reads nothing is reported once, with its name and its descriptor",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket] = readable(stage);
    stage.reactor.register(socket, EVENT_READ, function forgetful(): void {});
    spin(stage, 2 * TURNS);
    assertEquals(spins.length, 1);
    const [{ descriptor }] = spins as [Spin];
    assertEquals(descriptor.fd, socket.fd);
    assertEquals(descriptor.callback, "forgetful");
    assertEquals(descriptor.file.kind, "socket");
    assertEquals(descriptor.idle, 1000);
  },
);

onEachBackend(
  "spin: a callback that ignores the end of file is reported",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket, peer] = stage.pair();
    peer.close();
    stage.reactor.register(socket, EVENT_READ, function endless(): void {
      assertEquals(socket.recv(new Uint8Array(16)), 0);
    });
    spin(stage);
    assertEquals(spins.map(({ descriptor }) => descriptor.callback), [
      "endless",
    ]);
  },
);

onAnyBackend(
  "spin: interest in writing without anything to write is reported",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket] = stage.pair();
    stage.reactor.addWriter(socket, function idler(): void {});
    spin(stage);
    assertEquals(spins.map(({ descriptor }) => descriptor.callback), ["idler"]);
  },
);

onAnyBackend(
  "spin: a callback that reads one byte of many is no spin",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket, peer] = stage.pair();
    fillSocket(peer);
    const byte = new Uint8Array(1);
    stage.reactor.register(socket, EVENT_READ, () => {
      assertEquals(socket.recv(byte), 1);
    });
    spin(stage);
    assertEquals(spins, []);
    drainSocket(socket);
  },
);

onAnyBackend(
  "spin: 999 events without progress are no spin, and one with progress begins anew",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket, peer] = stage.pair();
    fillSocket(peer);
    const byte = new Uint8Array(1);
    let events = 0;
    stage.reactor.register(socket, EVENT_READ, () => {
      if (++events % 1000 === 0) socket.recv(byte);
    });
    spin(stage, 5000);
    assertEquals([events, spins.length], [5000, 0]);
  },
);

onAnyBackend(
  "spin: a library that reads with calls of its own is none",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket, peer] = stage.pair();
    // Opened apart from this package, so that diagnosis sees none of its calls.
    const { symbols, close } = otherLibrary();
    const buffer = new Uint8Array(1);
    stage.reactor.register(socket, EVENT_READ, () => {
      symbols.recv(socket.fd, buffer, 1n, 0);
    });
    // A byte is always left: the descriptor stays ready.
    peer.send(buffer);
    for (let turn = 0; turn < TURNS; turn++) {
      peer.send(buffer);
      spin(stage, 1);
    }
    close();
    assertEquals(spins, []);
  },
);

onAnyBackend(
  "spin: after progress a descriptor is reported again",
  async (stage) => {
    const spins = await spinsOf(stage);
    const [socket, peer] = readable(stage);
    stage.reactor.register(socket, EVENT_READ, () => {});
    spin(stage);
    stage.reactor.modify(socket, EVENT_READ, () => drainSocket(socket));
    spin(stage, 1);
    peer.send(bytesOf("x"));
    stage.reactor.modify(socket, EVENT_READ | EVENT_WRITE, () => {});
    spin(stage);
    assertEquals(spins.length, 2);
  },
);

onAnyBackend(
  "spin: a promise after which data is read is none, and leaves no idle events",
  async (stage) => {
    const { reactor } = stage;
    const spins = await spinsOf(stage);
    const [socket, peer] = readable(stage);
    fillSocket(socket);
    // It keeps the registration between two promises of readable().
    reactor.addWriter(socket, function room(): void {});
    const served = reactor.serve();
    for (let count = 0; count < TURNS; count++) {
      await reactor.readable(socket);
      assertEquals(socket.recv(new Uint8Array(16)), 1);
      peer.send(bytesOf("x"));
    }
    for await (const row of reactor.describe()) {
      if (row.subject === "timer" || row.fd !== socket.fd) continue;
      assertLess(row.idle!, 2);
      assertGreaterOrEqual(row.ready!, TURNS);
    }
    assertEquals(spins, []);
    reactor.removeWriter(socket);
    reactor.stop();
    await served;
  },
);

onAnyBackend("spin: a saturated echo is none", async (stage) => {
  const spins = await spinsOf(stage);
  const { connection, peer } = stage.connection();
  connection.onData = (chunk) => connection.write(chunk);
  for (let count = 0; count < TURNS; count++) {
    peer.send("x");
    peer.read(1);
  }
  assertEquals(spins, []);
});

onAnyBackend(
  "spin: without onDiagnosis a line says which descriptor spins",
  async (stage) => {
    const { reactor } = stage;
    const lines: string[] = [];
    const { error } = console;
    console.error = (line: string): number => lines.push(line);
    try {
      await reactor.diagnose();
      const [socket] = readable(stage);
      reactor.register(socket, EVENT_READ, function forgetful(): void {});
      spin(stage);
      // A pair of Windows is of TCP, and has addresses.
      const stripped = lines.map((line) =>
        line.replace(/socket [\d.:]+ to [\d.:]+/, "socket")
      );
      assertEquals(stripped, [
        `Spin: descriptor ${socket.fd} (socket) was ready 1000 times in a row, ` +
        "while forgetful moved no data",
      ]);
    } finally {
      console.error = error;
    }
  },
);

onAnyBackend("spin: an error of onDiagnosis goes to onError", async (stage) => {
  await stage.reactor.diagnose({
    onDiagnosis: () => {
      throw new Error("of the report");
    },
  });
  const [socket] = readable(stage);
  stage.reactor.register(socket, EVENT_READ, () => {});
  spin(stage);
  assertEquals(stage.takeErrors(), ["of the report"]);
});

onAnyBackend("spin: diagnose(false) ends the reports", async (stage) => {
  const spins = await spinsOf(stage);
  await stage.reactor.diagnose(false);
  const [socket] = readable(stage);
  stage.reactor.register(socket, EVENT_READ, () => {});
  spin(stage);
  assertEquals(spins, []);
});

/** recv(2) of the system, opened apart from this package. */
function otherLibrary(): {
  symbols: {
    recv(
      fd: number,
      buffer: Uint8Array<ArrayBuffer>,
      length: bigint,
      flags: number,
    ): bigint;
  };
  close(): void;
} {
  const path = permittedLibraries(system().libraries).find(opens)!;
  const library = Deno.dlopen(path, {
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  });
  return { symbols: library.symbols, close: () => library.close() };
}
