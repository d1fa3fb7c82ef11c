/**
 * Every end of a connection, a listener or the reactor settles all pending promises,
 * each once and with the cause of the end.
 */

import { assertEquals } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { systemError } from "../../backends/ffi/errors.ts";
import type { FileObject } from "../../backends/ffi/mod.ts";
import { type Conn, type Listener, Reactor } from "../../reactor/mod.ts";
import {
  anyFile,
  eventually,
  fillSocket,
  LONG_QUIET,
  nextTurn,
  test,
} from "../util.ts";
import { codeOf, onEachBackend } from "./stage.ts";

/** More than any socket takes at once. */
const LOADS = new Uint8Array(16_000_000);

/** The results of promises by name, twice for one that settled twice. */
class Outcomes {
  readonly lines: string[] = [];
  #pending = 0;

  /** Notes how a promise settles. */
  follow(name: string, promise: Promise<unknown>): void {
    this.#pending++;
    const note = (how: string): void => {
      this.#pending--;
      this.lines.push(`${name}: ${how}`);
    };
    promise.then(
      (value) => note(String(value)),
      (error) => note(error instanceof Error ? error.name : `threw ${error}`),
    );
  }

  /** Waits until all have settled, and returns how, in the order of their names. */
  async all(): Promise<string[]> {
    await eventually(
      () => this.#pending === 0,
      `${this.#pending} promises; settled are ${this.lines.join(", ")}`,
    );
    return this.lines.splice(0).sort();
  }
}

/** A reactor with both ends of one connection. */
class Scene implements AsyncDisposable {
  readonly reactor: Reactor = new Reactor();
  readonly listener: Listener;
  client!: Conn;
  server!: Conn;

  constructor() {
    this.reactor.serve();
    this.listener = this.reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
  }

  static async open(): Promise<Scene> {
    const scene = new Scene();
    const { port } = scene.listener.addr;
    [scene.client, scene.server] = await Promise.all([
      scene.reactor.net.connect({ port }),
      scene.listener.accept(),
    ]);
    return scene;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reactor[Symbol.asyncDispose]();
  }
}

/**
 * Fills the buffers to the peer, so that the next write waits. On a busy machine the
 * kernel may move bytes from one to the other some time after they were written.
 */
async function fill(conn: FileObject): Promise<void> {
  while (fillSocket(conn) > 0) {
    await new Promise((resolve) => setTimeout(resolve, LONG_QUIET));
  }
}

/** Makes the system refuse changes of a registration. */
function refuseChanges({ selector }: Reactor): void {
  Object.assign(selector, {
    rewatch(): never {
      throw systemError("epoll_ctl", system().errno.ENOMEM!);
    },
  });
}

/** Starts every call of a connection that can be pending. */
function begin(conn: Conn, outcomes: Outcomes): void {
  outcomes.follow("read", conn.read(new Uint8Array(1)));
  outcomes.follow("read", conn.read(new Uint8Array(1)));
  outcomes.follow("write", conn.write(LOADS));
  outcomes.follow("write", conn.write(LOADS));
  outcomes.follow("closeWrite", conn.closeWrite());
}

function each(outcome: string): string[] {
  return ["closeWrite", "read", "read", "write", "write"].map((name) =>
    `${name}: ${outcome}`
  );
}

/** Ends of a connection, with the errors of pending and of later calls. */
const ends: {
  readonly name: string;
  readonly end: (scene: Scene) => void;
  readonly pending: string;
  readonly later: string;
}[] = [
  {
    name: "conn.close()",
    end: ({ client }) => client.close(),
    pending: "Interrupted",
    later: "BadResource",
  },
  {
    name: "conn.abort()",
    end: ({ client }) => client.abort(),
    pending: "Interrupted",
    later: "BadResource",
  },
  {
    name: "conn.abort(error)",
    end: ({ client }) => client.abort(new EvalError("enough")),
    pending: "EvalError",
    later: "EvalError",
  },
  {
    name: "an idle timeout",
    end: ({ client }) => client.setIdleTimeout(20),
    pending: "TimedOut",
    later: "TimedOut",
  },
  {
    name: "reactor.close()",
    end: ({ reactor }) => reactor.close(),
    pending: "Interrupted",
    later: "BadResource",
  },
];

