/**
 * Epoll and EpollSelector, as far as other backends differ.
 */

import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { close, dup, isSystemError, openFile } from "../../backends/ffi/mod.ts";
import { libc } from "../../backends/ffi/libc.ts";
import {
  Epoll,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDHUP,
  EpollSelector,
  EVENT_READ,
  EVENT_WRITE,
  MODE_ONE_SHOT,
} from "../../backends/mod.ts";
import { EPOLL_CTL_ADD, EpollInstance } from "../../backends/epoll.ts";
import { supportedBy } from "../backends.ts";
import { isCloseOnExec } from "../descriptors.ts";
import {
  bytesOf,
  elapsed,
  emulated,
  expectEvents,
  expectNoEvents,
  pairOf,
  test,
} from "../util.ts";

const ignore = Deno.build.os !== "linux";
const reason = ignore ? " (ignored: this is not Linux)" : "";

function testEpoll(
  name: string,
  body: () => void,
  options: { ignore: boolean } = { ignore },
): void {
  test(`Epoll: ${name}${reason}`, body, options);
}

test(`EpollSelector: supports every event and mode${reason}`, () => {
  assertEquals(
    supportedBy("EpollSelector"),
    ["edge", "oneShot", "exclusive", "priority", "hangUp"],
  );
}, { ignore });

testEpoll("poll() returns descriptors with their bits", () => {
  using epoll = new Epoll();
  using pair = pairOf();
  epoll.register(pair.right, EPOLLIN | EPOLLOUT);
  pair.left.send(bytesOf("x"));
  assertEquals(epoll.poll(1000), [[pair.right.fd, EPOLLIN | EPOLLOUT]]);
});

/** Lets the next change fail, as at the user's limit of watches. */
function failNextControl(errno: number): void {
  const { tryControl } = EpollInstance.prototype;
  EpollInstance.prototype.tryControl = (): number => {
    EpollInstance.prototype.tryControl = tryControl;
    return errno;
  };
}

testEpoll(
  "register() at the limit of the system throws, and other registrations stay [P04]",
  () => {
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_READ, "right");
    for (const code of ["ENOSPC", "ENOMEM"]) {
      failNextControl(system().errno[code]!);
      const error = assertThrows(
        () => selector.register(pair.left, EVENT_WRITE, "left"),
        Error,
      );
      assert(isSystemError(error));
      assertEquals([error.code, error.syscall], [code, "epoll_ctl"]);
      assertEquals(selector.getMap().size, 1);
    }
    selector.register(pair.left, EVENT_WRITE, "left");
    pair.left.send(bytesOf("x"));
    expectEvents(selector, [["left", EVENT_WRITE], ["right", EVENT_READ]]);
  },
);

testEpoll(
  "the 64 bits of data come back: the layout of struct epoll_event is right",
  () => {
    using epoll = new EpollInstance();
    using pair = pairOf();
    using other = pairOf();
    epoll.control(EPOLL_CTL_ADD, pair.left.fd, EPOLLOUT, 0x7654_3210);
    epoll.control(EPOLL_CTL_ADD, other.left.fd, EPOLLOUT, -2);
    assertEquals(epoll.wait(1000), 2);
    const cookies = [0, 1].map((
      index,
    ) => [epoll.events.fd(index), epoll.events.generation(index)]);
    assertEquals(
      cookies.sort(([a], [b]) => a! - b!),
      [[pair.left.fd, 0x7654_3210], [other.left.fd, -2]].sort(([a], [b]) =>
        a! - b!
      ),
    );
  },
);

testEpoll(
  "register() twice, and modify() and unregister() of an unregistered one, are the system's errors",
  () => {
    using epoll = new Epoll();
    using pair = pairOf();
    epoll.register(pair.left, EPOLLIN);
    assertThrows(
      () => epoll.register(pair.left, EPOLLIN),
      Deno.errors.AlreadyExists,
    );
    assertThrows(() => epoll.modify(pair.right, EPOLLIN), Deno.errors.NotFound);
    assertThrows(() => epoll.unregister(pair.right), Deno.errors.NotFound);
    assertThrows(
      () => epoll.register(1_000_000, EPOLLIN),
      Deno.errors.BadResource,
    );
  },
);

