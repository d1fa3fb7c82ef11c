/**
 * The memory of received datagrams: each callback's own, or with `reuseBuffer` parts of
 * memory that the next receive overwrites.
 */

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import type { Datagram, DatagramOptions } from "../../reactor/mod.ts";
import { bytesOf } from "../util.ts";
import { onAnyBackend, onEachBackend, type Stage, textOf } from "./stage.ts";

const LOCAL = { hostname: "127.0.0.1" };

/** The options with which callbacks see the memory of a receive. */
const REUSING: readonly DatagramOptions[] = [
  { reuseBuffer: true },
  { reuseBuffer: true, offload: true },
];

/** Sends messages with and without segmentation, which are received together. */
function sendTo(stage: Stage, to: Datagram, texts: string[]): void {
  const sender = stage.reactor.datagram({ ...LOCAL, offload: true });
  for (const text of texts) sender.send(bytesOf(text), to.address);
  sender.sendSegments(bytesOf(texts.join("")), texts[0]!.length, to.address);
  sender.close();
}

/** Four texts of one length. */
const TEXTS = ["first", "other", "third", "forth"];
const ALL = [...TEXTS, ...TEXTS];

onEachBackend(
  "Datagram: the buffer of a message is as long as the message, and holds no other",
  (stage) => {
    for (const options of [{}, { offload: false }, { offload: true }]) {
      const datagram = stage.reactor.datagram({ ...LOCAL, ...options });
      const kept: Uint8Array<ArrayBuffer>[] = [];
      datagram.onMessage = (data) => kept.push(data);
      sendTo(stage, datagram, TEXTS);
      stage.until(() => kept.length === 8, "all messages");
      const buffers = new Set(kept.map(({ buffer }) => buffer));
      assertEquals([...buffers].map(({ byteLength }) => byteLength), [
        ...Array(8).fill(5),
      ]);
      assertEquals(kept.map(textOf), ALL);
      datagram.close();
    }
  },
);

onAnyBackend(
  "Datagram.onSegments: the chunk is the callback's own, and its buffer holds no other",
  (stage) => {
    const datagram = stage.reactor.datagram({ ...LOCAL, offload: true });
    const kept: Uint8Array<ArrayBuffer>[] = [];
    let bytes = 0;
    datagram.onSegments = (data) => {
      kept.push(data);
      bytes += data.length;
    };
    sendTo(stage, datagram, TEXTS);
    stage.until(() => bytes === 40, "all messages");
    assertEquals(kept.map(textOf).join(""), ALL.join(""));
    assert(kept.every(({ buffer, length }) => buffer.byteLength === length));
  },
);

onEachBackend(
  "Datagram: with reuseBuffer, later messages come in the same memory",
  (stage) => {
    for (const options of REUSING) {
      const datagram = stage.reactor.datagram({ ...LOCAL, ...options });
      const texts: string[] = [];
      const buffers = new Set<ArrayBuffer>();
      datagram.onMessage = (data) => {
        texts.push(textOf(data));
        buffers.add(data.buffer);
      };
      for (let round = 1; round <= 20; round++) {
        sendTo(stage, datagram, TEXTS);
        stage.until(() => texts.length === 8 * round, "all messages");
      }
      assertEquals(texts, Array(20).fill(ALL).flat());
      assert(buffers.size <= 16, `${buffers.size} buffers`);
      datagram.close();
    }
  },
);

onEachBackend(
  "Datagram: with reuseBuffer, a transferred buffer is replaced, and no message is lost",
  (stage) => {
    for (const options of REUSING) {
      const datagram = stage.reactor.datagram({ ...LOCAL, ...options });
      const texts: string[] = [];
      const kept: ArrayBuffer[] = [];
      let last: ArrayBuffer | undefined;
      datagram.onMessage = (data) => {
        texts.push(textOf(data));
        // Now, and after the receive.
        if (texts.length % 2 === 0) kept.push(data.buffer.transfer());
        else last = data.buffer;
      };
      for (let round = 1; round <= 10; round++) {
        sendTo(stage, datagram, TEXTS);
        stage.until(() => texts.length === 8 * round, "all messages");
        if (last?.detached === false) kept.push(last.transfer());
      }
      assertEquals(texts, Array(10).fill(ALL).flat());
      // No receive writes into memory that belongs to the program.
      const before = kept.map((buffer) => new Uint8Array(buffer.slice()));
      sendTo(stage, datagram, ["xxxxx", "yyyyy"]);
      stage.until(() => texts.length === 84, "the others");
      for (const [index, copy] of before.entries()) {
        const now = new Uint8Array(kept[index]!);
        assert(copy.every((byte, place) => byte === now[place]));
      }
      datagram.close();
    }
  },
);

