/**
 * Readers and writers apart, and readiness as promises.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  close,
  dup,
  type FileObject,
  pipe,
  Socket,
} from "../../backends/ffi/mod.ts";
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

/** A wait as a promise that has begun. */
function begun(readiness: Readiness): Promise<void> {
  return readiness.then(() => {});
}

onEachBackend(
  "a reader and a writer of one descriptor are two handlers",
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

onAnyBackend("a second reader takes the place of the first [A15]", (stage) => {
  const { reactor } = stage;
  const [left, right] = stage.pair();
  const log = new Log();
  left.send(bytesOf("x"));
  reactor.addReader(right, log.note("first"));
  reactor.addReader(right, log.note("second"));
  reactor.runOnce(1000);
  assertEquals(log.lines, ["second"]);
});

onAnyBackend(
  "a handler may be removed by the number, or after the close",
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
  "what is registered by other means has no room for a reader [A24]",
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
  "a pair that was unregistered by other means begins anew",
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
  "an awaited wait ends with the first event, and is over",
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

onEachBackend("a wait that is not awaited registers nothing", (stage) => {
  const { reactor } = stage;
  const [left] = stage.pair();
  const readiness = reactor.readable(left);
  assertEquals(reactor.stats().registered, 0);
  assert(Symbol.asyncIterator in readiness);
});

onEachBackend(
  "reading and writing are waited for at once, each by one [A25]",
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
  "a reader keeps out a wait, and a wait a reader, before anything is touched [A25]",
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
      // Whoever waited is gone: there is room for a reader again.
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
  "a writer keeps out a wait, and a wait a writer, before anything is touched [A25]",
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
      // The other direction is another's.
      reactor.addReader(left, () => {});
      assert(reactor.removeReader(left));
      drainSocket(right);
      await writing;
      assertEquals(reactor.stats().registered, 0);
    });
  },
);

/** Closes a socket, and gives its number to a copy of another. */
function replace(stage: Stage, socket: Socket, by: Socket): Socket {
  const { fd } = socket;
  socket.close();
  dup2(by.fd, fd);
  return stage.use(Socket.adopt(fd));
}

onEachBackend(
  "the next owner of a closed object's number has readers and writers of its own",
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
    `a number that was closed and opened again is watched anew when it gets a ${direction}`,
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
  "a number whose former file lives on in a copy hears nothing of it",
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
  "a wait is over when the number of its closed object gets another reader",
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
  "a wait is over when the system refuses the closed number to another handler",
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
  "both handlers of a closed object can be removed, one after the other",
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
  "a wait that was unregistered by other means takes no later reader with it",
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
  "whatever else ends a registration ends the waits that hang on it",
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
    // What replaced them is left alone.
    assertEquals(reactor.stats().registered, 1);
  },
);

onEachBackend(
  "a wait for an object that was closed ends when its number is registered again",
  async (stage) => {
    const { reactor } = stage;
    const [, right] = stage.pair();
    const { fd } = right;
    const waiting = begun(reactor.readable(right));
    right.close();
    const [left] = stage.pair();
    assertEquals(left.fd, fd);
    reactor.register(left, EVENT_READ, () => {});
    await assertRejects(() => waiting, BadResource, "closed");
  },
);

onEachBackend(
  "the close of what is waited for ends the wait, and no other",
  async (stage) => {
    const { reactor } = stage;
    await serving(stage, async () => {
      const [, object] = stage.pair();
      const [reader, writer] = pipe();
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
  "an iterator that is ended while it waits ends the wait",
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

onAnyBackend("an iterator is over after an error", async (stage) => {
  const controller = new AbortController();
  const { signal } = controller;
  const [, right] = stage.pair();
  const iterator = stage.reactor.readable(right, { signal })
    [Symbol.asyncIterator]();
  const next = iterator.next();
  controller.abort(new Error("enough"));
  await assertRejects(() => next, Error, "enough");
  assertEquals(await iterator.next(), { value: undefined, done: true });
});

onEachBackend(
  "`break` ends an iteration with nothing left behind",
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
  "an abort ends a wait, also one that came before",
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

onEachBackend("close() ends the waits that are under way", async (stage) => {
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
});

onAnyBackend("what cannot be waited for is refused at once", async (stage) => {
  const { reactor } = stage;
  assertThrows(() => reactor.readable(-1), RangeError);
  assertThrows(() => reactor.writable({} as never), TypeError);
  const [left] = stage.pair();
  reactor.register(left, EVENT_READ, () => {});
  await assertRejects(() => begun(reactor.readable(left)), AlreadyExists);
});