testEpoll("a regular file is refused [B23]", () => {
  using epoll = new Epoll();
  const fd = openFile(new URL(import.meta.url).pathname);
  assertThrows(() => epoll.register(fd, EPOLLIN), Deno.errors.PermissionDenied);
  close(fd);
});

testEpoll("unknown bits are refused, known ones of bit 31 are not", () => {
  using epoll = new Epoll();
  using pair = pairOf();
  for (const events of [-1, 1.5, 2 ** 32, 0x4000]) {
    assertThrows(() => epoll.register(pair.left, events), RangeError);
  }
  epoll.register(pair.left, (EPOLLIN | EPOLLET) >>> 0);
  epoll.modify(pair.left, EPOLLIN + EPOLLET);
  epoll.modify(pair.left, EPOLLIN | EPOLLET);
});

testEpoll("EPOLLRDHUP reports a half-close", () => {
  using epoll = new Epoll();
  using pair = pairOf();
  epoll.register(pair.right, EPOLLRDHUP);
  pair.left.shutdown("write");
  assertEquals(epoll.poll(1000), [[pair.right.fd, EPOLLRDHUP]]);
});

testEpoll("EPOLLHUP is always reported", () => {
  using epoll = new Epoll();
  using pair = pairOf();
  epoll.register(pair.right, 0);
  pair.left.close();
  const [[fd, events]] = epoll.poll(1000) as [[number, number]];
  assertEquals([fd, events & ~EPOLLERR], [pair.right.fd, EPOLLHUP]);
});

testEpoll("EPOLLEXCLUSIVE cannot be modified", () => {
  using epoll = new Epoll();
  using pair = pairOf();
  epoll.register(pair.right, EPOLLIN | EPOLLEXCLUSIVE);
  assertThrows(() => epoll.modify(pair.right, EPOLLOUT), TypeError);
});

testEpoll(
  "poll() with a maximum leaves the others to the next, including one-shot registrations",
  () => {
    using epoll = new Epoll();
    using pair = pairOf();
    epoll.register(pair.left, EPOLLOUT | EPOLLONESHOT);
    epoll.register(pair.right, EPOLLOUT | EPOLLONESHOT);
    const fds = [epoll.poll(1000, 1), epoll.poll(1000, 1)].flat().map(([fd]) =>
      fd
    );
    assertEquals(fds.sort(), [pair.left.fd, pair.right.fd].sort());
    for (const maximum of [0, -1, 1.5, NaN]) {
      assertThrows(() => epoll.poll(0, maximum), RangeError);
    }
  },
);

testEpoll(
  "fd is close-on-exec, also after renew(), and -1 after close()",
  () => {
    for (const epoll of [new Epoll(), new EpollInstance()]) {
      const { fd } = epoll;
      assert(isCloseOnExec(fd));
      if (epoll instanceof EpollInstance) epoll.renew();
      assertEquals([epoll.fd, isCloseOnExec(fd)], [fd, true]);
      epoll.close();
      epoll.close();
      assertEquals(epoll.fd, -1);
    }
  },
);

testEpoll("after close() every call is BadResource", () => {
  const epoll = new Epoll();
  epoll.close();
  for (
    const call of [
      () => epoll.register(0, EPOLLIN),
      () => epoll.modify(0, EPOLLIN),
      () => epoll.unregister(0),
      () => epoll.poll(0),
      () => epoll.poll(0.5),
    ]
  ) {
    assertThrows(call, Deno.errors.BadResource, "closed");
  }
});

testEpoll("renew() drops a registration that cannot be deleted", () => {
  using epoll = new EpollInstance();
  using pair = pairOf();
  const copy = dup(pair.right);
  epoll.control(EPOLL_CTL_ADD, pair.right.fd, EPOLLIN, 0);
  pair.right.close();
  pair.left.send(bytesOf("x"));
  assertEquals(epoll.wait(1000), 1);
  epoll.renew();
  assertEquals(epoll.wait(0), 0);
  close(copy);
});

