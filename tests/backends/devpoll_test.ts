/**
 * The protocol of /dev/poll, byte for byte, against a stand-in; on illumos the
 * conformance suite runs on the real one.
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  DevPoll,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
} from "../../backends/mod.ts";
import {
  type DevPollCalls,
  DevPollInstance,
  withDevPollCalls,
} from "../../backends/devpoll.ts";
import { close, pipe } from "../../backends/ffi/mod.ts";
import { supportedBy } from "../backends.ts";
import { DevPollStandIn } from "../devpoll_stand_in.ts";
import {
  anyFile,
  bytesOf,
  ONLY_LINUX,
  pairOf,
  test,
  type TestOptions,
} from "../util.ts";

/** A stand-in that records the bytes of its calls. */
class Recorder extends DevPollStandIn {
  readonly written: number[][] = [];
  readonly requests: number[][] = [];

  override write(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
    this.written.push([...bytes]);
    return super.write(fd, bytes);
  }

  override poll(fd: number, dvpoll: Uint8Array<ArrayBuffer>): number {
    this.requests.push([...dvpoll]);
    return super.poll(fd, dvpoll);
  }
}

/** Defines a test where a file can stand in for /dev/poll. */
function testDevPoll(
  name: string,
  body: () => void | Promise<void>,
  options: TestOptions = {},
): void {
  test(
    name,
    body,
    anyFile ? options : {
      ignore: true,
      reason: "the stand-in for /dev/poll needs the poll(2) of POSIX",
    },
  );
}

/** A `DevPoll` on a stand-in. */
function openDevPoll(calls: DevPollCalls = new DevPollStandIn()): DevPoll {
  return withDevPollCalls(calls, () => new DevPoll());
}

/** `struct pollfd` of a small descriptor. */
function pollfd(fd: number, events: number): number[] {
  return [fd, 0, 0, 0, events & 0xff, events >> 8, 0, 0];
}

testDevPoll("DevpollSelector: supports urgent data, and no mode", () => {
  assertEquals(supportedBy("DevpollSelector"), ["priority"]);
});

testDevPoll(
  "DevPoll: register() writes one struct pollfd, modify() removes first, unregister() removes",
  () => {
    const calls = new Recorder();
    using devPoll = openDevPoll(calls);
    using pair = pairOf();
    const { fd } = pair.left;
    devPoll.register(fd, POLLIN);
    devPoll.modify(fd, POLLOUT);
    devPoll.unregister(fd);
    assertEquals(calls.written, [
      pollfd(fd, POLLIN),
      [...pollfd(fd, calls.POLLREMOVE), ...pollfd(fd, POLLOUT)],
      pollfd(fd, calls.POLLREMOVE),
    ]);
  },
);

testDevPoll(
  "DevPoll: struct dvpoll has capacity and timeout where the driver reads them",
  () => {
    const calls = new Recorder();
    using devPoll = openDevPoll(calls);
    devPoll.poll(0);
    devPoll.poll(1.5);
    const views = calls.requests.map((bytes) =>
      new DataView(Uint8Array.from(bytes).buffer)
    );
    assertEquals(views.map((view) => view.byteLength), [32, 32]);
    assertEquals(views.map((view) => view.getBigUint64(8, true)), [64n, 64n]);
    assertEquals(views.map((view) => view.getInt32(16, true)), [0, 2]);
  },
);

testDevPoll("DevPoll: no timeout is -1", () => {
  const calls = new Recorder();
  using devPoll = openDevPoll(calls);
  using pair = pairOf();
  devPoll.register(pair.left, POLLOUT);
  assertEquals(devPoll.poll(), [[pair.left.fd, POLLOUT]]);
  assertEquals(calls.requests[0]!.slice(16, 20), [255, 255, 255, 255]);
});

testDevPoll(
  "DevPoll: register() again adds events, modify() replaces them",
  () => {
    using devPoll = openDevPoll();
    using pair = pairOf();
    pair.right.send(bytesOf("x"));
    devPoll.register(pair.left, POLLIN);
    devPoll.register(pair.left, POLLOUT);
    assertEquals(devPoll.poll(1000), [[pair.left.fd, POLLIN | POLLOUT]]);
    devPoll.modify(pair.left, POLLOUT);
    assertEquals(devPoll.poll(1000), [[pair.left.fd, POLLOUT]]);
  },
);

testDevPoll(
  "DevPoll: a closed descriptor is POLLNVAL until it is removed",
  () => {
    using devPoll = openDevPoll();
    const [reader, writer] = pipe();
    devPoll.register(reader, POLLIN);
    close(writer);
    assertEquals(devPoll.poll(1000), [[reader, POLLHUP]]);
    close(reader);
    assertEquals(devPoll.poll(1000), [[reader, POLLNVAL]]);
    devPoll.unregister(reader);
    assertEquals(devPoll.poll(0), []);
  },
  ONLY_LINUX,
);

testDevPoll(
  "DevPollInstance: a wait returns as many structs as there is room for",
  () => {
    const instance = withDevPollCalls(
      new DevPollStandIn(),
      () => new DevPollInstance(),
    );
    const pairs = Array.from({ length: 50 }, () => pairOf());
    for (const { left, right } of pairs) {
      instance.add(left.fd, POLLOUT);
      instance.add(right.fd, POLLOUT);
    }
    assertEquals(instance.wait(0), 64);
    instance.reserve(100);
    assertEquals(instance.wait(0), 100);
    for (const pair of pairs) pair[Symbol.dispose]();
    instance.close();
  },
);

testDevPoll("DevPoll: events that do not fit 16 bits are refused [A28]", () => {
  using devPoll = openDevPoll();
  for (const events of [-1, 65536, 1.5, NaN]) {
    assertThrows(() => devPoll.register(0, events), RangeError);
    assertThrows(() => devPoll.modify(0, events), RangeError);
  }
});

testDevPoll("DevPoll: after close() every call is BadResource", () => {
  const devPoll = openDevPoll();
  devPoll.close();
  devPoll.close();
  assertEquals(devPoll.fd, -1);
  for (
    const call of [
      () => devPoll.register(0, POLLIN),
      () => devPoll.modify(0, POLLIN),
      () => devPoll.unregister(0),
      () => devPoll.poll(0),
    ]
  ) {
    assertThrows(call, Deno.errors.BadResource, "closed");
  }
});

test("DevPoll: a system without it is NotSupported, by name", () => {
  assertThrows(() => new DevPoll(), Deno.errors.NotSupported, "/dev/poll");
}, {
  ignore: ["illumos", "solaris"].includes(Deno.build.os),
  reason: "this system has it",
});
