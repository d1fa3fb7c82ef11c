/**
 * The end of a process as kqueue reports it: on macOS and the BSDs, or with the
 * libkqueue of POLLUX_KQUEUE_LIBRARY.
 */

import { assertEquals, assertThrows } from "@std/assert";
import type { Child } from "../../../adapters/process/mod.ts";
import { numbers } from "../../../adapters/process/numbers.ts";
import { ProcessQueue } from "../../../adapters/process/process_descriptor.ts";
import { POLLIN } from "../../../backends/poll.ts";
import { Kqueue, Poll } from "../../../backends/mod.ts";
import { backends } from "../../backends.ts";
import { PATIENCE, test } from "../../util.ts";
import { Stage } from "./stage.ts";

const { absent } = backends.find(({ name }) => name === "KqueueSelector")!;
const library = Deno.env.get("POLLUX_KQUEUE_LIBRARY") || undefined;

/** libkqueue has the numbers of FreeBSD. */
const table = library === undefined
  ? () => numbers()
  : () => ({ EVFILT_PROC: -5, NOTE_EXIT: 0x8000_0000 });

/** The descriptor of a libkqueue is a pipe, which is never ready. */
const unready = absent ??
  (library === undefined ? undefined : "libkqueue is never ready itself");

function testQueue(
  name: string,
  body: (stage: Stage) => Promise<void>,
  reason: string | undefined,
): void {
  const suffix = reason === undefined ? "" : ` (ignored: ${reason})`;
  test(`ProcessQueue: ${name}${suffix}`, async () => {
    await using stage = new Stage();
    await body(stage);
  }, { ignore: reason !== undefined });
}

function queueOf({ pid }: { readonly pid: number }): ProcessQueue {
  return new ProcessQueue(pid, table(), library);
}

/** Whether a descriptor becomes ready in time. */
function isReady({ fd }: ProcessQueue, timeout: number): boolean {
  const poll = new Poll();
  poll.register(fd, POLLIN);
  return poll.poll(timeout).length === 1;
}

/** A child whose end nothing takes, as the loop does not turn. */
function sleeper(stage: Stage): Child {
  return stage.spawn("sleep", { args: ["60"] });
}

testQueue(
  "kqueue reports the end of a child, and its status word",
  async (stage) => {
    const child = sleeper(stage);
    using kqueue = new Kqueue(library === undefined ? {} : { library });
    const { EV_ADD, EV_ONESHOT } = kqueue.constants;
    const { EVFILT_PROC, NOTE_EXIT } = table();
    kqueue.control([{
      ident: child.pid,
      filter: EVFILT_PROC!,
      flags: EV_ADD | EV_ONESHOT,
      fflags: NOTE_EXIT,
    }]);
    child.kill();
    const [event] = kqueue.control([], 1, PATIENCE);
    assertEquals([event?.ident, event?.data], [child.pid, 15]);
    assertEquals((await child.status).signal, "SIGTERM");
  },
  absent,
);

testQueue("a signal reaches the child", async (stage) => {
  const child = sleeper(stage);
  using queue = queueOf(child);
  assertEquals(queue.kill("SIGTERM"), true);
  assertEquals((await child.status).signal, "SIGTERM");
  assertEquals(queue.kill("SIGTERM"), false);
}, absent);

testQueue("it is ready once the process has ended", async (stage) => {
  const child = sleeper(stage);
  using queue = queueOf(child);
  assertEquals(isReady(queue, 0), false);
  assertEquals(queue.kill("SIGTERM"), true);
  assertEquals(isReady(queue, PATIENCE), true);
  assertEquals((await child.status).signal, "SIGTERM");
}, unready);

testQueue("a child that has ended before is ready at once", async (stage) => {
  const child = sleeper(stage);
  using first = queueOf(child);
  child.kill("SIGKILL");
  isReady(first, PATIENCE);
  using second = queueOf(child);
  assertEquals(isReady(second, PATIENCE), true);
  await child.status;
}, unready);

testQueue("without a process it throws ESRCH", async (stage) => {
  const child = stage.spawn("true");
  await child.status;
  const error = assertThrows(
    () => queueOf(child),
    Error,
    `kevent ${child.pid}`,
  );
  assertEquals((error as { code?: string }).code, "ESRCH");
}, absent);