for (const { name, end, pending, later } of ends) {
  test(`Conn: ${name} settles pending and later calls`, async () => {
    await using scene = await Scene.open();
    const { client } = scene;
    await fill(client);
    const outcomes = new Outcomes();
    begin(client, outcomes);
    end(scene);
    assertEquals(await outcomes.all(), each(pending));
    begin(client, outcomes);
    assertEquals(await outcomes.all(), each(later));
    assertEquals(client.remoteAddr, scene.listener.addr);
    assertEquals(client.localAddr, scene.server.remoteAddr);
  });

  test(`Conn: ${name} ends waiting streams`, async () => {
    await using scene = await Scene.open();
    const { client } = scene;
    await fill(client);
    const outcomes = new Outcomes();
    const writer = client.writable.getWriter();
    outcomes.follow("read", client.readable.getReader().read());
    outcomes.follow("write", writer.write(LOADS));
    outcomes.follow("closed", writer.closed);
    await nextTurn(); // A stream begins to read and to write a moment later.
    end(scene);
    assertEquals(
      await outcomes.all(),
      ["closed", "read", "write"].map((it) => `${it}: ${pending}`),
    );
  });
}

test(
  "Conn: a refused registration is the error of pending and later calls",
  async () => {
    await using scene = await Scene.open();
    const { client, reactor } = scene;
    await fill(client);
    const outcomes = new Outcomes();
    outcomes.follow("read", client.read(new Uint8Array(1)));
    refuseChanges(reactor);
    // It is registered to read: to wait for room as well is a change.
    outcomes.follow("write", client.write(LOADS));
    assertEquals(await outcomes.all(), ["read: Error", "write: Error"]);
    outcomes.follow("read", client.read(new Uint8Array(1)));
    assertEquals(await outcomes.all(), ["read: Error"]);
    assertEquals([client.closed, client.fd], [true, -1]);
    assertEquals(codeOf(client.error!), "ENOMEM");
  },
);

test("Conn: a read after the idle timeout fails with it, though the read before took all bytes", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  client.setIdleTimeout(400);
  await server.write(new Uint8Array(1));
  // It gets less than it asked for: the next one would wait without a call.
  assertEquals(await client.read(new Uint8Array(16)), 1);
  await eventually(() => client.closed, "the timeout");
  const outcomes = new Outcomes();
  outcomes.follow("read", client.read(new Uint8Array(16)));
  assertEquals(await outcomes.all(), ["read: TimedOut"]);
});

test("Conn: a reset of the peer settles all pending calls", async () => {
  await using scene = await Scene.open();
  const { client, server } = scene;
  await fill(client);
  const outcomes = new Outcomes();
  begin(client, outcomes);
  server.abort();
  // As with Deno, the first call gets the error, and later ones the end of file.
  assertEquals(await outcomes.all(), [
    "closeWrite: undefined",
    "read: ConnectionReset",
    "read: null",
    "write: BrokenPipe",
    "write: BrokenPipe",
  ]);
  begin(client, outcomes);
  // It was not read before.
  assertEquals(client.remoteAddr, scene.listener.addr);
  assertEquals(await outcomes.all(), [
    "closeWrite: undefined",
    "read: null",
    "read: null",
    "write: BrokenPipe",
    "write: BrokenPipe",
  ]);
  client.close();
}, {
  ignore: !anyFile,
  reason: "Winsock reports a reset to each read and write",
});

