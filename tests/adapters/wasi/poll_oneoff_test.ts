/**
 * The rules of `poll_oneoff`, for a program on our host.
 */

import { assert, assertEquals } from "@std/assert";
import { pipe, Socket, write } from "../../../backends/ffi/mod.ts";
import { close } from "../../../backends/ffi/mod.ts";
import { bytesOf, fillSocket, pairOf, posixTest, test } from "../../util.ts";
import {
  CLOCKID_MONOTONIC,
  CLOCKID_PROCESS_CPUTIME_ID,
  CLOCKID_REALTIME,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
  EVENTTYPE_FD_WRITE,
} from "../../../backends/wasi/abi.ts";
import { ERRNO, wasiErrnoName } from "../../../backends/wasi/errno.ts";
import { EVENT, SUBSCRIPTION } from "../../../backends/wasi/layout.ts";
import {
  type Event,
  type GuestProgram,
  onClock,
  onFd,
  runProgram,
  writeSubscription,
} from "./guest_program.ts";

function listening(): Socket {
  const listener = Socket.create("IPv4", "stream");
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  return listener;
}

/** The event of a readable descriptor. */
function readable(userdata: bigint, nbytes: number): Event {
  const type = EVENTTYPE_FD_READ;
  return { userdata, error: 0, type, nbytes: BigInt(nbytes), flags: 0 };
}

/** The event of the end of file. */
function hungUp(userdata: bigint): Event {
  return { ...readable(userdata, 0), flags: 1 };
}

function timedOut(userdata: bigint): Event {
  return { ...readable(userdata, 0), type: EVENTTYPE_CLOCK };
}

/** Runs a program with one end of a connection as descriptor 3. */
function withPair(
  body: (program: GuestProgram, peer: Socket) => void,
  type?: "stream" | "datagram",
): void {
  using pair = pairOf(type);
  runProgram({ sockets: [pair.left] }, (program) => body(program, pair.right));
}

test("poll_oneoff: no subscription is EINVAL", () => {
  runProgram({}, (program) => {
    assertEquals(
      wasiErrnoName(program.call("poll_oneoff", 0, 64, 0, 128)),
      "EINVAL",
    );
  });
});

test("poll_oneoff: it takes 16,384 subscriptions, and one more is EINVAL", () => {
  const count = 16384;
  runProgram({}, (program) => {
    const at = program.allocate((count + 1) * SUBSCRIPTION.size);
    const events = program.allocate((count + 1) * EVENT.size);
    for (let index = 0; index <= count; index++) {
      const place = at + index * SUBSCRIPTION.size;
      writeSubscription(program.view, place, onClock(0));
    }
    const stored = program.allocate(4);
    program.must("poll_oneoff", at, events, count, stored);
    assertEquals(program.view.getUint32(stored, true), count);
    const errno = program.call("poll_oneoff", at, events, count + 1, stored);
    assertEquals(wasiErrnoName(errno), "EINVAL");
  }, 32);
});

test("poll_oneoff: an event has the number of readable bytes", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("hello"));
    assertEquals(program.poll(onFd("read", 3, 7n)), [readable(7n, 5)]);
  });
});

test("poll_oneoff: an event has the length of the next datagram, even a long one", () => {
  withPair((program, peer) => {
    peer.send(new Uint8Array(20_000));
    peer.send(bytesOf("next"));
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 20_000)]);
  }, "datagram");
});

test("poll_oneoff: it does not consume bytes", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("hello"));
    program.poll(onFd("read", 3));
    assertEquals(program.receive(3).text, "hello");
  });
});

test("poll_oneoff: the end of file is HANGUP without bytes", () => {
  withPair((program, peer) => {
    peer.close();
    assertEquals(program.poll(onFd("read", 3, 1n)), [hungUp(1n)]);
  });
});

test("poll_oneoff: the last bytes are reported before the end of file", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("last"));
    peer.close();
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 4)]);
    assertEquals(program.receive(3).text, "last");
    assertEquals(program.poll(onFd("read", 3)), [hungUp(0n)]);
    assertEquals(program.receive(3), { errno: "ESUCCESS", text: "", flags: 0 });
  });
});

