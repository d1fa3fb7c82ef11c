/**
 * The structs, in the layouts of every system, on every machine.
 */

import { assertEquals, assertGreaterOrEqual, assertThrows } from "@std/assert";
import {
  epollEventLayout,
  EpollEvents,
} from "../../../backends/ffi/structs/epoll_event.ts";
import { FD_SETSIZE, FdSet } from "../../../backends/ffi/structs/fd_set.ts";
import { kqueueConstants } from "../../../backends/ffi/kqueue_library.ts";
import { DvPoll } from "../../../backends/ffi/structs/dvpoll.ts";
import { keventLayout, Kevents } from "../../../backends/ffi/structs/kevent.ts";
import { PollFds, posixPollfd } from "../../../backends/ffi/structs/pollfd.ts";
import {
  LONGEST_WAIT,
  Timespec,
  Timeval,
  toMilliseconds,
} from "../../../backends/ffi/structs/time.ts";
import { darwin } from "../../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../../backends/ffi/systems/freebsd.ts";
import { linux } from "../../../backends/ffi/systems/linux.ts";
import { netbsd } from "../../../backends/ffi/systems/netbsd.ts";
import { withSeed } from "../../util.ts";

for (const arch of ["x86_64", "aarch64"]) {
  const layout = epollEventLayout(linux(arch))!;

  Deno.test(`struct epoll_event on ${arch} keeps its fields where the kernel looks`, () => {
    const events = new EpollEvents(layout, 3);
    events.set(1, 0x8000_0001, 0x1234_5678, -2);
    const view = new DataView(events.bytes);
    assertEquals(events.bytes.byteLength, 3 * layout.size);
    const start = layout.size;
    assertEquals(view.getUint32(start + layout.events, true), 0x8000_0001);
    assertEquals(view.getInt32(start + layout.data, true), 0x1234_5678);
    assertEquals(view.getInt32(start + layout.data + 4, true), -2);
  });

  Deno.test(`struct epoll_event on ${arch} reads back the values that were set, and touches no neighbour`, () => {
    const events = new EpollEvents(layout, 3);
    for (const index of [2, 0, 1]) {
      events.set(index, 0x8000_0000 + index, 7 + index, -1 - index);
    }
    for (const index of [0, 1, 2]) {
      assertEquals(
        [events.events(index), events.fd(index), events.generation(index)],
        [0x8000_0000 + index, 7 + index, -1 - index],
      );
    }
  });
}

for (const system of [darwin("aarch64"), freebsd("x86_64"), netbsd("x86_64")]) {
  const layout = keventLayout(system)!;
  const { EVFILT_READ, EVFILT_WRITE } = kqueueConstants(system)!;

  Deno.test(`${system.name}: struct kevent reads back the values that were set, and touches no neighbour`, () => {
    const events = new Kevents(layout, 3);
    const written = [
      {
        ident: 3,
        filter: EVFILT_READ,
        flags: 1,
        fflags: 2,
        data: -1,
        udata: 4,
      },
      {
        ident: 2 ** 31,
        filter: EVFILT_WRITE,
        flags: 0x8000,
        fflags: 2 ** 31,
        data: 2 ** 40,
        udata: -7,
      },
      {
        ident: 0,
        filter: EVFILT_READ,
        flags: 0,
        fflags: 0,
        data: -(2 ** 40),
        udata: 0,
      },
    ];
    for (const index of [2, 0, 1]) {
      const { ident, filter, flags, fflags, data, udata } = written[index]!;
      events.set(index, ident, filter, flags, fflags, data, udata);
    }
    assertEquals([0, 1, 2].map((index) => events.get(index)), written);
  });

  Deno.test(`${system.name}: struct kevent keeps its fields where the kernel looks`, () => {
    const events = new Kevents(layout, 2);
    events.set(1, 5, EVFILT_WRITE, 0x11, 0x22, 0x33, 0x44);
    const view = new DataView(events.bytes, layout.size);
    assertEquals(events.bytes.byteLength, 2 * layout.size);
    assertEquals(view.getBigUint64(layout.ident, true), 5n);
    assertEquals(view.getUint32(layout.fflags, true), 0x22);
    assertEquals(view.getBigInt64(layout.data, true), 0x33n);
    assertEquals(view.getBigInt64(layout.udata, true), 0x44n);
    const [filter, flags] = layout.filterBytes === 2
      ? [view.getInt16(layout.filter, true), view.getUint16(layout.flags, true)]
      : [
        view.getUint32(layout.filter, true),
        view.getUint32(layout.flags, true),
      ];
    assertEquals([filter, flags], [EVFILT_WRITE, 0x11]);
  });
}

Deno.test("fd_set holds exactly the added descriptors, as one bit each", () => {
  const set = new FdSet();
  for (const fd of [0, 31, 32, 63, 64, 1023]) set.add(fd);
  set.delete(32);
  const expected = new Uint8Array(FD_SETSIZE / 8);
  for (const fd of [0, 31, 63, 64, 1023]) expected[fd >> 3]! |= 1 << (fd & 7);
  assertEquals(new Uint8Array(set.bytes), expected);
  assertEquals([set.has(31), set.has(32)], [true, false]);
});