test("Connection: a whenWritable() callback that throws does not keep `onClose` from being called", async () => {
  const errors: unknown[] = [];
  await using reactor = new Reactor({ onError: (error) => errors.push(error) });
  reactor.serve();
  using listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
  const connection = reactor.connect({ port: listener.addr.port });
  const closed = Promise.withResolvers<Error | undefined>();
  connection.onClose = closed.resolve;
  const reason = new EvalError("enough");
  connection.whenWritable(() => {
    throw reason;
  });
  connection.abort(reason);
  assertEquals(await closed.promise, reason);
  assertEquals(errors, [reason]);
});

/** The calls of onClose by name, with their errors. */
class Ends {
  readonly lines: string[] = [];

  note(name: string): (error?: unknown) => void {
    return (error) => {
      this.lines.push(`${name}: ${error instanceof Error ? error.name : "-"}`);
    };
  }
}

onEachBackend(
  "Reactor: close() settles everything that can be pending, once",
  async (stage) => {
    const reactor = stage.make();
    const served = reactor.serve();
    const outcomes = new Outcomes();
    const ends = new Ends();
    const { net } = reactor;
    const hostname = "127.0.0.1";

    // Established connections: one by promises, one by callbacks with a queue half sent.
    const listener = net.listen({ hostname, port: 0 });
    const { port } = listener.addr;
    const [conn] = await Promise.all([
      net.connect({ port }),
      listener.accept(),
    ]);
    await fill(conn);
    const accepted = listener.accept();
    const connection = reactor.connect({ port });
    connection.onClose = ends.note("connection");
    connection.onDrain = ends.note("drain");
    await accepted;
    connection.write(LOADS);
    begin(conn, outcomes);

    // Connects that are under way.
    const deaf = stage.fullListener().port;
    outcomes.follow("connect", net.connect({ hostname, port: deaf }));
    reactor.connect({ hostname, port: deaf }).onClose = ends.note("connecting");

    // Waits for a listener, and for descriptors.
    outcomes.follow("accept", listener.accept());
    const other = net.listen({ hostname, port: 0 });
    const next = other[Symbol.asyncIterator]().next();
    outcomes.follow("next accept", next.then(({ done }) => done));
    const [left] = stage.pair();
    await fill(left);
    outcomes.follow("readable", Promise.resolve(reactor.readable(left)));
    outcomes.follow("writable", Promise.resolve(reactor.writable(left)));
    const [silent] = stage.pair();
    const iterator = reactor.readable(silent)[Symbol.asyncIterator]();
    outcomes.follow("iterator", iterator.next());

    // A datagram socket with a queue, and a timer, which is not called.
    const datagram = reactor.datagram({ hostname });
    datagram.onClose = ends.note("datagram");
    reactor.callLater(60_000, ends.note("timer"));
    outcomes.follow("serve", served);

    await nextTurn();
    // Look-ups, which Deno would end in its next iteration.
    const name = "name.invalid";
    outcomes.follow("look-up", net.connect({ hostname: name, port: 9 }));
    reactor.connect({ hostname: name, port: 9 }).onClose = ends.note("look-up");
    reactor.close();
    assertEquals(await outcomes.all(), [
      "accept: BadResource",
      "closeWrite: Interrupted",
      "connect: Interrupted",
      "iterator: Interrupted",
      "look-up: Interrupted",
      "next accept: true",
      "read: Interrupted",
      "read: Interrupted",
      "readable: Interrupted",
      "serve: undefined",
      "writable: Interrupted",
      "write: Interrupted",
      "write: Interrupted",
    ]);

    begin(conn, outcomes);
    assertEquals(await outcomes.all(), each("BadResource"));
    outcomes.follow("accept", listener.accept());
    outcomes.follow("connect", net.connect({ port }));
    outcomes.follow("readable", Promise.resolve(reactor.readable(left)));
    assertEquals(await outcomes.all(), [
      "accept: BadResource",
      "connect: BadResource",
      "readable: BadResource",
    ]);
    await nextTurn();
    assertEquals(ends.lines.sort(), [
      "connecting: Interrupted",
      "connection: -",
      "datagram: -",
      "look-up: Interrupted",
    ]);
  },
);
