/**
 * Turns of Deno's event loop, and its epoll instance.
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { system } from "../../backends/ffi/current_system.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { libc } from "../../backends/ffi/libc.ts";
import { close, Socket } from "../../backends/ffi/mod.ts";
import type { InternetAddress } from "../../backends/ffi/mod.ts";
import { DenoEpoll } from "../../backends/deno_epoll.ts";
import { DenoTurn } from "../../reactor/sharing/deno_turn.ts";
import { anyFile, ONLY_LINUX, openFds, PATIENCE, test } from "../util.ts";

/** Whether a turn can wait for a descriptor that Deno reads. */
const hasLink = anyFile;

/** Runs a test with turns. */
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

/** Connects to a listener of Deno's, without Deno. */
function dial(listener: Deno.TcpListener): Socket {
  const socket = Socket.create("IPv4");
  socket.connect(listener.addr as InternetAddress);
  return socket;
}

test(
  "DenoEpoll: it is ready as soon as Deno's network has pending I/O",
  () =>
    withTurns(async (turn) => {
      const selector = turn.epoll!;
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const accepted = listener.accept();
      // Other work of this process ends first.
      do await turn.runIo(1000); while (selector.ready);
      using _client = dial(listener);
      assert(selector.ready);
      (await accepted).close();
    }),
  ONLY_LINUX,
);

test("DenoEpoll.find(): it returns null for a descriptor that Deno does not watch", () => {
  using socket = Socket.create("IPv4");
  using other = Socket.create("IPv4");
  assertEquals(DenoEpoll.find(socket.fd, other.fd), null);
});

test("DenoTurn.runTimers(): it calls due timers of Deno", () =>
  withTurns(async (turn) => {
    let called = false;
    setTimeout(() => called = true, 1);
    const end = performance.now() + 5;
    while (performance.now() < end);
    await turn.runTimers();
    await turn.runTimers();
    assert(called);
  }));

test("DenoTurn.runIo(): Deno's network makes progress", () =>
  withTurns(async (turn) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    let accepted: Deno.Conn | undefined;
    const accepting = listener.accept().then((conn) => accepted = conn);
    await turn.runIo(1000);
    using _client = dial(listener);
    await turn.runIo(1000);
    // A turn may report its events late, but before the next one ends.
    await turn.runIo(1000);
    // Windows has no link: there a turn makes Deno's I/O likely, and no more.
    const end = performance.now() + (hasLink ? 0 : PATIENCE);
    while (accepted === undefined && performance.now() < end) {
      await turn.runIo(1000);
    }
    assert(accepted !== undefined);
    (await accepting).close();
  }));

test(
  "DenoTurn.runIo(): a program whose promises never pause takes no more than its turn",
  () =>
    withTurns(async (turn) => {
      let going = true;
      let worked = 0;
      const work = (): void => {
        worked++;
        const end = performance.now() + 1;
        while (performance.now() < end);
        if (going) setImmediate(work);
      };
      work();
      // The first turn, of any length, shows whether the program pauses.
      await turn.runIo(5);
      worked = 0;
      await turn.runIo(5);
      going = false;
      // Until tokio polls I/O, the program would work sixty times.
      assert(worked < 30, `worked ${worked} times`);
    }),
);

/** Finds the source of the link among new descriptors: an eventfd, or a pipe's end. */
function linkAmong(before: ReadonlyMap<number, string>): number {
  for (const [fd, target] of openFds()) {
    if (before.get(fd) === target) continue;
    if (target === "anon_inode:[eventfd]") return fd;
    if (!target.startsWith("pipe:")) continue;
    const info = Deno.readTextFileSync(`/proc/self/fdinfo/${fd}`);
    if (/^flags:\s+\d*0$/m.test(info)) return fd;
  }
  throw new Error("There is no link");
}

test(
  "DenoTurn.runIo(): after the link broke, turns end and Deno's network makes progress",
  async () => {
    const before = openFds();
    await withTurns(async (turn) => {
      const fd = linkAmong(before);
      const [reader, writer] = wakePair();
      // The descriptor is another file now: bytes of the link are never read.
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
  ONLY_LINUX,
);