Deno.test("fd_set refuses numbers outside of it, and has none of them", () => {
  const set = new FdSet();
  for (const fd of [-1, FD_SETSIZE, 2 ** 32, 0.5, NaN]) {
    assertThrows(() => set.add(fd), RangeError);
    assertThrows(() => set.delete(fd), RangeError);
    assertEquals(set.has(fd), false);
  }
  assertEquals(new Uint8Array(set.bytes).every((byte) => byte === 0), true);
});

Deno.test("fd_set is copied and emptied whole", () => {
  const [set, copy] = [new FdSet(), new FdSet()];
  copy.add(5);
  set.add(1000);
  copy.copyFrom(set);
  set.clear();
  assertEquals([copy.has(5), copy.has(1000), set.has(1000)], [
    false,
    true,
    false,
  ]);
});

Deno.test("struct pollfd keeps its fields where the kernel looks", () => {
  const fds = new PollFds(2, posixPollfd);
  fds.set(1, 0x1234_5678, 0xffff);
  const view = new DataView(fds.bytes, 8);
  assertEquals(view.getInt32(0, true), 0x1234_5678);
  assertEquals([view.getUint16(4, true), view.getUint16(6, true)], [0xffff, 0]);
  view.setUint16(6, 0x8021, true);
  assertEquals(fds.returned(1), 0x8021);
});

Deno.test("an array of struct pollfd keeps its structs when it grows", () => {
  const fds = new PollFds(1, posixPollfd);
  fds.set(0, 7, 3);
  const { bytes } = fds;
  fds.reserve(100);
  fds.set(99, 8, 4);
  assertEquals([fds.fd(0), fds.events(0), fds.fd(99)], [7, 3, 8]);
  // A call that is under way goes on with the memory that it was given.
  assertEquals(bytes.byteLength, 8);
  fds.move(99, 0);
  assertEquals([fds.fd(0), fds.events(0), fds.returned(0)], [8, 4, 0]);
});

/** Timeouts at which a rounding goes wrong first. */
const TIMEOUTS = [
  0.0001,
  0.1,
  0.9999999,
  1,
  3.1,
  999.9999999,
  999.9999,
  1000,
  1234.5678,
  2 ** 31 - 1.5,
];

/** The milliseconds of seconds and a part of them, exactly. */
function nanoseconds(seconds: bigint, part: bigint): bigint {
  return seconds * 1_000_000_000n + part;
}

for (const timeout of TIMEOUTS) {
  const exact = BigInt(Math.floor(timeout * 1e6));

  Deno.test(`struct timespec of ${timeout} ms is not less, and a valid one`, () => {
    const timespec = new Timespec();
    timespec.set(timeout);
    const [seconds, part] = timespec.bytes;
    assertGreaterOrEqual(nanoseconds(seconds!, part!), exact);
    assertEquals(part! >= 0n && part! < 1_000_000_000n, true);
  });

  Deno.test(`struct timeval of ${timeout} ms is not less, and a valid one`, () => {
    const timeval = new Timeval();
    timeval.set(timeout);
    const view = new DataView(timeval.bytes.buffer);
    const seconds = view.getBigInt64(0, true);
    // suseconds_t has 64 bits, or 32 on macOS and NetBSD.
    for (
      const part of [view.getBigInt64(8, true), BigInt(view.getInt32(8, true))]
    ) {
      assertGreaterOrEqual(nanoseconds(seconds, part * 1000n), exact);
      assertEquals(part >= 0n && part < 1_000_000n, true);
    }
  });

  Deno.test(`whole milliseconds for ${timeout} ms are not less`, () => {
    assertGreaterOrEqual(toMilliseconds(timeout), timeout);
  });
}

Deno.test(
  "timeouts of any size become a wait that the call accepts",
  withSeed((random) => {
    const timespec = new Timespec();
    for (let round = 0; round < 2000; round++) {
      const timeout = (random.below(2 ** 32) / 2 ** 32) *
        10 ** (random.below(30) - 10);
      timespec.set(timeout);
      const [seconds, part] = timespec.bytes;
      assertEquals(part! >= 0n && part! < 1_000_000_000n, true, `${timeout}`);
      const limited = Math.min(timeout, LONGEST_WAIT);
      assertGreaterOrEqual(
        Number(seconds) * 1e3 + Number(part) / 1e6,
        limited * (1 - 1e-15),
      );
      assertEquals(toMilliseconds(timeout) <= LONGEST_WAIT, true);
    }
  }),
);

Deno.test("Infinity, 0, and more than C's int have their own milliseconds", () => {
  assertEquals(
    [Infinity, 0, -0, -5, 2 ** 31, 1e300].map(toMilliseconds),
    [-1, 0, 0, 0, LONGEST_WAIT, LONGEST_WAIT],
  );
});

Deno.test("struct dvpoll keeps its fields where <sys/devpoll.h> has them", () => {
  const dvpoll = new DvPoll();
  dvpoll.setBuffer(0x1234_5678_9abcn, 64);
  dvpoll.setTimeout(-1);
  const view = new DataView(dvpoll.bytes.buffer);
  assertEquals(view.getBigUint64(0, true), 0x1234_5678_9abcn); // dp_fds
  assertEquals(view.getBigUint64(8, true), 64n); // dp_nfds
  assertEquals(view.getInt32(16, true), -1); // dp_timeout
  assertEquals(dvpoll.bytes.length, 32);
});
