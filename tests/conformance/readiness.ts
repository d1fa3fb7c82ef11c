/**
 * The readiness of each kind of file.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
} from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import {
  dup,
  openFile,
  type Socket,
  type SocketAddress,
  WOULD_BLOCK,
} from "../../backends/ffi/mod.ts";
import {
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type LoopSelector,
} from "../../backends/mod.ts";
import { openTerminal } from "../descriptors.ts";
import {
  assertWouldBlock,
  bytesOf,
  chooseSeed,
  drainSocket,
  expectEvents,
  expectNoEvents,
  fillSocket,
  PATIENCE,
  Random,
  summary,
} from "../util.ts";
import { read, write } from "../../backends/ffi/mod.ts";
import type { Cases, Stage } from "./case.ts";

const BOTH = EVENT_READ | EVENT_WRITE;

/** Writable on connect, readable on data, blocking when drained, no error left. */
function checkConnection(stage: Stage, hostname: string): void {
  const { selector } = stage;
  const { left, right } = stage.connection(hostname);
  selector.register(left, EVENT_WRITE, "left");
  selector.register(right, EVENT_READ, "right");
  assertEquals(summary(selector.select(PATIENCE)), [["left", EVENT_WRITE]]);
  left.send(bytesOf("hello"));
  expectEvents(selector, [["left", EVENT_WRITE], ["right", EVENT_READ]]);
  assertEquals(drainSocket(right), 5);
  assertWouldBlock(right.recv(new Uint8Array(1)));
  selector.unregister(left);
  expectNoEvents(selector);
  assertEquals([left.takeError(), right.takeError()], [null, null]);
}

/** Streams random pieces both ways until all have arrived, and counts needless wake-ups. */
function streamBothWays(
  selector: LoopSelector<string>,
  ends: readonly [Socket, Socket],
  random: Random,
  total: number,
): { sent: number; needless: number; woken: number } {
  const left = new Map(ends.map((end) => [end, total]));
  const chunk = random.bytes(20_000);
  let sent = 0;
  let needless = 0;
  let woken = 0;
  let received = 0;
  for (const end of ends) selector.register(end, BOTH, "");
  while (received < 2 * total) {
    for (const [{ fileobj }, events] of selector.select(PATIENCE)) {
      const end = fileobj as Socket;
      if ((events & EVENT_READ) !== 0) received += drainSocket(end);
      if ((events & EVENT_WRITE) === 0) continue;
      woken++;
      const length = Math.min(left.get(end)!, 1 + random.below(chunk.length));
      const count = end.send(chunk, length);
      if (count === WOULD_BLOCK) needless++;
      else sent += count;
      left.set(end, left.get(end)! - Math.max(count, 0));
      if (left.get(end) === 0) selector.modify(end, EVENT_READ, "");
    }
  }
  return { sent, needless, woken };
}

/** Connects to a port that does not listen, and returns the error. */
function refusal(
  selector: LoopSelector<string>,
  client: Socket,
  address: SocketAddress,
): Error | null {
  try {
    client.connect(address);
  } catch (error) {
    return error as Error;
  }
  selector.register(client, EVENT_WRITE, "client");
  expectEvents(selector, [["client", EVENT_WRITE]]);
  selector.unregister(client);
  return client.takeError();
}