test("poll_oneoff: an empty datagram is not an end of file", () => {
  withPair((program, peer) => {
    peer.send(new Uint8Array(0));
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 0)]);
  }, "datagram");
});

posixTest(
  "poll_oneoff: the next call reports an error that it has consumed",
  () => {
    using listener = listening();
    using client = Socket.create("IPv4", "stream");
    client.connect(listener.localAddress);
    runProgram({ sockets: [listener] }, (program) => {
      const { fd } = program.accept(3);
      client.setRawOption(...lingerZero());
      client.close();
      assertEquals(program.poll(onFd("read", fd)), [hungUp(0n)]);
      assertEquals(program.receive(fd).errno, "ECONNRESET");
      assertEquals(program.receive(fd), {
        errno: "ESUCCESS",
        text: "",
        flags: 0,
      });
    });
  },
);

/** SO_LINGER without time: close() sends a reset. */
function lingerZero(): [number, number, Uint8Array<ArrayBuffer>] {
  const SOL_SOCKET = Deno.build.os === "linux" ? 1 : 0xffff;
  const SO_LINGER = Deno.build.os === "linux" ? 13 : 0x80;
  return [SOL_SOCKET, SO_LINGER, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0])];
}

test("poll_oneoff: a listener with a pending connection is readable", () => {
  using listener = listening();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [listener] }, (program) => {
    assertEquals(program.poll(onFd("read", 3), onClock(0)), [timedOut(99n)]);
    client.connect(listener.localAddress);
    assertEquals(program.poll(onFd("read", 3, 4n)), [readable(4n, 1)]);
  });
});

test("poll_oneoff: a socket with room is writable", () => {
  withPair((program) => {
    const writable = { ...readable(2n, 1), type: EVENTTYPE_FD_WRITE };
    assertEquals(program.poll(onFd("write", 3, 2n)), [writable]);
  });
});

test("poll_oneoff: it waits while a socket is full", () => {
  using pair = pairOf();
  fillSocket(pair.left);
  runProgram({ sockets: [pair.left] }, (program) => {
    assertEquals(program.poll(onFd("write", 3), onClock(0)), [timedOut(99n)]);
  });
});

test("poll_oneoff: the two directions of a descriptor give two events", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    const events = program.poll(onFd("read", 3, 1n), onFd("write", 3, 2n));
    assertEquals(events.map(({ userdata, type }) => [userdata, type]), [
      [1n, EVENTTYPE_FD_READ],
      [2n, EVENTTYPE_FD_WRITE],
    ]);
  });
});

test("poll_oneoff: a repeated subscription gives a repeated event", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    assertEquals(program.poll(onFd("read", 3, 1n), onFd("read", 3, 2n)), [
      readable(1n, 1),
      readable(2n, 1),
    ]);
  });
});

test("poll_oneoff: subscriptions of an earlier call do not wake a later one", () => {
  withPair((program) => {
    assertEquals(program.poll(onFd("write", 3)).length, 1);
    assertEquals(program.poll(onFd("read", 3), onClock(1)), [timedOut(99n)]);
    assertEquals(program.poll(onClock(1)), [timedOut(99n)]);
    assertEquals(program.poll(onFd("write", 3)).length, 1);
  });
});

test("poll_oneoff: userdata keeps all its bits", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    const userdata = 0xfedc_ba98_7654_3210n;
    assertEquals(
      program.poll(onFd("read", 3, userdata))[0]!.userdata,
      userdata,
    );
    assertEquals(program.poll(onClock(0, userdata))[0]!.userdata, userdata);
  });
});

test("poll_oneoff: a relative timeout is never early", () => {
  runProgram({}, (program) => {
    const start = performance.now();
    assertEquals(program.poll(onClock(20)), [timedOut(99n)]);
    assert(performance.now() - start >= 20);
  });
});

test("poll_oneoff: descriptors and clocks share one deadline", () => {
  using left = pairOf();
  using right = pairOf();
  runProgram({ sockets: [left.left, right.left] }, (program) => {
    const start = performance.now();
    const events = program.poll(
      onFd("read", 3),
      onFd("read", 4),
      onClock(5000, 1n),
      onClock(20, 2n),
    );
    assertEquals(events, [timedOut(2n)]);
    const elapsed = performance.now() - start;
    assert(elapsed >= 20 && elapsed < 2500, `${elapsed}`);
  });
});

