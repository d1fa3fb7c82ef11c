/**
 * `offload`, `onSegments` and `sendSegments`: the kernel joins and splits messages, which
 * stay the same.
 */

import { assert, assertEquals } from "@std/assert";
import type { Datagram, DatagramOptions } from "../../reactor/mod.ts";
import {
  isPattern,
  joined,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
} from "./stage.ts";

/** Each way to send and to receive. */
const WAYS: readonly DatagramOptions[] = [
  {},
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
      const joins = sending.offload && receiving.offload;
      if (Deno.build.os === "linux") {
        assertEquals(chunks.length, joins ? 1 : 21);
      }
      receiver.close();
      sender.close();
    }
  },
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