export const readiness: Cases = [
  {
    name: "a fresh socket is writable and not readable [B01]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, EVENT_WRITE, "writer");
      selector.register(right, EVENT_READ, "reader");
      assertEquals(summary(selector.select(PATIENCE)), [[
        "writer",
        EVENT_WRITE,
      ]]);
    },
  },
  {
    name: "select() returns the same keys as register() [B01]",
    run(stage): void {
      const { selector } = stage;
      const { left } = stage.pair();
      const key = selector.register(left, EVENT_WRITE, "");
      assertStrictEquals(selector.select(PATIENCE)[0]![0], key);
    },
  },
  {
    name:
      "a socket that is both readable and writable is one entry with both events [B02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, BOTH, "right");
      assertEquals(summary(selector.select(PATIENCE)), [["right", BOTH]]);
    },
  },
  {
    name: "of twelve pairs, exactly the one with data becomes readable [B03]",
    run(stage): void {
      const { selector } = stage;
      const random = new Random(12);
      const pairs = Array.from({ length: 12 }, () => stage.pair());
      pairs.forEach(({ right }, index) => {
        selector.register(right, EVENT_READ, String(index));
      });
      while (pairs.length > 0) {
        const index = random.below(pairs.length);
        const [pair] = pairs.splice(index, 1);
        pair!.left.send(bytesOf("x"));
        const { data } = selector.getKey(pair!.right);
        assertEquals(summary(selector.select(PATIENCE)), [[data, EVENT_READ]]);
        drainSocket(pair!.right);
      }
    },
  },
  {
    name:
      "only registered events are reported, and no entry is without one [B04]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      left.shutdown("write");
      for (const events of [EVENT_READ, EVENT_WRITE, BOTH]) {
        selector.register(right, events, "right");
        assertEquals(summary(selector.select(PATIENCE)), [["right", events]]);
        selector.unregister(right);
      }
    },
  },
  {
    name: "a full socket becomes writable when its peer has read [B05]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      selector.register(left, BOTH, "left");
      fillSocket(left);
      expectNoEvents(selector);
      drainSocket(right);
      expectEvents(selector, [["left", EVENT_WRITE]]);
    },
  },
  {
    name: "a full socket is readable independently [B05]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      fillSocket(left);
      right.send(bytesOf("x"));
      selector.register(left, BOTH, "left");
      assertEquals(summary(selector.select(PATIENCE)), [["left", EVENT_READ]]);
    },
  },
  {
    name:
      "streams in random pieces arrive both ways, with few needless wake-ups [B06] [B07]",
    run(stage): void {
      const seed = chooseSeed();
      const { left, right } = stage.pair();
      for (const end of [left, right]) end.setOption("sendBufferSize", 4096);
      const total = 1_000_000;
      const result = streamBothWays(
        stage.selector,
        [left, right],
        new Random(seed),
        total,
      );
      assertEquals(result.sent, 2 * total, `seed ${seed}`);
      assertLess(result.needless / result.woken, 0.05, `seed ${seed}`);
    },
  },
  {
    name:
      "a listener is readable while a connection waits, and again for the next [B08]",
    run(stage): void {
      const { selector } = stage;
      const listener = stage.listener();
      selector.register(listener, EVENT_READ, "listener");
      expectNoEvents(selector);
      for (let round = 0; round < 2; round++) {
        const client = stage.socket();
        client.connect(listener.localAddress);
        expectEvents(selector, [["listener", EVENT_READ]]);
        using accepted = listener.accept()!;
        assert(accepted.fd >= 0);
        assertWouldBlock(listener.accept() as null);
        expectNoEvents(selector);
      }
    },
  },
  {
    name: "a listener never becomes writable [B09]",
    run(stage): void {
      const { selector } = stage;
      const listener = stage.listener();
      selector.register(listener, EVENT_WRITE, "listener");
      stage.socket().connect(listener.localAddress);
      expectNoEvents(selector);
    },
  },
  {
    name: "TCP over IPv4 is writable on connect and readable on data [B10]",
    run: (stage) => checkConnection(stage, "127.0.0.1"),
  },
  {
    name: "TCP over IPv6 is writable on connect and readable on data [B10]",
    run: (stage) => checkConnection(stage, "::1"),
  },
  {
    name: "a pending connect ends with writable and no error [J01]",
    run(stage): void {
      const { selector } = stage;
      const client = stage.socket();
      client.connect(stage.listener().localAddress);
      selector.register(client, EVENT_WRITE, "client");
      expectEvents(selector, [["client", EVENT_WRITE]]);
      assertEquals(client.takeError(), null);
    },
  },
  {
    name: "a refused connect ends with an event and its error [J02]",
    needs: "keepsErrors",
    run(stage): void {
      const { selector } = stage;
      // The port is taken, and does not listen.
      const dead = stage.socket();
      dead.bind({ hostname: "127.0.0.1", port: 0 });
      // The connect fails at once, during the wait, or between the two.
      for (let round = 0; round < 20; round++) {
        using client = stage.socket();
        const error = refusal(selector, client, dead.localAddress);
        assertInstanceOf(error, Deno.errors.ConnectionRefused);
      }
    },
  },
  {
    name:
      "UDP is writable at once and readable per datagram, including an empty one [B11]",
    run(stage): void {
      const { selector } = stage;
      const receiver = stage.socket("IPv4", "datagram");
      receiver.bind({ hostname: "127.0.0.1", port: 0 });
      const sender = stage.socket("IPv4", "datagram");
      selector.register(sender, EVENT_WRITE, "sender");
      selector.register(receiver, EVENT_READ, "receiver");
      assertEquals(summary(selector.select(PATIENCE)), [[
        "sender",
        EVENT_WRITE,
      ]]);
      selector.unregister(sender);
      for (const text of ["one", "", "three"]) {
        sender.sendTo(bytesOf(text), receiver.localAddress);
      }
      for (const length of [3, 0, 5]) {
        expectEvents(selector, [["receiver", EVENT_READ]]);
        assertEquals(receiver.recvFrom(new Uint8Array(9))?.bytes, length);
      }
      expectNoEvents(selector);
    },
  },
  {
    name:
      "UDP to a dead port is an event, which ends when the error is taken [B13]",
    needs: "keepsErrors",
    systems: ["linux"],
    run(stage): void {
      const { selector } = stage;
      const dead = stage.socket("IPv4", "datagram");
      dead.bind({ hostname: "127.0.0.1", port: 0 });
      const address = dead.localAddress;
      dead.close();
      const sender = stage.socket("IPv4", "datagram");
      sender.connect(address);
      selector.register(sender, EVENT_READ, "sender");
      sender.send(bytesOf("anybody?"));
      expectEvents(selector, [["sender", EVENT_READ]]);
      assertInstanceOf(sender.takeError(), Deno.errors.ConnectionRefused);
      expectNoEvents(selector);
    },
  },
  {
    name: "a Unix datagram pair is readable per datagram [B15]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair("datagram");
      selector.register(right, BOTH, "right");
      left.send(bytesOf("one"));
      left.send(bytesOf("three"));
      for (const length of [3, 5]) {
        expectEvents(selector, [["right", BOTH]]);
        assertEquals(right.recv(new Uint8Array(9)), length);
      }
      assertEquals(summary(selector.select(0)), [["right", EVENT_WRITE]]);
    },
  },
  {
    name:
      "a pipe is writable at one end, and readable at the other once written to [B18]",
    run(stage): void {
      const { selector } = stage;
      const { reader, writer } = stage.pipe();
      selector.register(reader, EVENT_READ, "reader");
      selector.register(writer, EVENT_WRITE, "writer");
      assertEquals(summary(selector.select(PATIENCE)), [[
        "writer",
        EVENT_WRITE,
      ]]);
      selector.unregister(writer);
      write(writer, bytesOf("hello"));
      expectEvents(selector, [["reader", EVENT_READ]]);
      assertEquals(drainSocket(reader), 5);
      assertWouldBlock(read(reader, new Uint8Array(1)));
      expectNoEvents(selector);
    },
  },
  {
    name: "a full pipe becomes writable after it was drained [B19]",
    run(stage): void {
      const { selector } = stage;
      const { reader, writer } = stage.pipe();
      selector.register(writer, EVENT_WRITE, "writer");
      fillSocket(writer);
      expectNoEvents(selector);
      drainSocket(reader);
      expectEvents(selector, [["writer", EVENT_WRITE]]);
    },
  },
  {
    name: "a terminal carries data both ways [B20]",
    systems: ["linux"],
    run(stage): void {
      const { selector } = stage;
      const [master, slave] = openTerminal().map((fd) => stage.fd(fd));
      selector.register(master!, EVENT_READ, "master");
      selector.register(slave!, EVENT_READ, "slave");
      assertEquals(selector.select(0), []);
      write(slave!, bytesOf("out"));
      expectEvents(selector, [["master", EVENT_READ]]);
      assertEquals(drainSocket(master!), 3);
      write(master!, bytesOf("in\n"));
      expectEvents(selector, [["master", EVENT_READ], ["slave", EVENT_READ]]);
      assertEquals(drainSocket(slave!), 3);
      selector.modify(master!, EVENT_WRITE, "master");
      expectEvents(selector, [["master", EVENT_WRITE]]);
    },
  },
  {
    name: "a terminal delivers all data before it hangs up [B21]",
    systems: ["linux"],
    run(stage): void {
      const { selector } = stage;
      const [master, slave] = openTerminal().map((fd) => stage.fd(fd));
      selector.register(master!, EVENT_READ, "master");
      const chunk = new Uint8Array(1024).fill(97);
      let received = 0;
      for (let sent = 0; sent < 65536;) {
        sent += Math.max(write(slave!, chunk.subarray(0, 65536 - sent)), 0);
        if (sent === 65536) slave!.close();
        else received += drainSocket(master!);
      }
      while (received < 65536) {
        expectEvents(selector, [["master", EVENT_READ]]);
        received += Math.max(read(master!, new Uint8Array(4096)), 0);
      }
      assertEquals(received, 65536);
      expectEvents(selector, [["master", EVENT_READ]]);
    },
  },
  {
    name: "a regular file is readable, even at its end [B23] [B24] [B25]",
    needs: "anyFile",
    run(stage): void {
      const { selector } = stage;
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      selector.register(file, EVENT_READ, "file");
      assertEquals(summary(selector.select(PATIENCE)), [["file", EVENT_READ]]);
      assertEquals(summary(selector.select(PATIENCE)), [["file", EVENT_READ]]);
      selector.unregister(file);
      expectNoEvents(selector);
    },
  },
  {
    name: "a regular file does not hide others [B24]",
    needs: "anyFile",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const file = stage.fd(openFile(new URL(import.meta.url).pathname));
      selector.register(file, EVENT_READ, "file");
      selector.register(right, EVENT_READ, "right");
      left.send(bytesOf("x"));
      expectEvents(selector, [["file", EVENT_READ], ["right", EVENT_READ]]);
    },
  },
  {
    name:
      "a closed descriptor is reported once by a wait, and ends its registration [B28] [B29]",
    lacks: "refusesClosed",
    run(stage): void {
      const { selector } = stage;
      const { reader } = stage.pipe();
      const { fd } = reader;
      reader.close();
      const key = selector.register(fd, EVENT_READ, "closed");
      assertEquals(summary(selector.select(PATIENCE)), [[
        "closed",
        EVENT_READ,
      ]]);
      assertEquals(selector.getMap().size, 0);
      assertStrictEquals(selector.unregister(fd), key);
      expectNoEvents(selector);
    },
  },
  {
    name:
      "the descriptor of another selector is readable while that has a ready entry [B30]",
    needs: "nests",
    run(stage): void {
      const { selector } = stage;
      const inner = stage.make() as LoopSelector<string> & { fd: number };
      const { left, right } = stage.pair();
      inner.register(right, EVENT_READ, "right");
      selector.register(inner, EVENT_READ, "inner");
      expectNoEvents(selector);
      left.send(bytesOf("x"));
      expectEvents(selector, [["inner", EVENT_READ]]);
      expectEvents(inner, [["right", EVENT_READ]]);
    },
  },
  {
    name: "an unconnected socket does no harm [B31]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const fresh = stage.socket();
      selector.register(fresh, BOTH, "fresh");
      selector.select(0);
      selector.unregister(fresh);
      fresh.close();
      selector.register(right, EVENT_READ, "right");
      expectNoEvents(selector);
      left.send(bytesOf("x"));
      expectEvents(selector, [["right", EVENT_READ]]);
    },
  },
  {
    name: "urgent data is EVENT_PRIORITY, if registered [B32]",
    needs: "priority",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.connection();
      selector.register(right, EVENT_PRIORITY | EVENT_READ, "right");
      expectNoEvents(selector);
      left.send(bytesOf("!"), 1, system().constants.MSG_OOB);
      expectEvents(selector, [["right", EVENT_PRIORITY]]);
      right.recv(new Uint8Array(1), 1, system().constants.MSG_OOB);
      selector.modify(right, EVENT_READ, "right");
      expectNoEvents(selector);
    },
  },
  {
    name: "peeking leaves a socket readable [B34]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      left.send(bytesOf("x"));
      selector.register(right, EVENT_READ, "right");
      const buffer = new Uint8Array(1);
      assertEquals(right.recv(buffer, 1, system().constants.MSG_PEEK), 1);
      expectEvents(selector, [["right", EVENT_READ]]);
      assertEquals(right.recv(buffer), 1);
      expectNoEvents(selector);
    },
  },
  {
    name: "two numbers of one file are two registrations [B02]",
    run(stage): void {
      const { selector } = stage;
      const { left, right } = stage.pair();
      const copy = stage.fd(dup(right));
      selector.register(right, EVENT_READ, "right");
      selector.register(copy, EVENT_WRITE, "copy");
      left.send(bytesOf("x"));
      expectEvents(selector, [["copy", EVENT_WRITE], ["right", EVENT_READ]]);
    },
  },
];
