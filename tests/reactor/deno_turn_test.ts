/**
 * What turns of Deno's loop do, and what is seen of it from outside.
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { Socket } from "../../backends/ffi/mod.ts";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import { DenoSelector } from "../../reactor/deno_selector.ts";
import { DenoTurn } from "../../reactor/deno_turn.ts";
import { test } from "../util.ts";

/** Where Deno waits with an epoll instance, and the kernel tells which. */
const seen = { ignore: Deno.build.os !== "linux" };

/** Gives a test turns to take. */
async function withTurns(
  run: (turn: DenoTurn) => Promise<void>,
): Promise<void> {
  const turn = new DenoTurn();
  turn.enter();
  await turn.link();
  turn.hold(true);
  try {
    await run(turn);
  } finally {
    turn.hold(false);
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
      const selector = turn.selector!;
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const accepted = listener.accept();
      // Whatever else goes on in this process comes to an end first.
      do await turn.full(1000); while (selector.ready);
      using _client = dial(listener);
      assert(selector.ready);
      (await accepted).close();
    }),
  seen,
);

test("no selector is found for a descriptor that Deno does not watch", () => {
  using socket = Socket.create("IPv4");
  using other = Socket.create("IPv4");
  assertEquals(DenoSelector.find(socket.fd, other.fd), null);
});

test("a brief turn calls Deno's timers that are due", () =>
  withTurns(async (turn) => {
    let called = false;
    setTimeout(() => called = true, 1);
    const end = performance.now() + 5;
    while (performance.now() < end);
    await turn.brief();
    await turn.brief();
    assert(called);
  }));

test("a full turn lets Deno's network go on", () =>
  withTurns(async (turn) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let accepted: Deno.Conn | undefined;
    const accepting = listener.accept().then((conn) => accepted = conn);
    await turn.full(1000);
    using _client = dial(listener);
    await turn.full(1000);
    // What a turn finds may be told after it, but before the next one ends.
    await turn.full(1000);
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
    await turn.full(5);
    const started = performance.now();
    await turn.full(5);
    const took = performance.now() - started;
    going = false;
    // Asked for its I/O, Deno would work sixty times first.
    assert(took < 30, `${took} ms`);
  }));
