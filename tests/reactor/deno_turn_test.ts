/**
 * What turns of Deno's loop do, and what is seen of it from outside.
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { system } from "../../backends/ffi/current_system.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { close, pipe, Socket } from "../../backends/ffi/mod.ts";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import { DenoEpoll } from "../../backends/deno_epoll.ts";
import { DenoTurn } from "../../reactor/sharing/deno_turn.ts";
import { openFds, PATIENCE, test } from "../util.ts";

/** Where Deno waits with an epoll instance, and the kernel tells which. */
const seen = { ignore: Deno.build.os !== "linux" };

/** Gives a test turns to take. */
async function withTurns(
  run: (turn: DenoTurn) => Promise<void>,
): Promise<void> {
  const turn = new DenoTurn();
  turn.enter();
  await turn.link();
  turn.setRef(true);
  try {
    await run(turn);
  } finally {
    turn.setRef(false);
    await turn.leave();
  }
}

/** A connection to a listener of Deno's, made without Deno. */
function dial(listener: Deno.TcpListener): Socket {
  const socket = Socket.create("IPv4");
  socket.connect(listener.addr as InternetAddress);
  return socket;
}

test(
  "Deno's selector is ready as soon as Deno's network has something",
  () =>
    withTurns(async (turn) => {
      const selector = turn.epoll!;
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const accepted = listener.accept();
      // Whatever else goes on in this process comes to an end first.
      do await turn.runIo(1000); while (selector.ready);
      using _client = dial(listener);
      assert(selector.ready);
      (await accepted).close();
    }),
  seen,
);

test("no selector is found for a descriptor that Deno does not watch", () => {
  using socket = Socket.create("IPv4");
  using other = Socket.create("IPv4");
  assertEquals(DenoEpoll.find(socket.fd, other.fd), null);
});

test("a brief turn calls Deno's timers that are due", () =>
  withTurns(async (turn) => {
    let called = false;
    setTimeout(() => called = true, 1);
    const end = performance.now() + 5;
    while (performance.now() < end);
    await turn.runTimers();
    await turn.runTimers();
    assert(called);
  }));

test("a full turn lets Deno's network go on", () =>
  withTurns(async (turn) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let accepted: Deno.Conn | undefined;
    const accepting = listener.accept().then((conn) => accepted = conn);
    await turn.runIo(1000);
    using _client = dial(listener);
    await turn.runIo(1000);
    // What a turn finds may be told after it, but before the next one ends.
    await turn.runIo(1000);
    assert(accepted !== undefined);
    (await accepting).close();
  }));

test("a program that never rests takes no more than its turn", () =>
  withTurns(async (turn) => {
    let going = true;
    const work = (): void => {
      const end = performance.now() + 1;
      while (performance.now() < end);
      if (going) setImmediate(work);
    };
    work();
    // Whether it rests shows in the first turn, which is as long as it likes.
    await turn.runIo(5);
    const started = performance.now();
    await turn.runIo(5);
    const took = performance.now() - started;
    going = false;
    // Asked for its I/O, Deno would work sixty times first.
    assert(took < 30, `${took} ms`);
  }));

/** The end that Deno reads, among the descriptors that were opened since. */
function linkAmong(before: ReadonlyMap<number, string>): number {
  for (const [fd, target] of openFds()) {
    if (before.get(fd) === target || !target.startsWith("pipe:")) continue;
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    if (/^flags:\s+\d*0$/m.test(info)) return fd;
  }
  throw new Error("There is no link");
}

test(
  "a link that is lost is given up: turns end, and Deno's network goes on without it",
  async () => {
    const before = openFds();
    await withTurns(async (turn) => {
      const fd = linkAmong(before);
      const [reader, writer] = pipe();
      // Another file under the number: what is written to the link is never read.
      libc().dup3!(reader, fd, system().constants.O_CLOEXEC);
      close(reader);
      close(writer);
      await turn.runIo(5);
      await turn.runIo(5);
      assertEquals(turn.epoll, null);
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const accepting = listener.accept();
      using _client = dial(listener);
      let accepted = false;
      accepting.then(() => accepted = true);
      const end = performance.now() + PATIENCE;
      while (!accepted && performance.now() < end) await turn.runIo(1000);
      (await accepting).close();
    });
  },
  seen,
);
