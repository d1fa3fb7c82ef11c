/**
 * The caller's memory: bytes of every kind are accepted, other values refused by
 * name. Memory that lost its bytes never passes for empty.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { addressOf } from "../../../backends/ffi/libc.ts";
import { bytesOf, pageAligned } from "../../../backends/ffi/memory.ts";
import {
  close,
  read,
  type SendMessageOptions,
  Socket,
  socketPair,
  write,
} from "../../../backends/ffi/mod.ts";
import { pipeEnds, readSoon } from "../../descriptors.ts";
import { anyFile, posixTest, test } from "../../util.ts";

/** Values that are no memory, by the name that an error gives them. */
const NO_MEMORY: readonly (readonly [name: string, value: unknown])[] = [
  ["null", null],
  ["undefined", { value: undefined }.value],
  ["string", "text"],
  ["number", 5],
  ["array", [1, 2]],
  ["object", { byteLength: 4 }],
];

/** Every call that takes memory, on a pair of sockets. */
function calls(
  left: Socket,
  right: Socket,
): Record<string, (memory: never) => unknown> {
  const to = { hostname: "127.0.0.1", port: 9 };
  const udp = (use: (socket: Socket) => unknown): unknown => {
    using socket = Socket.create("IPv4", "datagram");
    return use(socket);
  };
  return {
    recv: (memory) => right.recv(memory),
    "recv of a length": (memory) => right.recv(memory, 4),
    recvFrom: (memory) => right.recvFrom(memory),
    send: (memory) => left.send(memory),
    "send of a length": (memory) => left.send(memory, 4),
    sendTo: (memory) => udp((socket) => socket.sendTo(memory, to)),
    read: (memory) => read(right, memory),
    write: (memory) => write(left, memory),
  };
}

for (const [name, value] of NO_MEMORY) {
  test(`sockets and descriptors refuse ${name}, and send nothing`, () => {
    const [left, right] = socketPair();
    using _left = left;
    using _right = right;
    for (const [call, use] of Object.entries(calls(left, right))) {
      if (call.endsWith("of a length") && value === undefined) continue;
      assertThrows(
        () => use(value as never),
        TypeError,
        `Cannot use ${name}: it must be a buffer`,
        call,
      );
    }
    const good = new Uint8Array([1]);
    assertThrows(
      () => left.sendPieces([good, value as never]),
      TypeError,
      `Cannot send ${name}`,
    );
    assertEquals(right.recv(new Uint8Array(16)), -1);
  });
}

test("sockets and descriptors refuse memory that was transferred or shrunk", () => {
  const [left, right] = socketPair();
  using _left = left;
  using _right = right;
  left.send(new Uint8Array([1, 2, 3]));
  const gone = new Uint8Array(8);
  gone.buffer.transfer();
  const shrunk = new Uint8Array(new ArrayBuffer(8, { maxByteLength: 8 }), 4, 4);
  shrunk.buffer.resize(6);
  const view = new DataView(new ArrayBuffer(8));
  view.buffer.transfer();
  for (const memory of [gone, gone.buffer, shrunk, view]) {
    for (const [call, use] of Object.entries(calls(left, right))) {
      if (call.endsWith("of a length")) continue;
      assertThrows(() => use(memory as never), TypeError, undefined, call);
    }
  }
  assertThrows(() => left.sendPieces([gone], 0, 4), RangeError);
  assertEquals(right.recv(new Uint8Array(16)), 3);
});

test("pieces start at a whole number within them, or nothing is sent", () => {
  const [left, right] = socketPair();
  using _left = left;
  using _right = right;
  const piece = new Uint8Array([1, 2]);
  const conversions = [0, 0, -4096];
  const falling = { valueOf: () => conversions.shift() ?? 0 };
  for (const wrong of [falling, "1", null, true, NaN, 0.5, -1, 3, 2 ** 32]) {
    const number = wrong as number;
    assertThrows(() => left.sendPieces([piece], number), RangeError, "piece");
    assertThrows(() => left.sendPieces([piece], 0, number), RangeError, "skip");
  }
  assertEquals(right.recv(new Uint8Array(16)), -1);
  assertEquals(left.sendPieces([piece], 0, 1), 1);
  assertEquals(left.sendPieces([piece], 1), 0);
});