onAnyBackend(
  "Datagram: with reuseBuffer, messages that a pause holds back do not change",
  (stage) => {
    for (const options of REUSING) {
      const datagram = stage.reactor.datagram({ ...LOCAL, ...options });
      const texts: string[] = [];
      datagram.onMessage = (data) => {
        texts.push(textOf(data));
        datagram.pause();
      };
      sendTo(stage, datagram, TEXTS);
      stage.until(() => texts.length === 1, "the first");
      const other = stage.reactor.datagram({ ...LOCAL, ...options });
      let noise = 0;
      other.onMessage = () => noise++;
      sendTo(stage, other, ["xxxxx", "yyyyy", "zzzzz"]);
      stage.until(() => noise === 6, "messages of another socket");
      for (let count = 2; count <= 8; count++) {
        datagram.resume();
        stage.until(() => texts.length === count, "the next");
        stage.turns(1);
        assertEquals(texts, ALL.slice(0, count));
      }
      datagram.close();
      other.close();
    }
  },
);

onAnyBackend(
  "Datagram: with reuseBuffer, the memory is that of the reactor, and no other's",
  (stage) => {
    const buffers = [stage.reactor, stage.make()].map((reactor) => {
      const datagram = reactor.datagram({ ...LOCAL, reuseBuffer: true });
      let seen: ArrayBuffer | undefined;
      datagram.onMessage = ({ buffer }) => seen = buffer;
      datagram.send(bytesOf("hello"), datagram.address);
      for (let turn = 0; turn < 100 && seen === undefined; turn++) {
        reactor.runOnce(10);
      }
      return seen;
    });
    assert(buffers[0] !== undefined && buffers[1] !== undefined);
    assertFalse(buffers[0] === buffers[1]);
  },
);

onAnyBackend(
  "Datagram: with reuseBuffer, a callback that runs another reactor keeps its bytes",
  (stage) => {
    const other = stage.make();
    const options = { ...LOCAL, reuseBuffer: true };
    const datagram = stage.reactor.datagram(options);
    const inner = other.datagram(options);
    let noise = 0;
    inner.onMessage = () => noise++;
    const texts: string[] = [];
    datagram.onMessage = (data) => {
      const before = noise;
      inner.send(bytesOf("noise"), inner.address);
      for (let turn = 0; turn < 100 && noise === before; turn++) {
        other.runOnce(10);
      }
      texts.push(textOf(data));
    };
    sendTo(stage, datagram, TEXTS);
    stage.until(() => texts.length === 8, "all messages");
    assertEquals([texts, noise], [ALL, 8]);
  },
);

onAnyBackend(
  "Datagram: the source of a message is one frozen object for a peer",
  (stage) => {
    const datagram = stage.reactor.datagram(LOCAL);
    const sender = stage.reactor.datagram(LOCAL);
    const seen = new Set<object>();
    let count = 0;
    datagram.onMessage = (_, address) => {
      seen.add(address);
      count++;
      const copy = { ...address };
      assertEquals([copy, address], [sender.address, sender.address]);
      assertEquals(JSON.stringify(copy), JSON.stringify(address));
      assertThrows(() => Object.assign(address, { port: 1 }), TypeError);
    };
    for (let left = 5; left > 0; left--) {
      sender.send(bytesOf("x"), datagram.address);
    }
    stage.until(() => count === 5, "all messages");
    assertEquals(seen.size, 1);
  },
);
