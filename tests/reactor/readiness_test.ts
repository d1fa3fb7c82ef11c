/**
 * Separate readers and writers, and readiness as promises.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { close, dup, type FileObject, Socket } from "../../backends/ffi/mod.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { EVENT_READ } from "../../backends/mod.ts";
import type { Readiness } from "../../reactor/mod.ts";
import { dup2 } from "../descriptors.ts";
import { bytesOf, drainSocket, eventually, fillSocket } from "../util.ts";
import { Log, onAnyBackend, onEachBackend, type Stage } from "./stage.ts";

const { AlreadyExists, BadResource, Busy, Interrupted } = Deno.errors;

/** Runs a body while the reactor serves. */
async function serving(
  stage: Stage,
  body: () => Promise<void>,
): Promise<void> {
  const served = stage.reactor.serve();
  try {
    await body();
  } finally {
    stage.reactor.stop();
    await served;
  }
}

/** Begins a wait. */
function begun(readiness: Readiness): Promise<void> {
  return readiness.then(() => {});
}

onEachBackend(
  "addReader(), addWriter(): one descriptor has separate handlers",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const log = new Log();
    reactor.addWriter(right, log.note("writer"));
    reactor.addReader(right, log.note("reader"));
    assertEquals(reactor.stats().registered, 1);
    reactor.runOnce(1000);
    left.send(bytesOf("x"));
    reactor.runOnce(1000);
    assertEquals(log.lines, ["writer", "reader", "writer"]);
    assert(reactor.removeWriter(right));
    reactor.runOnce(1000);
    assertEquals(log.lines.at(-1), "reader");
    assert(reactor.removeReader(right));
    assertEquals(reactor.removeReader(right), false);
    assertEquals(reactor.removeWriter(right), false);
    assertEquals(reactor.stats().registered, 0);
  },
);

onAnyBackend(
  "addReader(): a second reader replaces the first [A15]",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const log = new Log();
    left.send(bytesOf("x"));
    reactor.addReader(right, log.note("first"));
    reactor.addReader(right, log.note("second"));
    reactor.runOnce(1000);
    assertEquals(log.lines, ["second"]);
  },
);

onAnyBackend(
  "removeReader(): the descriptor may be a number, or closed",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    reactor.addReader(left, () => {});
    assert(reactor.removeReader(left.fd));
    reactor.addReader(right, () => {});
    right.close();
    assert(reactor.removeReader(right));
    assertEquals(reactor.stats().registered, 0);
  },
);

onAnyBackend(
  "addReader(): it throws for a descriptor of register() [A24]",
  (stage) => {
    const { reactor } = stage;
    const [left] = stage.pair();
    const { connection } = stage.connection();
    connection.onData = () => {};
    reactor.register(left, EVENT_READ, () => {});
    for (const taken of [left, connection]) {
      assertThrows(() => reactor.addReader(taken, () => {}), AlreadyExists);
      assertThrows(() => reactor.addWriter(taken.fd, () => {}), AlreadyExists);
      assertEquals(reactor.removeReader(taken), false);
    }
    assertEquals(reactor.stats().registered, 2);
  },
);

onAnyBackend(
  "addReader(): after unregister() it registers again",
  (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const log = new Log();
    left.send(bytesOf("x"));
    reactor.addReader(right, log.note("old"));
    reactor.unregister(right);
    assertEquals(reactor.removeReader(right), false);
    reactor.addWriter(right, log.note("new"));
    reactor.runOnce(1000);
    assertEquals(log.lines, ["new"]);
  },
);

onEachBackend(
  "readable(): an awaited one ends with the first event",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      await reactor.writable(left);
      const waiting = begun(reactor.readable(right));
      assertEquals(reactor.stats().registered, 1);
      left.send(bytesOf("x"));
      await waiting;
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

onEachBackend(
  "readable(): one that is not awaited registers nothing",
  (stage) => {
    const { reactor } = stage;
    const [left] = stage.pair();
    const readiness = reactor.readable(left);
    assertEquals(reactor.stats().registered, 0);
    assert(Symbol.asyncIterator in readiness);
  },
);

onEachBackend(
  "readable(), writable(): both may be pending for one descriptor [A25]",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      const reading = begun(reactor.readable(right));
      await assertRejects(() => begun(reactor.readable(right)), Busy, "reader");
      await reactor.writable(right);
      left.send(bytesOf("x"));
      await reading;
    });
  },
);

