/**
 * Afd and AfdSelector, as far as other backends differ.
 */

import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { AfdInstance, undrained } from "../../backends/afd.ts";
import { baseHandle } from "../../backends/ffi/base_handle.ts";
import { Socket } from "../../backends/ffi/mod.ts";
import {
  Afd,
  AFD_POLL_DISCONNECT,
  AFD_POLL_LOCAL_CLOSE,
  AFD_POLL_RECEIVE,
  AFD_POLL_SEND,
  AfdSelector,
  EVENT_READ,
  EVENT_WRITE,
} from "../../backends/mod.ts";
import { supportedBy } from "../backends.ts";
import {
  bytesOf,
  drainSocket,
  elapsed,
  expectNoEvents,
  nextTurn,
  pairOf,
  PATIENCE,
  summary,
  test,
} from "../util.ts";

const ignore = Deno.build.os !== "windows";
const reason = ignore ? " (ignored: this is not Windows)" : "";

function onWindows(name: string, body: () => void | Promise<void>): void {
  test(`${name}${reason}`, body, { ignore });
}

Deno.test("Afd: is NotSupported on other systems", () => {
  if (ignore) assertThrows(() => new Afd(), Deno.errors.NotSupported, "AFD");
});

onWindows("AfdSelector: supports all events, and one mode", () => {
  assertEquals(supportedBy("AfdSelector"), ["oneShot", "priority", "hangUp"]);
});

onWindows("Afd: a poll ends once, with its events", () => {
  using afd = new Afd();
  using pair = pairOf();
  afd.submit(pair.right, AFD_POLL_RECEIVE | AFD_POLL_SEND);
  assertEquals(afd.wait(PATIENCE), [[pair.right.fd, AFD_POLL_SEND]]);
  pair.left.send(bytesOf("x"));
  assertEquals(afd.wait(0), []);
  afd.submit(pair.right, AFD_POLL_RECEIVE);
  assertEquals(afd.wait(PATIENCE), [[pair.right.fd, AFD_POLL_RECEIVE]]);
});

onWindows("Afd: a half-close is AFD_POLL_DISCONNECT", () => {
  using afd = new Afd();
  using pair = pairOf();
  afd.submit(pair.right, AFD_POLL_DISCONNECT);
  assertEquals(afd.wait(0), []);
  pair.left.shutdown("write");
  assertEquals(afd.wait(PATIENCE), [[pair.right.fd, AFD_POLL_DISCONNECT]]);
});

onWindows(
  "Afd: closing a socket ends its poll, with AFD_POLL_LOCAL_CLOSE",
  () => {
    using afd = new Afd();
    using pair = pairOf();
    const { fd } = pair.right;
    afd.submit(pair.right, AFD_POLL_RECEIVE | AFD_POLL_LOCAL_CLOSE);
    pair.right.close();
    assertEquals(afd.wait(PATIENCE), [[fd, AFD_POLL_LOCAL_CLOSE]]);
  },
);

onWindows(
  "Afd: a cancelled poll has no result, and another can be started",
  () => {
    using afd = new Afd();
    using pair = pairOf();
    afd.submit(pair.right, AFD_POLL_RECEIVE);
    assertThrows(
      () => afd.submit(pair.right, AFD_POLL_SEND),
      Deno.errors.AlreadyExists,
    );
    afd.cancel(pair.right);
    assertThrows(() => afd.cancel(pair.right), Deno.errors.NotFound);
    pair.left.send(bytesOf("x"));
    assertEquals(afd.wait(20), []);
    afd.submit(pair.right, AFD_POLL_SEND);
    assertEquals(afd.wait(PATIENCE), [[pair.right.fd, AFD_POLL_SEND]]);
  },
);

onWindows("Afd: wrong events, and closed sockets, are refused", () => {
  using afd = new Afd();
  using pair = pairOf();
  for (const events of [0, -1, 0x40, 0x200, 1.5, NaN]) {
    assertThrows(() => afd.submit(pair.right, events), RangeError);
  }
  const { fd } = pair.right;
  pair.right.close();
  const { BadResource } = Deno.errors;
  assertThrows(() => afd.submit(fd, AFD_POLL_RECEIVE), BadResource);
  afd.close();
  afd.close();
  assertThrows(() => afd.wait(0), BadResource);
  assertThrows(() => afd.submit(pair.left, AFD_POLL_RECEIVE), BadResource);
});

onWindows(
  "AfdSelector: a poll of more than one handle of AFD is reported",
  () => {
    using selector = new AfdSelector<number>();
    using stack = new DisposableStack();
    const pairs = Array.from({ length: 100 }, () => stack.use(pairOf()));
    pairs.forEach(({ right }, index) => {
      selector.register(right, EVENT_READ, index);
    });
    assertEquals(selector.select(0), []);
    for (const index of [0, 31, 32, 63, 64, 99]) {
      pairs[index]!.left.send(bytesOf("x"));
      assertEquals(summary(selector.select(PATIENCE)), [[index, EVENT_READ]]);
      drainSocket(pairs[index]!.right);
    }
  },
);

onWindows(
  "AfdSelector: events that are not asked for any more end no select()",
  () => {
    using selector = new AfdSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_READ | EVENT_WRITE, "right");
    assertEquals(selector.select(PATIENCE).length, 1);
    selector.modify(pair.right, EVENT_READ, "right");
    expectNoEvents(selector);
    const took = elapsed(() => assertEquals(selector.select(50), []));
    assertLess(took, PATIENCE / 3);
  },
);

onWindows(
  "AfdSelector: the number of a closed socket may become one of AFD's",
  () => {
    using selector = new AfdSelector<string>();
    using pair = pairOf();
    const socket = Socket.create();
    const key = selector.register(socket.fd, EVENT_READ, "socket");
    selector.register(pair.right, EVENT_READ, "right");
    // The first wait opens a handle of AFD, which gets the number.
    socket.close();
    assertEquals(selector.select(PATIENCE), [[key, EVENT_READ]]);
    expectNoEvents(selector);
  },
);

onWindows(
  "AfdInstance: close() during a parked wait ends it, and all polls",
  async () => {
    const before = undrained.length;
    using pair = pairOf();
    const afd = new AfdInstance();
    afd.start(baseHandle(pair.right.fd), AFD_POLL_RECEIVE);
    const parked = afd.waitParked(Infinity, true);
    await nextTurn();
    afd.close();
    assertEquals(await parked, 0);
    assertEquals(undrained.length, before);
  },
);

onWindows("AfdInstance: wake() ends a parked wait", async () => {
  const afd = new AfdInstance();
  const parked = afd.waitParked(Infinity, true);
  await nextTurn();
  afd.wake();
  assertEquals(await parked, 1);
  assertEquals(afd.poll(0), -1);
  afd.close();
});