test("poll_oneoff: every expired clock gives an event", () => {
  runProgram({}, (program) => {
    const events = program.poll(onClock(0, 1n), onClock(0, 2n), onClock(60000));
    assertEquals(events, [timedOut(1n), timedOut(2n)]);
  });
});

test("poll_oneoff: a ready descriptor suppresses an expired clock", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    assertEquals(program.poll(onClock(0), onFd("read", 3, 1n)), [
      readable(1n, 1),
    ]);
  });
});

for (
  const [name, clockId, now] of [
    ["monotonic", CLOCKID_MONOTONIC, readClock],
    ["realtime", CLOCKID_REALTIME, readClock],
  ] as const
) {
  test(`poll_oneoff: it waits for an absolute time of the ${name} clock`, () => {
    runProgram({}, (program) => {
      const start = performance.now();
      const timeout = now(program, clockId) + 20_000_000n;
      const clock = { ...onClock(0), clockId, timeout, absolute: true };
      assertEquals(program.poll(clock), [timedOut(99n)]);
      const elapsed = performance.now() - start;
      // Date.now() is whole milliseconds, so a realtime wait may seem one short.
      assert(elapsed >= 18 && elapsed < 2000, `${elapsed}`);
    });
  });

  test(`poll_oneoff: a past time of the ${name} clock ends the wait`, () => {
    runProgram({}, (program) => {
      const clock = { ...onClock(0), clockId, timeout: 1n, absolute: true };
      assertEquals(program.poll(clock), [timedOut(99n)]);
    });
  });
}

function readClock(program: GuestProgram, clockId: number): bigint {
  const at = program.allocate(8);
  program.must("clock_time_get", clockId, 0n, at);
  return program.view.getBigUint64(at, true);
}

test("poll_oneoff: reading the clock restores the program's memory", () => {
  runProgram({}, (program) => {
    program.bytes.fill(0x5a, 0, 16);
    program.poll({ ...onClock(0), timeout: 1n, absolute: true });
    assertEquals(program.bytes.slice(0, 16), new Uint8Array(16).fill(0x5a));
  });
});

test("poll_oneoff: a closed descriptor gives an event with EBADF and ends the wait", () => {
  withPair((program) => {
    const events = program.poll(
      onFd("read", 3),
      onFd("read", 77, 5n),
      onFd("write", -1, 6n),
      onClock(60000),
    );
    assertEquals(events.map(({ userdata, error }) => [userdata, error]), [
      [5n, ERRNO.EBADF],
      [6n, ERRNO.EBADF],
    ]);
  });
});

test("poll_oneoff: a ready descriptor is reported next to a faulty subscription", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    const events = program.poll(onFd("read", 77, 5n), onFd("read", 3, 6n));
    assertEquals(events.map(({ userdata, error }) => [userdata, error]), [
      [5n, ERRNO.EBADF],
      [6n, 0],
    ]);
  });
});

test("poll_oneoff: a CPU clock is ENOTSUP, an unknown clock EINVAL", () => {
  runProgram({}, (program) => {
    const clockId = CLOCKID_PROCESS_CPUTIME_ID;
    const events = program.poll(
      { ...onClock(0, 1n), clockId },
      { ...onClock(0, 2n), clockId: 1234 },
    );
    assertEquals(events.map(({ userdata, error }) => [userdata, error]), [
      [1n, ERRNO.ENOTSUP],
      [2n, ERRNO.EINVAL],
    ]);
  });
});

test("poll_oneoff: a subscription of an unknown type is EINVAL", () => {
  runProgram({}, (program) => {
    const at = program.allocate(256);
    writeSubscription(program.view, at, onClock(0));
    program.view.setUint8(at + SUBSCRIPTION.tag, 3);
    assertEquals(
      wasiErrnoName(program.call("poll_oneoff", at, at + 64, 1, at + 128)),
      "EINVAL",
    );
  });
});

