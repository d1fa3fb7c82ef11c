/**
 * The queue of a datagram socket: in order, and fast at every length. That of a stream:
 * without a call that has no room.
 */

import { assertEquals, assertLess } from "@std/assert";
import {
  MessageQueue,
  type PieceSink,
  WriteQueue,
} from "../../reactor/send_queue.ts";
import { cpuTime, test, withSeed } from "../util.ts";

/** A hundred times the usual time. To move all messages each time takes 9000. */
const GENEROUS = 2000;

function messageOf(number: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(number).buffer);
}

function numberOf(data: Uint8Array<ArrayBuffer>): number {
  return new Uint32Array(data.buffer, data.byteOffset, 1)[0]!;
}

test("MessageQueue: a long queue removes its front as fast as a short one", () => {
  const messages = 100_000;
  const queue = new MessageQueue();
  const data = new Uint8Array(1);
  for (let count = 0; count < messages; count++) {
    queue.push({ data, address: null, segmentSize: data.length });
  }
  const took = cpuTime(() => {
    while (queue.length > 0) queue.drop(1);
  });
  assertLess(took, GENEROUS);
});

test(
  "MessageQueue: messages are removed in the order in which they were pushed",
  withSeed((random) => {
    const queue = new MessageQueue();
    let pushed = 0;
    let dropped = 0;
    for (let round = 0; round < 300; round++) {
      for (let left = random.below(100); left > 0; left--) {
        const data = messageOf(pushed++);
        queue.push({ data, address: null, segmentSize: data.length });
      }
      // At times nearly all of it, at times little.
      const most = Math.min(queue.length, random.pick([10, 100, 10_000]));
      const count = random.below(most + 1);
      queue.drop(count);
      dropped += count;
      assertEquals(queue.length, pushed - dropped);
      assertEquals(queue.bytes, 4 * queue.length);
      if (queue.length === 0) continue;
      assertEquals(numberOf(queue.at(0).data), dropped);
      assertEquals(numberOf(queue.at(queue.length - 1).data), pushed - 1);
    }
    queue.clear();
    assertEquals([queue.length, queue.bytes], [0, 0]);
  }),
);

/** Takes a number of bytes in all, and counts calls. */
class Room implements PieceSink {
  calls = 0;
  left: number;

  constructor(left: number) {
    this.left = left;
  }

  sendPieces(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number = 0,
    offset: number = 0,
  ): number {
    this.calls++;
    const two = pieces.slice(first, first + 2);
    const there = two.reduce((sum, { length }) => sum + length, -offset);
    const count = Math.min(there, this.left);
    this.left -= count;
    return count === 0 ? -1 : count;
  }
}

for (
  const [room, calls] of [[0, 1], [5, 1], [6, 2], [11, 2], [12, 3], [30, 3]]
) {
  test(`WriteQueue: with room for ${room} bytes of five chunks, calls end without room: ${calls}`, () => {
    const queue = new WriteQueue();
    for (let chunk = 0; chunk < 5; chunk++) queue.push(new Uint8Array(3));
    const sink = new Room(room!);
    queue.flush(sink);
    assertEquals([sink.calls, queue.bytes], [calls, Math.max(15 - room!, 0)]);
  });
}

test("WriteQueue: bytes that had no room are sent by the next flush, in order", () => {
  const queue = new WriteQueue();
  for (let chunk = 0; chunk < 5; chunk++) queue.push(new Uint8Array(3));
  for (const left of [14, 10, 9, 2, 0]) {
    queue.flush(new Room(queue.bytes - left));
    assertEquals(queue.bytes, left);
  }
});
