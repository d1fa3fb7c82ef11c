/**
 * The structs of Windows, on every machine.
 */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import {
  AfdPolls,
  ObjectName,
  Packets,
  RelativeTime,
} from "../../../backends/ffi/structs/afd_poll.ts";
import { PollFds, wsaPollfd } from "../../../backends/ffi/structs/pollfd.ts";
import { SocketArray } from "../../../backends/ffi/structs/socket_array.ts";
import { Timeval } from "../../../backends/ffi/structs/time.ts";
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
} from "../../../backends/mod.ts";

Deno.test("WSAPOLLFD has 16 bytes, and bits of its own", () => {
  const fds = new PollFds(2, wsaPollfd);
  assertEquals([fds.bytes.byteLength, fds.capacity], [32, 2]);
  fds.set(1, 0x1234_5678, POLLIN | POLLPRI | POLLOUT);
  const view = new DataView(fds.bytes, 16);
  assertEquals(view.getBigUint64(0, true), 0x1234_5678n);
  // POLLRDNORM, POLLRDBAND and POLLWRNORM of <winsock2.h>
  assertEquals(view.getUint16(8, true), 0x310);
  assertEquals([fds.fd(1), fds.events(1)], [0x1234_5678, 7]);
  const bits = [[0x100, POLLIN], [0x200, POLLPRI], [0x10, POLLOUT]];
  const unasked = [[0x1, POLLERR], [0x2, POLLHUP], [0x4, POLLNVAL]];
  for (const [system, own] of [...bits, ...unasked]) {
    view.setUint16(10, system!, true);
    assertEquals(fds.returned(1), own);
  }
});

Deno.test("WSAPOLLFD does not ask for bits that WSAPoll refuses", () => {
  const fds = new PollFds(1, wsaPollfd);
  fds.set(0, 4, POLLIN | POLLERR | POLLHUP | POLLNVAL);
  assertEquals(new DataView(fds.bytes).getUint16(8, true), 0x100);
});

Deno.test("struct timeval of Windows has two fields of 32 bits", () => {
  const timeval = new Timeval(4);
  timeval.set(1234.5678);
  const [seconds, part, ...rest] = new Int32Array(timeval.bytes.buffer);
  assertEquals([seconds, part, rest], [1, 234_568, [0, 0]]);
});

Deno.test("fd_set of Winsock is a count and the sockets, as many as there are", () => {
  const set = new SocketArray();
  for (let fd = 4; fd <= 400; fd += 4) set.add(fd);
  set.add(4);
  set.delete(8);
  set.delete(8);
  set.delete(404);
  const view = new DataView(set.bytes.buffer);
  assertEquals([view.getUint32(0, true), set.size], [99, 99]);
  const sockets = Array.from(
    { length: 99 },
    (_, place) => Number(view.getBigUint64(8 + 8 * place, true)),
  );
  assertEquals(sockets.includes(8), false);
  assertEquals(new Set(sockets).size, 99);
  assertEquals([set.has(4), set.has(8), set.has(400)], [true, false, true]);
});

Deno.test("fd_set of Winsock has those that a call has left in it", () => {
  const [set, asked] = [new SocketArray(), new SocketArray()];
  for (const fd of [4, 8, 2000]) asked.add(fd);
  set.copyFrom(asked);
  // As `select` does: those that are ready come first, and the count says how many.
  const view = new DataView(set.bytes.buffer);
  view.setUint32(0, 1, true);
  view.setBigUint64(8, 2000n, true);
  set.find();
  assertEquals([4, 8, 2000].map((fd) => set.has(fd)), [false, false, true]);
  assertEquals([4, 8, 2000].map((fd) => asked.has(fd)), [true, true, true]);
  set.clear();
  assertEquals([set.size, set.has(2000)], [0, false]);
});

Deno.test("AFD_POLL_INFO keeps its fields where AFD looks", () => {
  const polls = new AfdPolls(2);
  polls.set(1, 0x1234, 0x1b9);
  const info = polls.infos[1]!;
  assertEquals([info.byteLength, polls.statusBlocks[1]!.byteLength], [32, 16]);
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  assertEquals(view.getBigInt64(0, true), 2n ** 63n - 1n);
  assertEquals([view.getUint32(8, true), view.getUint32(12, true)], [1, 0]);
  assertEquals(view.getBigUint64(16, true), 0x1234n);
  assertEquals([view.getUint32(24, true), view.getUint32(28, true)], [
    0x1b9,
    0,
  ]);
  view.setUint32(24, 0x11, true);
  assertEquals([polls.found(1), polls.events(1)], [1, 0x11]);
  // No two of them share a byte.
  const places = polls.infos.concat(polls.statusBlocks)
    .map(({ byteOffset, byteLength }) => [byteOffset, byteOffset + byteLength])
    .sort(([a], [b]) => a! - b!);
  assertEquals(places, [[0, 32], [32, 48], [48, 80], [80, 96]]);
});

Deno.test("FILE_IO_COMPLETION_INFORMATION has 32 bytes: key, context, status, bytes", () => {
  const packets = new Packets(2);
  assertEquals(packets.bytes.byteLength, 64);
  const view = new DataView(packets.bytes, 32);
  view.setBigUint64(8, 77n, true);
  view.setUint32(16, 0xc000_0120, true);
  assertEquals([packets.context(1), packets.status(1)], [77, 0xc000_0120]);
});

for (
  const timeout of [0.0001, 0.1, 0.9999999, 1, 3.1, 1234.5678, 2 ** 31 - 1.5]
) {
  Deno.test(`LARGE_INTEGER of ${timeout} ms is not less, and negative`, () => {
    const time = new RelativeTime();
    time.set(timeout);
    const units = -time.bytes[0]!;
    assertGreaterOrEqual(units, BigInt(Math.floor(timeout * 1e4)));
    assertLess(units, BigInt(Math.floor(timeout * 1e4)) + 2n);
  });
}

Deno.test("OBJECT_ATTRIBUTES refers to its name by two pointers", () => {
  const buffers: BufferSource[] = [];
  const name = new ObjectName("abc", (buffer) => BigInt(buffers.push(buffer)));
  const attributes = new DataView(name.bytes.buffer);
  assertEquals(attributes.byteLength, 48);
  assertEquals(attributes.getUint32(0, true), 48);
  assertEquals(attributes.getBigUint64(16, true), 2n);
  const string = new DataView((buffers[1] as Uint8Array<ArrayBuffer>).buffer);
  assertEquals([string.getUint16(0, true), string.getUint16(2, true)], [6, 6]);
  assertEquals(string.getBigUint64(8, true), 1n);
  const text = buffers[0] as Uint16Array<ArrayBuffer>;
  assertEquals(String.fromCharCode(...text), "abc");
});
