/**
 * Promises of a reactor that nothing runs: they reject, and the error says why.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { write } from "../../backends/ffi/mod.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { close } from "../../backends/ffi/descriptor.ts";
import { type Conn, Reactor } from "../../reactor/mod.ts";
import { bytesOf, runDeno, test } from "../util.ts";

const ADDRESS = { hostname: "127.0.0.1", port: 0 };

/** A connection of a reactor that has run for a moment. */
async function connected(reactor: Reactor): Promise<Conn> {
  const served = reactor.serve();
  const listener = reactor.net.listen(ADDRESS);
  const { port } = listener.addr;
  const conn = await reactor.net.connect({ port });
  reactor.stop();
  await served;
  return conn;
}

/** Promises that only an iteration of the reactor can settle. */
const PROMISES: Readonly<
  Record<string, (reactor: Reactor, reader: number) => PromiseLike<unknown>>
> = {
  "net.connect()": (reactor) => {
    using listener = reactor.net.listen(ADDRESS);
    return reactor.net.connect({ port: listener.addr.port });
  },
  "Listener.accept()": (reactor) => reactor.net.listen(ADDRESS).accept(),
  "Listener's iterator": (reactor) =>
    reactor.net.listen(ADDRESS)[Symbol.asyncIterator]().next(),
  "Conn.read()": async (reactor) => {
    const conn = await connected(reactor);
    await conn.read(new Uint8Array(1));
  },
  "Conn.write()": async (reactor) => {
    const conn = await connected(reactor);
    await Promise.all(
      // Windows takes a part of each while there is any room.
      Array.from({ length: 100 }, () => conn.write(new Uint8Array(16_000_000))),
    );
  },
  "Connection.opened": (reactor) => {
    const server = reactor.listen(ADDRESS, () => {});
    return reactor.connect(server.address).opened;
  },
  "shutdown()": (reactor) => {
    reactor.listen(ADDRESS, () => {});
    return reactor.shutdown();
  },
  "readable()": (reactor, reader) => reactor.readable(reader),
  "readable()'s iterator": (reactor, reader) =>
    reactor.readable(reader)[Symbol.asyncIterator]().next(),
};

for (const [name, start] of Object.entries(PROMISES)) {
  test(`${name}: rejects and names serve() if nothing runs the reactor`, async () => {
    const [reader, writer] = wakePair();
    using reactor = new Reactor();
    const { stack } = await assertRejects(
      async () => await start(reactor, reader),
      Deno.errors.NotSupported,
      "call serve()",
    );
    assertMatch(stack!, /turn_waits_test/, "the stack shows the call");
    // An open connection may stay registered.
    if (!name.startsWith("Conn")) assertEquals(reactor.stats().registered, 0);
    close(reader);
    close(writer);
  });
}

test("accept() before serve(): waits for it, and other iterations do, too", async () => {
  await using reactor = new Reactor();
  const listener = reactor.net.listen(ADDRESS);
  const accepting = listener.accept();
  using client = await Deno.connect({ port: listener.addr.port });
  while (reactor.stats().events === 0) reactor.runOnce(5);
  using conn = await accepting;
  assertEquals(conn.remoteAddr.port, (client.localAddr as Deno.NetAddr).port);
});

test("a promise that settles without an iteration leaves no timer", async () => {
  await using reactor = new Reactor();
  const listener = reactor.net.listen(ADDRESS);
  const accepting = listener.accept();
  listener.close();
  await assertRejects(() => accepting, Deno.errors.BadResource);
  const [reader, writer] = wakePair();
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(
    async () => await reactor.readable(reader, { signal }),
    Error,
    "enough",
  );
  close(reader);
  close(writer);
});

const FORGETFUL = `
import { Reactor } from "POLLUX/mod.ts";
const reactor = new Reactor();
const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
async function main() {
  await listener.accept();
}
main();
`;

test("a program without serve() ends with an error, though nothing keeps it alive", async () => {
  const { code, stderr } = await runDeno(FORGETFUL, ["--allow-ffi"]);
  assert(code !== 0);
  assertMatch(stderr, /NotSupported: Promise cannot settle.*call serve\(\)/);
});

test("stop(): a pending promise goes on with the next serve(), and close() rejects it", async () => {
  const reactor = new Reactor();
  const [reader, writer] = wakePair();
  const served = reactor.serve();
  using listener = reactor.net.listen(ADDRESS);
  const ready = Promise.resolve(reactor.readable(reader));
  const accepted = listener.accept();
  const rejected = assertRejects(() => accepted, Deno.errors.BadResource);
  reactor.stop();
  await served;
  const again = reactor.serve();
  write(writer, bytesOf("x"));
  await ready;
  reactor.close();
  await Promise.all([again, rejected]);
  close(reader);
  close(writer);
});

test("shutdown(): its promise may be ignored, and it goes on when the reactor runs", async () => {
  using reactor = new Reactor();
  const server = reactor.listen(ADDRESS, () => {});
  await assertRejects(async () => {
    const ignored = reactor.shutdown();
    await reactor.shutdown();
    await ignored;
  }, Deno.errors.NotSupported);
  assert(server.closed);
  const shutdown = reactor.shutdown();
  reactor.run();
  await shutdown;
  assert(!reactor.running);
});
