/**
 * `offload`, `onSegments` and `sendSegments`: the kernel joins and splits messages, which
 * stay the same.
 */

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { socketPair } from "../../backends/ffi/mod.ts";
import type { Datagram, DatagramOptions } from "../../reactor/mod.ts";
import {
  codeOf,
  isPattern,
  joined,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
} from "./stage.ts";
import { NEEDS_UNIX_DATAGRAMS, ONLY_LINUX } from "../util.ts";

/** Each way to send and to receive. */
const WAYS: readonly DatagramOptions[] = [
  {},
  { offload: false },
  { offload: true },
  { reuseBuffer: true },
  { offload: true, reuseBuffer: true },
];

/** All pairs of a sender's and a receiver's options. */
const PAIRS = WAYS.flatMap((sender) =>
  WAYS.map((receiver) => [sender, receiver] as const)
);

const LOCAL = { hostname: "127.0.0.1" };

/** A receiver with room for many messages. */
function receiverOf(stage: Stage, options: DatagramOptions): Datagram {
  const datagram = stage.reactor.datagram({ ...LOCAL, ...options });
  datagram.socket.setOption("receiveBufferSize", 1 << 20);
  return datagram;
}

/** Records the messages of a socket. */
function messagesOf(datagram: Datagram): Uint8Array<ArrayBuffer>[] {
  const messages: Uint8Array<ArrayBuffer>[] = [];
  datagram.onMessage = (data) => messages.push(data.slice());
  return messages;
}

onEachBackend(
  "Datagram.sendSegments: the receiver gets each message, however both sides do it",
  (stage) => {
    for (const [sending, receiving] of PAIRS) {
      const receiver = receiverOf(stage, receiving);
      const sender = stage.reactor.datagram({ ...LOCAL, ...sending });
      const messages = messagesOf(receiver);
      const data = patternOf(50 * 1200 + 7);
      assert(sender.sendSegments(data, 1200, receiver.address));
      stage.until(() => messages.length === 51, "all messages");
      const lengths = messages.map(({ length }) => length);
      assertEquals(lengths, [...Array(50).fill(1200), 7]);
      assert(isPattern(joined(messages)));
      receiver.close();
      sender.close();
    }
  },
);

onAnyBackend(
  "Datagram.onSegments: gets joined messages as they are, with their size and their source",
  (stage) => {
    for (const [sending, receiving] of PAIRS) {
      const receiver = receiverOf(stage, receiving);
      const sender = stage.reactor.datagram({ ...LOCAL, ...sending });
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      const lengths: number[] = [];
      receiver.onMessage = () => lengths.push(-1);
      receiver.onSegments = (data, segmentSize, address, datagram) => {
        assertEquals([address, datagram], [sender.address, receiver]);
        for (let start = 0; start < data.length; start += segmentSize) {
          lengths.push(Math.min(segmentSize, data.length - start));
        }
        chunks.push(data.slice());
      };
      sender.sendSegments(patternOf(20_300), 1000, receiver.address);
      stage.until(() => lengths.length === 21, "all messages");
      assertEquals(lengths, [...Array(20).fill(1000), 300]);
      assert(isPattern(joined(chunks)));
      const joins = sending.offload !== false && receiving.offload;
      if (Deno.build.os === "linux") {
        assertEquals(chunks.length, joins ? 1 : 21);
      }
      receiver.close();
      sender.close();
    }
  },
);