test("poll_oneoff: events may overwrite the subscriptions", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    const at = program.allocate(256);
    [onFd("read", 3, 1n), onClock(0, 2n), onFd("read", 3, 3n)].forEach(
      (subscription, index) =>
        writeSubscription(program.view, at + 48 * index, subscription),
    );
    program.must("poll_oneoff", at, at, 3, at + 200);
    assertEquals(program.view.getUint32(at + 200, true), 2);
    assertEquals(program.view.getBigUint64(at, true), 1n);
    assertEquals(program.view.getBigUint64(at + EVENT.size, true), 3n);
  });
});

test("poll_oneoff: pointers need no alignment", () => {
  withPair((program, peer) => {
    peer.send(bytesOf("x"));
    const at = program.allocate(256) + 1;
    writeSubscription(program.view, at, onFd("read", 3, 1n));
    program.must("poll_oneoff", at, at + 50, 1, at + 101);
    assertEquals(program.view.getUint32(at + 101, true), 1);
  });
});

posixTest("poll_oneoff: a regular file is always ready", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/file`, "text");
    runProgram({ preopens: { "/": directory } }, (program) => {
      const name = program.allocate(8);
      program.write(name, "file");
      const stored = program.allocate(4);
      program.must("path_open", 3, 0, name, 4, 0, 2n, 0n, 0, stored);
      const fd = program.view.getUint32(stored, true);
      const events = program.poll(
        onFd("read", fd, 1n),
        onFd("write", fd, 2n),
        onClock(60000),
      );
      assertEquals(events.map(({ userdata, error }) => [userdata, error]), [
        [1n, 0],
        [2n, 0],
      ]);
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

posixTest("poll_oneoff: standard input is readable once it has input", () => {
  const [reader, writer] = pipe();
  try {
    runProgram({ stdin: reader }, (program) => {
      assertEquals(program.poll(onFd("read", 0), onClock(1)), [timedOut(99n)]);
      write(writer, bytesOf("x"));
      assertEquals(program.poll(onFd("read", 0, 1n)), [readable(1n, 1)]);
    });
  } finally {
    close(reader);
    close(writer);
  }
});

posixTest("poll_oneoff: the end of standard input is HANGUP", () => {
  const [reader, writer] = pipe();
  close(writer);
  runProgram({ stdin: reader }, (program) => {
    assertEquals(program.poll(onFd("read", 0, 1n)), [hungUp(1n)]);
  });
  close(reader);
});

test("poll_oneoff: a socket closed by the host is EBADF", () => {
  using pair = pairOf();
  runProgram({ sockets: [pair.left] }, (program) => {
    program.poll(onFd("read", 3), onClock(0));
    pair.left.close();
    assertEquals(program.poll(onFd("read", 3))[0]!.error, ERRNO.EBADF);
    assertEquals(program.receive(3).errno, "EBADF");
  });
});

test("poll_oneoff: a reused number refers to the new file", () => {
  using first = pairOf();
  using listener = listening();
  using client = Socket.create("IPv4", "stream");
  runProgram({ sockets: [first.left, listener] }, (program) => {
    program.poll(onFd("read", 3), onClock(0));
    program.must("fd_close", 3);
    client.connect(listener.localAddress);
    assertEquals(program.accept(4).fd, 3);
    assertEquals(program.poll(onFd("read", 3), onClock(0)), [timedOut(99n)]);
    client.send(bytesOf("x"));
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 1)]);
  });
});

test("poll_oneoff: it works after the memory has grown", () => {
  withPair((program, peer) => {
    program.poll(onFd("read", 3), onClock(0));
    program.memory.grow(1);
    peer.send(bytesOf("x"));
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 1)]);
    assertEquals(program.receive(3).text, "x");
  });
});

test("poll_oneoff: it works in the new part of a shared memory that has grown", () => {
  using pair = pairOf();
  const memory = new WebAssembly.Memory({
    initial: 1,
    maximum: 4,
    shared: true,
  });
  runProgram({ sockets: [pair.left] }, (program) => {
    program.poll(onFd("read", 3), onClock(0));
    program.memory.grow(1);
    program.allocate(65536);
    pair.right.send(bytesOf("x"));
    assertEquals(program.receive(3).text, "x");
    pair.right.send(bytesOf("y"));
    assertEquals(program.poll(onFd("read", 3)), [readable(0n, 1)]);
  }, memory);
});
