/**
 * Kqueue, as far as other backends differ: on macOS and the BSDs, or with the
 * libkqueue of POLLUX_KQUEUE_LIBRARY.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { Kqueue } from "../../backends/mod.ts";
import { isCloseOnExec } from "../descriptors.ts";
import { backends, supportedBy } from "../backends.ts";
import { bytesOf, pairOf, test } from "../util.ts";

const { absent } = backends.find(({ name }) => name === "KqueueSelector")!;
const reason = absent === undefined ? "" : ` (ignored: ${absent})`;
const library = Deno.env.get("POLLUX_KQUEUE_LIBRARY");

function make(): Kqueue {
  return new Kqueue(library === undefined ? {} : { library });
}

function testKqueue(name: string, body: () => void): void {
  test(`Kqueue: ${name}${reason}`, body, { ignore: absent !== undefined });
}

test(
  `KqueueSelector: supports edge and one-shot, on macOS urgent data${reason}`,
  () => {
    assertEquals(supportedBy("KqueueSelector"), [
      "edge",
      "oneShot",
      ...(Deno.build.os === "darwin" ? ["priority"] : []),
    ]);
  },
  { ignore: absent !== undefined },
);

testKqueue(
  "data is the number of bytes to read, and udata comes back [A27] [B35]",
  () => {
    using kqueue = make();
    using pair = pairOf();
    const { EVFILT_READ, EV_ADD } = kqueue.constants;
    const ident = pair.right.fd;
    pair.left.send(bytesOf("abc"));
    const [event] = kqueue.control(
      [{ ident, filter: EVFILT_READ, flags: EV_ADD, udata: 77 }],
      8,
      1000,
    );
    assertEquals([event?.ident, event?.filter, event?.data, event?.udata], [
      ident,
      EVFILT_READ,
      3,
      77,
    ]);
  },
);

testKqueue("deleting a missing filter is NotFound [A26]", () => {
  using kqueue = make();
  using pair = pairOf();
  const { EVFILT_READ, EV_DELETE } = kqueue.constants;
  assertThrows(
    () =>
      kqueue.control([{
        ident: pair.left.fd,
        filter: EVFILT_READ,
        flags: EV_DELETE,
      }]),
    Deno.errors.NotFound,
  );
});

testKqueue(
  "EV_DISABLE suppresses events, EV_ENABLE reports pending ones [D08]",
  () => {
    using kqueue = make();
    using pair = pairOf();
    const { EVFILT_READ, EV_ADD, EV_DISABLE, EV_ENABLE } = kqueue.constants;
    const change = (
      flags: number,
    ): { ident: number; filter: number; flags: number } => ({
      ident: pair.right.fd,
      filter: EVFILT_READ,
      flags,
    });
    kqueue.control([change(EV_ADD), change(EV_DISABLE)]);
    pair.left.send(bytesOf("x"));
    assertEquals(kqueue.control([], 8, 20), []);
    assertEquals(kqueue.control([change(EV_ENABLE)], 8, 1000).length, 1);
  },
);

testKqueue("EV_ONESHOT fires once and removes the filter [D03]", () => {
  using kqueue = make();
  using pair = pairOf();
  const { EVFILT_WRITE, EV_ADD, EV_ONESHOT } = kqueue.constants;
  const flags = EV_ADD | EV_ONESHOT;
  const change = { ident: pair.left.fd, filter: EVFILT_WRITE, flags };
  assertEquals(kqueue.control([change], 8, 1000).length, 1);
  assertEquals(kqueue.control([], 8, 20), []);
});

testKqueue("EV_EOF comes with the data that is left", () => {
  using kqueue = make();
  using pair = pairOf();
  const { EVFILT_READ, EV_ADD, EV_EOF } = kqueue.constants;
  pair.left.send(bytesOf("abc"));
  pair.left.close();
  const change = { ident: pair.right.fd, filter: EVFILT_READ, flags: EV_ADD };
  const [event] = kqueue.control([change], 8, 1000);
  assertEquals([event!.flags & EV_EOF, event!.data], [EV_EOF, 3]);
});

testKqueue(
  "control() with a maximum of 0 makes changes and does not wait",
  () => {
    using kqueue = make();
    assertEquals(kqueue.control([]), []);
    for (const maximum of [-1, 1.5, NaN]) {
      assertThrows(() => kqueue.control([], maximum), RangeError);
    }
  },
);

testKqueue("fd is close-on-exec, and -1 after close()", () => {
  const kqueue = make();
  assert(isCloseOnExec(kqueue.fd));
  kqueue.close();
  kqueue.close();
  assertEquals(kqueue.fd, -1);
  assertThrows(
    () => kqueue.control([], 1, 0),
    Deno.errors.BadResource,
    "closed",
  );
});

test("Kqueue: a system without it is NotSupported, by name", () => {
  assertThrows(() => new Kqueue(), Deno.errors.NotSupported, "kqueue");
}, {
  ignore: !["linux", "illumos", "solaris"].includes(Deno.build.os),
  reason: "this system has it, or no library of the kind",
});