testEpoll(
  "waits of less than a millisecond use epoll_pwait2, if the kernel has it",
  () => {
    using epoll = new EpollInstance();
    const times = Array.from(
      { length: 50 },
      () => elapsed(() => epoll.wait(0.05)),
    );
    assertLess(Math.min(...times), 1);
  },
  { ignore: ignore || emulated || libc().epoll_pwait2 === null },
);

/** Ends a registration whose file stays open, and is ready, in the returned duplicate. */
function leaveDuplicate(selector: EpollSelector<string>): number {
  using pair = pairOf();
  const copy = dup(pair.right);
  selector.register(pair.right, EVENT_READ, "copied");
  pair.right.close();
  selector.unregister(pair.right);
  pair.left.send(bytesOf("x"));
  return copy;
}

/** Lets the selector find a file that a duplicate keeps open, until it renews its instance. */
function renew(selector: EpollSelector<string>): void {
  const copy = leaveDuplicate(selector);
  for (let round = 0; round < 3; round++) selector.wait(0);
  close(copy);
}

testEpoll(
  "a selector that renews its instance keeps every registration",
  () => {
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_READ, "right");
    selector.register(pair.left, EVENT_WRITE, "left");
    const { fd } = selector;
    renew(selector);
    assertEquals(selector.fd, fd);
    pair.left.send(bytesOf("x"));
    expectEvents(selector, [["left", EVENT_WRITE], ["right", EVENT_READ]]);
  },
);

testEpoll(
  "a selector that renews its instance does not arm a fired one-shot registration",
  () => {
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_WRITE | MODE_ONE_SHOT, "right");
    expectEvents(selector, [["right", EVENT_WRITE]]);
    renew(selector);
    expectNoEvents(selector);
    selector.modify(pair.right, EVENT_WRITE | MODE_ONE_SHOT, "right");
    expectEvents(selector, [["right", EVENT_WRITE]]);
  },
);

testEpoll(
  "a one-shot registration fired in a parked wait is not armed by a renewal",
  async () => {
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_WRITE | MODE_ONE_SHOT, "right");
    assertEquals(await selector.park(1000), 1);
    const copy = leaveDuplicate(selector);
    for (let round = 0; round < 3; round++) assertEquals(selector.wait(0), 0);
    assertEquals(selector.renewals, 1);
    close(copy);
  },
);

testEpoll(
  "a one-shot registration fired in the wait that renews is not armed again",
  () => {
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    const copy = leaveDuplicate(selector);
    selector.wait(0);
    selector.register(pair.right, EVENT_WRITE | MODE_ONE_SHOT, "right");
    // This wait finds the duplicate for the second time.
    assertEquals([selector.wait(0), selector.renewals], [1, 1]);
    close(copy);
    expectNoEvents(selector);
  },
);

testEpoll(
  "an epoll instance that watches a selector's has to register it again after a renewal",
  () => {
    using outer = new Epoll();
    using selector = new EpollSelector<string>();
    using pair = pairOf();
    selector.register(pair.right, EVENT_READ, "right");
    outer.register(selector, EPOLLIN);
    renew(selector);
    pair.left.send(bytesOf("x"));
    assertEquals([selector.renewals, outer.poll(0)], [1, []]);
    outer.register(selector, EPOLLIN);
    assertEquals(outer.poll(0), [[selector.fd, EPOLLIN]]);
  },
);

test(
  `EpollSelector: a parked wait notices no regular file that is registered during it, and waitFd says so [G09]${reason}`,
  async () => {
    const file = openFile(new URL(import.meta.url).pathname);
    using selector = new EpollSelector<string>();
    const start = performance.now();
    const parked = selector.park(50);
    selector.register(file, EVENT_READ, "file");
    assertEquals(selector.waitFd, -1);
    assertEquals(await parked, 1);
    assert(performance.now() - start >= 50);
    assertEquals(selector.readyData(0), "file");
    close(file);
  },
  { ignore },
);
