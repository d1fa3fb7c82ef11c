/** The counts of bytes by descriptor. */

import { assertEquals, assertGreater } from "@std/assert";
import { close, read, Socket, write } from "../../../backends/ffi/mod.ts";
import { ReceiveBatch } from "../../../backends/ffi/receive_batch.ts";
import {
  bytesReadOf,
  bytesWrittenOf,
  closesOf,
  countTransfers,
  movesOf,
} from "../../../backends/ffi/transfers.ts";
import { pipeEnds, readSoon } from "../../descriptors.ts";
import { bytesOf, pairOf, test } from "../../util.ts";

test("countTransfers(): reads and writes of a pipe count at their own ends", () => {
  countTransfers();
  const [reader, writer] = pipeEnds();
  write(writer, bytesOf("12345"));
  readSoon(reader, new Uint8Array(2));
  assertEquals(bytesWrittenOf(writer), 5);
  assertEquals([bytesReadOf(reader), movesOf(reader)], [2, 1]);
  close(reader);
  close(writer);
});

test("countTransfers(): the end of file and a call that would block count nothing", () => {
  countTransfers();
  const [reader, writer] = pipeEnds();
  const before = movesOf(reader);
  read(reader, new Uint8Array(2));
  close(writer);
  readSoon(reader, new Uint8Array(2));
  assertEquals(movesOf(reader), before);
  close(reader);
});

test("countTransfers(): a second call counts nothing twice", () => {
  countTransfers();
  countTransfers();
  using pair = pairOf();
  pair.left.send(bytesOf("12345"));
  assertEquals(bytesWrittenOf(pair.left.fd), 5);
});

test("countTransfers(): each message of a batch counts", () => {
  countTransfers();
  using pair = pairOf("datagram");
  for (const text of ["1", "", "12345"]) pair.left.send(bytesOf(text));
  const batch = new ReceiveBatch(4, 64, false, false);
  // Some systems receive one message a call.
  for (let received = 0; received < 3;) {
    const count = batch.receive(pair.right.fd);
    assertGreater(count, 0);
    batch.reset(count);
    received += count;
  }
  assertEquals(bytesReadOf(pair.right.fd), 6);
});

test("countTransfers(): an accepted connection is progress of its listener", () => {
  countTransfers();
  using listener = Socket.create();
  listener.bind({ hostname: "127.0.0.1", port: 0 });
  listener.listen();
  using client = Socket.create();
  client.connect(listener.localAddress);
  const before = movesOf(listener.fd);
  let accepted: Socket | null = null;
  while (accepted === null) accepted = listener.accept();
  assertEquals(movesOf(listener.fd), before + 1);
  accepted.close();
});

test("countTransfers(): a close begins the counts of a number anew", () => {
  countTransfers();
  const [reader, writer] = pipeEnds();
  write(writer, bytesOf("12345"));
  const closes = closesOf(writer);
  close(writer);
  assertEquals([bytesWrittenOf(writer), movesOf(writer)], [0, 0]);
  assertEquals(closesOf(writer), closes + 1);
  close(reader);
});

test("countTransfers(): a descriptor beyond all columns counts nothing so far", () => {
  assertEquals([movesOf(1_000_000), bytesReadOf(1_000_000)], [0, 0]);
});