onEachBackend(
  "readable(): with a reader it throws Busy, as does addReader() while it is pending [A25]",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    const log = new Log();
    await serving(stage, async () => {
      reactor.addReader(right, log.note("reader"));
      await assertRejects(() => begun(reactor.readable(right)), Busy, "reader");
      assert(reactor.removeReader(right));
      const reading = begun(reactor.readable(right));
      assertThrows(() => reactor.addReader(right, log.note("x")), Busy, "read");
      assertThrows(() => reactor.addReader(right.fd, () => {}), Busy);
      assertEquals(reactor.removeReader(right), false);
      left.send(bytesOf("x"));
      await reading;
      // The wait is over: a reader may be added again.
      reactor.addReader(right, () => {
        drainSocket(right);
        log.note("again")();
      });
      await eventually(() => log.lines.includes("again"), "the reader");
      assert(reactor.removeReader(right));
    });
    assertEquals(log.lines, ["again"]);
  },
);

onEachBackend(
  "writable(): with a writer it throws Busy, as does addWriter() while it is pending [A25]",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      fillSocket(left);
      reactor.addWriter(left, () => {});
      await assertRejects(() => begun(reactor.writable(left)), Busy, "writer");
      assert(reactor.removeWriter(left));
      const writing = begun(reactor.writable(left));
      assertThrows(() => reactor.addWriter(left, () => {}), Busy, "writer");
      assertEquals(reactor.removeWriter(left), false);
      // The other direction is not affected.
      reactor.addReader(left, () => {});
      assert(reactor.removeReader(left));
      drainSocket(right);
      await writing;
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

/** Closes a socket, and reuses its descriptor for a duplicate of another one. */
function replace(stage: Stage, socket: Socket, by: Socket): Socket {
  const { fd } = socket;
  socket.close();
  dup2(by.fd, fd);
  return stage.use(Socket.adopt(fd));
}

onEachBackend(
  "addReader(): a new socket with the descriptor of a closed one has its own handlers",
  (stage) => {
    const { reactor } = stage;
    const [, old] = stage.pair();
    const [left, right] = stage.pair();
    const log = new Log();
    reactor.addReader(old, log.note("old reader"));
    reactor.addWriter(old, log.note("old writer"));
    const owner = replace(stage, old, right);
    reactor.addReader(owner, () => {
      drainSocket(owner);
      log.note("reader")();
    });
    left.send(bytesOf("x"));
    stage.until(() => log.lines.length > 0, "the reader");
    stage.turns();
    assertEquals(log.lines, ["reader"]);
    assertEquals(reactor.removeReader(old), false);
    assert(reactor.removeReader(owner));
    assertEquals(reactor.stats().registered, 0);
  },
);

for (const direction of ["reader", "writer"] as const) {
  onEachBackend(
    `addReader(), addWriter(): adding a ${direction} registers a reopened descriptor again`,
    (stage) => {
      const { reactor } = stage;
      const [left, right] = stage.pair();
      const [, old] = stage.pair();
      const { fd } = old;
      const log = new Log();
      const read = (): void => {
        drainSocket(fd);
        log.note("reader")();
      };
      reactor.addReader(fd, read);
      replace(stage, old, right);
      if (direction === "reader") reactor.addReader(fd, read);
      else {
        reactor.addWriter(fd, () => {
          reactor.removeWriter(fd);
          log.note("writer")();
        });
      }
      stage.turns();
      left.send(bytesOf("x"));
      stage.until(() => log.lines.includes("reader"), "the reader");
      assertEquals(log.lines.includes("writer"), direction === "writer");
      assert(reactor.removeReader(fd));
      assertEquals(reactor.stats().registered, 0);
    },
  );
}

onEachBackend(
  "addReader(): a reopened descriptor has no events of its old file, which a duplicate keeps open",
  (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const [far, old] = stage.pair();
    const copy = stage.use(Socket.adopt(dup(old)));
    const { fd } = old;
    const log = new Log();
    reactor.addReader(fd, log.note("old"));
    replace(stage, old, right);
    reactor.addReader(fd, log.note("new"));
    far.send(bytesOf("x"));
    stage.turns();
    assertEquals(log.lines, []);
    assertEquals(drainSocket(copy), 1);
  },
  { needs: "followsClose" },
);

onEachBackend(
  "readable(): it rejects when the descriptor of its closed file object has another reader",
  async (stage) => {
    const { reactor } = stage;
    const [, old] = stage.pair();
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      const waiting = begun(reactor.readable(old));
      const failed = assertRejects(() => waiting, BadResource, "closed");
      const owner = replace(stage, old, right);
      const reading = begun(reactor.readable(owner));
      await failed;
      left.send(bytesOf("x"));
      await reading;
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

onEachBackend(
  "readable(): it rejects when the system refuses to register its closed descriptor again",
  async (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const fileobj: FileObject = right.fd;
    const waiting = begun(reactor.readable(fileobj));
    right.close();
    assertThrows(() => reactor.addWriter(fileobj, () => {}), BadResource);
    await assertRejects(() => waiting, BadResource);
    assertEquals(reactor.stats().registered, 0);
  },
  { needs: "refusesClosed" },
);

onEachBackend(
  "removeReader(), removeWriter(): both can be removed after a close",
  (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    reactor.addReader(right, () => {});
    reactor.addWriter(right, () => {});
    right.close();
    assert(reactor.removeReader(right));
    assert(reactor.removeWriter(right));
    assertEquals(reactor.stats().registered, 0);
  },
);

onAnyBackend(
  "readable(): its end after unregister() leaves a later reader alone",
  async (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = begun(reactor.readable(right, { signal }));
    reactor.unregister(right);
    reactor.addReader(right, () => {});
    controller.abort(new Error("enough"));
    await assertRejects(() => waiting, Interrupted, "unregistered");
    assert(reactor.removeReader(right));
  },
);

onEachBackend(
  "readable(), writable(): unregister() and modify() reject them",
  async (stage) => {
    const { reactor } = stage;
    const ends: [how: string, end: (socket: Socket) => void][] = [
      ["unregister", (it) => reactor.unregister(it)],
      ["unregister by number", (it) => reactor.unregister(it.fd)],
      [
        "unregister, closing",
        (it) => reactor.unregister(it, { closing: true }),
      ],
      ["modify", (it) => reactor.modify(it, EVENT_READ, () => {})],
    ];
    for (const [how, end] of ends) {
      const [, right] = stage.pair();
      const waiting = [
        begun(reactor.readable(right)),
        begun(reactor.writable(right)),
      ];
      end(right);
      for (const wait of waiting) {
        await assertRejects(() => wait, Interrupted, "unregistered", how);
      }
    }
    // Their replacement is left alone.
    assertEquals(reactor.stats().registered, 1);
  },
);

onEachBackend(
  "readable(): it rejects when the descriptor of its closed file object is registered again",
  async (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const { fd } = right;
    const waiting = begun(reactor.readable(right));
    right.close();
    reactor.register(stage.successor(fd), EVENT_READ, () => {});
    await assertRejects(() => waiting, BadResource, "closed");
  },
);

onEachBackend(
  "readable(): closing the file object rejects it, and no other wait",
  async (stage) => {
    const { reactor } = stage;
    await serving(stage, async () => {
      const [, object] = stage.pair();
      const [reader, writer] = wakePair();
      const [, other] = stage.pair();
      const kept = begun(reactor.readable(other));
      const waiting = [
        begun(reactor.readable(object)),
        begun(reactor.readable(reader)),
        reactor.readable(reader, {})[Symbol.asyncIterator]().next(),
      ];
      await assertRejects(() => waiting.pop()!, Busy);
      object.close();
      close(reader);
      for (const wait of waiting) {
        await assertRejects(() => wait, BadResource, "closed");
      }
      assertEquals(reactor.stats().registered, 1);
      reactor.unregister(other);
      await assertRejects(() => kept, Interrupted);
      close(writer);
    });
  },
);

onEachBackend(
  "readable(): return() of its iterator ends the pending wait",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      const iterator = reactor.readable(right)[Symbol.asyncIterator]();
      left.send(bytesOf("x"));
      assertEquals(await iterator.next(), { value: undefined, done: false });
      drainSocket(right);
      const next = iterator.next();
      await assertRejects(() => iterator.next(), Busy);
      const over = { value: undefined, done: true } as const;
      assertEquals(await iterator.return!(), over);
      assertEquals(await next, over);
      assertEquals(await iterator.next(), over);
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

onAnyBackend(
  "readable(): its iterator is done after an error",
  async (stage) => {
    const controller = new AbortController();
    const { signal } = controller;
    const [, right] = stage.pair();
    const iterator = stage.reactor.readable(right, { signal })
      [Symbol.asyncIterator]();
    const next = iterator.next();
    controller.abort(new Error("enough"));
    await assertRejects(() => next, Error, "enough");
    assertEquals(await iterator.next(), { value: undefined, done: true });
  },
);

onEachBackend(
  "readable(): `break` ends the iteration and its registration",
  async (stage) => {
    const { reactor } = stage;
    const [left, right] = stage.pair();
    await serving(stage, async () => {
      let bytes = 0;
      left.send(bytesOf("x"));
      for await (const _ of reactor.readable(right)) {
        bytes += drainSocket(right);
        if (bytes === 3) break;
        left.send(bytesOf("x"));
      }
      assertEquals(bytes, 3);
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

onEachBackend(
  "readable(): an abort rejects it, also an earlier one",
  async (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    await serving(stage, async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const waiting = begun(reactor.readable(right, { signal }));
      controller.abort(new Error("enough"));
      await assertRejects(() => waiting, Error, "enough");
      await assertRejects(
        () => begun(reactor.readable(right, { signal })),
        Error,
        "enough",
      );
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

onEachBackend(
  "readable(): close() of the reactor rejects it",
  async (stage) => {
    const reactor = stage.make();
    const [, right] = stage.pair();
    const served = reactor.serve();
    const waiting = [
      begun(reactor.readable(right)),
      (async () => {
        for await (const _ of reactor.readable(stage.pair()[0]));
      })(),
    ];
    const ends = waiting.map((wait) =>
      assertRejects(() => wait, Deno.errors.Interrupted)
    );
    await Promise.resolve();
    reactor.close();
    await Promise.all(ends);
    await served;
  },
);

onAnyBackend(
  "readable(): a file object without a descriptor is refused at once",
  async (stage) => {
    const { reactor } = stage;
    assertThrows(() => reactor.readable(-1), RangeError);
    assertThrows(() => reactor.writable({} as never), TypeError);
    const [left] = stage.pair();
    reactor.register(left, EVENT_READ, () => {});
    await assertRejects(() => begun(reactor.readable(left)), AlreadyExists);
  },
);

onEachBackend(
  "addReader(), addWriter(): either alone is called once when its closed descriptor is reported [F08]",
  (stage) => {
    const { reactor } = stage;
    const calls: string[] = [];
    const [reader, writer] = wakePair();
    reactor.addReader(reader, () => calls.push("reader"));
    close(reader);
    stage.turns();
    reactor.addWriter(writer, () => calls.push("writer"));
    close(writer);
    stage.turns();
    assertEquals(calls, ["reader", "writer"]);
    assertEquals(reactor.stats().registered, 0);
  },
  { needs: "reportsClosed" },
);