test("flags of a message are whole numbers of 32 bits, or nothing is sent", () => {
  const [left, right] = socketPair();
  using _left = left;
  using _right = right;
  left.send(new Uint8Array([1]));
  const data = new Uint8Array(8);
  const moving = { valueOf: () => data.buffer.transfer().byteLength };
  for (const wrong of [moving, "2", null, true, NaN, 0.5, 2 ** 31, 2 ** 32]) {
    const flags = wrong as number;
    const uses = [
      () => left.send(data, 8, flags),
      () => left.sendTo(data, { path: "" }, flags),
      () => left.sendMessage(data, { flags }),
      () => right.recv(data, 8, flags),
      () => right.recvFrom(data, flags),
      () => right.receiveMessage(data, { flags }),
    ];
    for (const use of uses) assertThrows(use, TypeError, undefined, `${use}`);
  }
  assertEquals(data.length, 8);
  assertEquals(right.recv(data), 1);
});

posixTest("options that transfer the data away send none of it", () => {
  const [left, right] = socketPair("datagram");
  using _left = left;
  using _right = right;
  const gone = (data: Uint8Array<ArrayBuffer>): undefined =>
    void data.buffer.transfer();
  const options = (data: Uint8Array<ArrayBuffer>): SendMessageOptions[] => [
    {
      control: {
        get others() {
          return gone(data) ?? [];
        },
      },
    },
    {
      address: {
        get path() {
          return gone(data) ?? "";
        },
      },
    },
    {
      descriptors: [{
        get fd() {
          return gone(data) ?? left.fd;
        },
      }],
    },
  ];
  for (let index = 0; index < 3; index++) {
    const data = new Uint8Array(8);
    assertThrows(
      () => left.sendMessage(data, options(data)[index]),
      TypeError,
      "transferred",
    );
  }
  assertEquals(right.recv(new Uint8Array(16)), -1);
});

test(
  "sockets and descriptors take every kind of view, and empty ones",
  () => {
    const [reader, writer] = pipeEnds();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    const kinds = [
      bytes,
      bytes.buffer,
      new DataView(bytes.buffer),
      new Float32Array(bytes.buffer),
      shared as unknown as Uint8Array<ArrayBuffer>,
      new Uint8Array(new ArrayBuffer(4, { maxByteLength: 8 })),
    ];
    for (const memory of kinds) {
      assertEquals(write(writer, memory), 4);
      assertEquals(readSoon(reader, memory), 4);
    }
    assertEquals(write(writer, new Uint8Array(0)), 0);
    // A receive of nothing waits for something on Windows.
    if (anyFile) {
      assertEquals(read(reader, new DataView(new ArrayBuffer(0))), 0);
    }
    close(reader);
    close(writer);
  },
);

test("setRawOption: neither bytes nor a number is refused", () => {
  using socket = Socket.create();
  for (const [name, value] of NO_MEMORY) {
    if (name === "number") continue;
    assertThrows(
      () => socket.setRawOption(1, 2, value as never),
      TypeError,
      `Cannot use ${name}`,
    );
  }
});

test("bytesOf: a view of other elements is the same bytes", () => {
  const { buffer } = new Uint8Array([0, 1, 2, 3, 4, 5]);
  assertEquals(
    bytesOf(new Uint16Array(buffer, 2, 2), "send"),
    new Uint8Array([2, 3, 4, 5]),
  );
  const whole = new Uint8Array(buffer);
  assertEquals(bytesOf(whole, "send") === whole, true);
});

test("pageAligned: the memory begins with a page, and has its length", () => {
  for (const length of [1, 4096, 262_144]) {
    const memory = pageAligned(length);
    assertEquals(memory.length, length);
    assertEquals(addressOf(memory) % 4096n, 0n);
  }
});