onAnyBackend(
  "Datagram: replies of one size to one peer leave as one message, except with offload: false",
  (stage) => {
    for (const options of WAYS) {
      const echo = receiverOf(stage, options);
      echo.onMessage = (data, address) => echo.send(data, address);
      const client = receiverOf(stage, { offload: true });
      const chunks: number[] = [];
      client.onSegments = (data) => chunks.push(data.length);
      // One call receives all of them, because no callback runs in between.
      for (let n = 0; n < 20; n++) client.send(patternOf(100), echo.address);
      const received = (): number => chunks.reduce((sum, n) => sum + n, 0);
      stage.until(() => received() === 2000, "all replies");
      // If callbacks are slow, replies leave after each fourth message.
      const most = chunks.length <= 6 ? "few" : `${chunks.length}`;
      assertEquals(most, options.offload === false ? "20" : "few");
      echo.close();
      client.close();
    }
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram: onSegments and sendSegments echo any message, also an empty one",
  (stage) => {
    for (const options of WAYS) {
      const echo = receiverOf(stage, options);
      echo.onSegments = (data, segmentSize, address) => {
        echo.sendSegments(data, segmentSize, address);
      };
      const client = receiverOf(stage, { remoteAddress: echo.address });
      const messages = messagesOf(client);
      const lengths = [0, 1, 1200, 1200, 1200, 5, 0, 1, 65_507, 3];
      for (const length of lengths) client.send(patternOf(length));
      stage.until(() => messages.length === lengths.length, "all messages");
      assertEquals(messages.map(({ length }) => length), lengths);
      assert(messages.every((message) => isPattern(message)));
      echo.close();
      client.close();
    }
  },
);

onAnyBackend(
  "Datagram.sendSegments: more than 64 messages, or 65,507 bytes, take several calls",
  (stage) => {
    for (const options of WAYS) {
      const receiver = receiverOf(stage, { offload: true });
      const sender = stage.reactor.datagram({ ...LOCAL, ...options });
      const messages = messagesOf(receiver);
      for (
        const [count, size] of [[200, 10], [65, 2], [70, 1400], [3, 40_000]]
      ) {
        const data = patternOf(count! * size! - 1);
        sender.sendSegments(data, size!, receiver.address);
        stage.until(() => messages.length === count, `${count} messages`);
        assertEquals(messages.at(-1)!.length, size! - 1);
        assert(isPattern(joined(messages.splice(0))));
      }
      receiver.close();
      sender.close();
    }
  },
);

onEachBackend(
  "Datagram.sendSegments: without room, the rest is queued in order, and onDrain follows",
  (stage) => {
    const path = stage.path();
    const receiver = stage.reactor.datagram({ path });
    const client = stage.reactor.datagram({ path: "", offload: true });
    let drained = 0;
    client.onDrain = () => drained++;
    const data = patternOf(400 * 1000 + 1);
    assertFalse(client.sendSegments(data, 1000, { path }));
    const { bufferedAmount } = client;
    assert(bufferedAmount > 300_000 && bufferedAmount % 1000 === 1);
    client.sendSegments(data.subarray(0, 3000), 1000, { path });
    client.send(data.subarray(0, 7), { path });
    assertEquals(stage.reactor.stats().bytesQueued, client.bufferedAmount);
    // The memory is the caller's again.
    const copy = data.slice();
    data.fill(0);
    const messages = messagesOf(receiver);
    stage.until(() => messages.length === 405, "all messages");
    stage.until(() => drained === 1, "the drain");
    assertEquals([client.bufferedAmount, stage.reactor.stats().bytesQueued], [
      0,
      0,
    ]);
    const lengths = messages.map(({ length }) => length);
    assertEquals(lengths, [...Array(400).fill(1000), 1, 1000, 1000, 1000, 7]);
    assert(isPattern(joined(messages.slice(0, 401))));
    assertEquals(messages.at(-1), copy.subarray(0, 7));
  },
  NEEDS_UNIX_DATAGRAMS,
);

onEachBackend(
  "Datagram.sendSegments: while its peer reads, each turn sends queued datagrams",
  (stage) => {
    const [left, right] = socketPair("datagram");
    stage.use(right);
    const sender = stage.reactor.datagram({ socket: left });
    const buffer = new Uint8Array(1000);
    const takeAll = (): number => {
      let count = 0;
      while (right.recv(buffer) > 0) count++;
      return count;
    };
    // Twice as much as both sockets have room for, and more.
    sender.sendSegments(patternOf(1000 * 1000), 1000);
    const counts: number[] = [];
    for (let missing = 1000; missing > 0;) {
      const count = takeAll();
      counts.push(count);
      missing -= count;
      // A sender that rests has nothing to do in such a turn.
      assert(count > 0, `${counts} datagrams`);
      stage.reactor.runOnce(0);
    }
    assert(counts.length > 2, `${counts} datagrams`);
    assertEquals(sender.bufferedAmount, 0);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Datagram.sendSegments: above maximumQueued it throws, and queues nothing",
  (stage) => {
    const path = stage.path();
    stage.reactor.datagram({ path });
    const options = { path: "", maximumQueued: 10_000 };
    const client = stage.reactor.datagram(options);
    client.sendSegments(patternOf(50_000), 1000, { path });
    const { bufferedAmount } = client;
    assertThrows(
      () => client.sendSegments(patternOf(2000), 1000, { path }),
      RangeError,
      "Cannot queue more than 10000 bytes",
    );
    assertEquals(client.bufferedAmount, bufferedAmount);
    client.close();
    assertEquals(client.sendSegments(patternOf(2000), 1000, { path }), false);
    assertEquals(stage.reactor.stats().bytesQueued, 0);
  },
  NEEDS_UNIX_DATAGRAMS,
);

onAnyBackend(
  "Datagram.sendSegments: refuses data, sizes and addresses before anything is sent",
  (stage) => {
    for (const options of WAYS) {
      const receiver = receiverOf(stage, options);
      const messages = messagesOf(receiver);
      const sender = stage.reactor.datagram({ ...LOCAL, ...options });
      const { address } = receiver;
      const data = patternOf(100);
      for (const size of [0, -1, 1.5, NaN, Infinity, "7" as never]) {
        assertThrows(
          () => sender.sendSegments(data, size, address),
          RangeError,
          `Cannot send messages of ${size} bytes`,
        );
      }
      assertThrows(() => sender.sendSegments("x" as never, 1), TypeError);
      const wrong = { hostname: "::1", port: 1 };
      assertThrows(() => sender.sendSegments(data, 10, wrong), TypeError);
      const outOfRange = { hostname: "127.0.0.1", port: 65_536 };
      assertThrows(() => sender.sendSegments(data, 10, outOfRange), RangeError);
      sender.sendSegments(data, 1000, address);
      stage.until(() => messages.length > 0, "the one message");
      assertEquals(messages, [data]);
      receiver.close();
      sender.close();
    }
  },
);

onAnyBackend(
  "Datagram.sendSegments: each message that is too large is EMSGSIZE, and the others are sent",
  (stage) => {
    for (const options of WAYS) {
      const receiver = receiverOf(stage, options);
      const sender = stage.reactor.datagram({ ...LOCAL, ...options });
      const errors: string[] = [];
      sender.onError = (error) => errors.push(codeOf(error));
      const messages = messagesOf(receiver);
      sender.sendSegments(patternOf(2 * 65_508 + 3), 65_508, receiver.address);
      stage.until(() => messages.length === 1, "the last");
      stage.until(() => errors.length === 2, "the errors");
      assertEquals([errors, messages[0]!.length], [
        ["EMSGSIZE", "EMSGSIZE"],
        3,
      ]);
      receiver.close();
      sender.close();
    }
  },
);
