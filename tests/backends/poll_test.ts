/**
 * Poll and select(), as far as other backends differ.
 */

import { assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import { close, pipe } from "../../backends/ffi/mod.ts";
import { firstTooLarge } from "../../backends/ffi/select_call.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import {
  Poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLRDHUP,
  select,
} from "../../backends/mod.ts";
import { supportedBy } from "../backends.ts";
import { bytesOf, elapsed, ONLY_LINUX, pairOf, test } from "../util.ts";

for (const name of ["PollSelector", "SelectSelector"]) {
  test(`${name}: supports urgent data, and no mode`, () => {
    assertEquals(supportedBy(name), ["priority"]);
  });
}

test("Poll: poll() returns descriptors with their bits, in the order of registration", () => {
  using pair = pairOf();
  const poll = new Poll();
  poll.register(pair.right, POLLIN | POLLOUT);
  poll.register(pair.left, POLLIN);
  assertEquals(poll.poll(0), [[pair.right.fd, POLLOUT]]);
  pair.left.send(bytesOf("x"));
  pair.right.send(bytesOf("x"));
  assertEquals(poll.poll(1000), [
    [pair.right.fd, POLLIN | POLLOUT],
    [pair.left.fd, POLLIN],
  ]);
});

test("Poll: a number that is not open is POLLNVAL, and the others still work [B29]", () => {
  using pair = pairOf();
  const [reader, writer] = wakePair();
  close(writer);
  close(reader);
  const poll = new Poll();
  poll.register(reader, POLLIN);
  poll.register(pair.left, POLLOUT);
  for (let round = 0; round < 2; round++) {
    assertEquals(poll.poll(1000), [[reader, POLLNVAL], [
      pair.left.fd,
      POLLOUT,
    ]]);
  }
  poll.unregister(reader);
  assertEquals(poll.poll(1000), [[pair.left.fd, POLLOUT]]);
});

test(
  "Poll: the end of a pipe is POLLHUP alone at one end, POLLERR at the other [C03] [C04]",
  () => {
    const poll = new Poll();
    const [first, second] = [pipe(), pipe()];
    close(first[1]);
    close(second[0]);
    poll.register(first[0], POLLIN);
    poll.register(second[1], POLLIN);
    const found = new Map(poll.poll(1000));
    close(first[0]);
    close(second[1]);
    assertEquals((found.get(first[0]) ?? 0) & (POLLHUP | POLLERR), POLLHUP);
    assertEquals((found.get(second[1]) ?? 0) & POLLERR, POLLERR);
  },
  ONLY_LINUX,
);

test("Poll: POLLRDHUP reports a half-close", () => {
  using pair = pairOf();
  const poll = new Poll();
  poll.register(pair.right, POLLRDHUP);
  pair.left.shutdown("write");
  assertEquals(poll.poll(1000), [[pair.right.fd, POLLRDHUP]]);
}, ONLY_LINUX);

test("Poll: a second register() changes the events, as does modify()", () => {
  using pair = pairOf();
  const poll = new Poll();
  poll.register(pair.left, POLLIN);
  poll.register(pair.left, POLLOUT);
  assertEquals(poll.poll(0), [[pair.left.fd, POLLOUT]]);
  poll.modify(pair.left, POLLIN);
  assertEquals(poll.poll(0), []);
});

test("Poll: modify() and unregister() of an unregistered descriptor are NotFound", () => {
  const poll = new Poll();
  assertThrows(() => poll.modify(0, POLLIN), Deno.errors.NotFound);
  assertThrows(() => poll.unregister(0), Deno.errors.NotFound);
});

test("Poll: events that do not fit 16 bits are refused [A28]", () => {
  const poll = new Poll();
  for (const events of [-1, 65536, 1.5, NaN]) {
    assertThrows(() => poll.register(0, events), RangeError);
  }
});

test("Poll: every negative timeout is no timeout, as in C [E07]", () => {
  using pair = pairOf();
  const poll = new Poll();
  poll.register(pair.left, POLLOUT);
  for (const timeout of [-1, -0.1, -1e-100, -Infinity, undefined]) {
    assertEquals(poll.poll(timeout), [[pair.left.fd, POLLOUT]]);
  }
});

test("Poll: with nothing registered it waits for its timeout", () => {
  const poll = new Poll();
  assertGreaterOrEqual(elapsed(() => assertEquals(poll.poll(20), [])), 20);
});

test("select(): each list comes back with its ready file objects", () => {
  using pair = pairOf();
  const { left, right } = pair;
  left.send(bytesOf("x"));
  assertEquals(select([left, right], [left, right.fd], [left], 1000), [
    [right],
    [left, right.fd],
    [],
  ]);
});

test("select(): nothing ready is three empty lists, after the timeout", () => {
  using pair = pairOf();
  const took = elapsed(() => {
    assertEquals(select([pair.left], [], [], 20), [[], [], []]);
  });
  assertGreaterOrEqual(took, 20);
});

test("select(): empty lists wait for the timeout", () => {
  const took = elapsed(() =>
    assertEquals(select([], [], [], 20), [[], [], []])
  );
  assertGreaterOrEqual(took, 20);
});

test("select(): a closed descriptor fails the call [B28]", () => {
  const [reader, writer] = wakePair();
  close(reader);
  close(writer);
  assertThrows(() => select([reader], [], [], 0), Deno.errors.BadResource);
});

test("select(): descriptors without a bit are refused [P02]", () => {
  const tooLarge = firstTooLarge === Infinity ? [] : [1024, 2 ** 20];
  for (const fd of [-1, ...tooLarge]) {
    for (const lists of [[[fd], [], []], [[], [fd], []], [[], [], [fd]]]) {
      assertThrows(
        () => select(lists[0]!, lists[1]!, lists[2]!, 0),
        RangeError,
      );
    }
  }
});

test("select(): a list that changes during iteration does no harm [F21]", () => {
  using pair = pairOf();
  const list: { fd: number }[] = [];
  const clears = {
    get fd(): number {
      list.length = 0;
      return pair.left.fd;
    },
  };
  list.push(clears, pair.right);
  assertEquals(select([], list, [], 1000)[1].length, 2);
});
