/**
 * A connection that hears of news alone, as on epoll: nothing is left lying of
 * which no news come.
 */

import { assert, assertEquals } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { close, pipe, type Socket } from "../../backends/ffi/mod.ts";
import { addressOf, libc } from "../../backends/ffi/libc.ts";
import { GatheredMessage } from "../../backends/ffi/message_batch.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf } from "../util.ts";
import {
  isPattern,
  joined,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Peer,
} from "./stage.ts";

/** What a connection has received so far; bytes of a reused buffer are copied. */
function collect(connection: Connection): Uint8Array<ArrayBuffer>[] {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  connection.onData = (chunk) => chunks.push(chunk.slice());
  return chunks;
}

/** Sends all that the peer's system takes while nobody reads. */
function fill(peer: Peer): number {
  const pattern = patternOf(4 * 1024 * 1024);
  let sent = 0;
  for (;;) {
    const count = peer.send(pattern.subarray(sent));
    if (count <= 0) return sent;
    sent += count;
  }
}

for (const reuseBuffer of [false, true]) {
  const how = reuseBuffer ? "reused" : "own";
  onEachBackend(
    `more than a buffer that came at one go is received to its end, ${how}`,
    (stage) => {
      const { connection, peer } = stage.connection({ reuseBuffer });
      const sent = fill(peer);
      // More than what is received at one go, in the larger of the two buffers.
      assert(sent > 512 * 1024, `only ${sent} bytes found room`);
      const chunks = collect(connection);
      stage.until(() => joined(chunks).length === sent, "all bytes");
      assert(isPattern(joined(chunks)));
      assert(chunks.length > 1);
      peer.send("x");
      stage.until(() => joined(chunks).length === sent + 1, "the next byte");
    },
  );
}

onEachBackend("an end that is there with the last bytes is heard", (stage) => {
  const { connection, peer } = stage.connection();
  peer.send("last");
  peer.end();
  stage.turns();
  const log = new Log();
  log.watch(connection);
  stage.until(() => log.lines.includes("end"), "the end");
  assertEquals(log.lines, ["data last", "end"]);
});

onEachBackend("an end behind a full buffer is heard", (stage) => {
  const { connection, peer } = stage.connection({ reuseBuffer: true });
  const sent = fill(peer);
  peer.end();
  const chunks = collect(connection);
  let ended = false;
  connection.onEnd = () => ended = true;
  stage.until(() => ended, "the end");
  assertEquals(joined(chunks).length, sent);
});

onEachBackend("a reset behind bytes that were read is heard", (stage) => {
  const { connection, peer } = stage.connection();
  const log = new Log();
  log.watch(connection);
  peer.send("last");
  stage.until(() => log.lines.length > 0, "the bytes");
  peer.reset();
  stage.until(() => log.lines.length > 1, "the close");
  assertEquals(log.lines, ["data last", "close ECONNRESET"]);
}, { needs: "keepsErrors" });

onEachBackend(
  "what lies behind urgent data, at which a receive stops short, is received",
  (stage) => {
    const { connection, peer } = stage.connection();
    const { MSG_OOB } = system().constants;
    peer.send("before");
    peer.socket.send(bytesOf("!"), 1, MSG_OOB);
    peer.send("behind");
    stage.turns();
    const chunks = collect(connection);
    stage.until(() => joined(chunks).length >= 12, "both parts");
    assertEquals(joined(chunks), bytesOf("beforebehind"));
    // Urgent data that nobody fetches is there for ever, and wakes nobody.
    const { events } = stage.reactor.stats();
    stage.turns();
    assertEquals(stage.reactor.stats().events, events);
    peer.send("later");
    stage.until(() => joined(chunks).length >= 17, "what comes later");
  },
);

onEachBackend(
  "urgent data alone wakes nobody for ever, and hides nothing",
  (stage) => {
    const { connection, peer } = stage.connection();
    const chunks = collect(connection);
    const { MSG_OOB } = system().constants;
    for (const text of ["one", "two", "three"]) {
      peer.socket.send(bytesOf("!"), 1, MSG_OOB);
      stage.turns();
      peer.send(text);
      stage.turns();
    }
    stage.until(() => joined(chunks).length >= 11, "all texts");
    assertEquals(joined(chunks), bytesOf("onetwothree"));
  },
);

onEachBackend(
  "pause() and resume() in a callback lose nothing of what is there",
  (stage) => {
    const { connection, peer } = stage.connection({ reuseBuffer: true });
    const sent = fill(peer);
    let received = 0;
    connection.onData = (chunk) => {
      received += chunk.length;
      connection.pause();
      connection.resume();
    };
    stage.until(() => received === sent, "all bytes");
    peer.send("x");
    stage.until(() => received === sent + 1, "the next byte");
  },
);

onEachBackend(
  "another reactor that receives within a callback hides nothing of what is there",
  (stage) => {
    const { connection, peer } = stage.connection();
    const sent = fill(peer);
    const other = stage.make();
    let others = 0;
    const { address } = other.listen(
      { hostname: "127.0.0.1", port: 0 },
      (accepted) => {
        accepted.onData = (chunk) => others += chunk.length;
      },
    );
    const otherPeer = stage.dial(address);
    other.runOnce(1000);
    let received = 0;
    connection.onData = (chunk) => {
      received += chunk.length;
      const before = others;
      otherPeer.send("x");
      while (others === before) other.runOnce(1000);
    };
    stage.until(() => received === sent, "all bytes");
  },
);

onEachBackend(
  "onData that is taken away in a callback, and set later, gets the rest",
  (stage) => {
    const { connection, peer } = stage.connection({ reuseBuffer: true });
    const sent = fill(peer);
    let received = 0;
    const once = (chunk: Uint8Array): void => {
      received += chunk.length;
      connection.onData = null;
    };
    while (received < sent) {
      const before = received;
      connection.onData = once;
      stage.until(() => received > before, `more than ${before} bytes`);
      stage.turns(1);
    }
    assertEquals(received, sent);
  },
);

onEachBackend(
  "bytes that are left after a direct receive go to onData",
  (stage) => {
    const { connection, peer } = stage.connection();
    const part = new Uint8Array(4);
    peer.send("part and rest");
    stage.until(() => connection.socket.recv(part) === 4, "the part");
    const chunks = collect(connection);
    stage.until(() => chunks.length > 0, "the rest");
    assertEquals(part, bytesOf("part"));
    assertEquals(joined(chunks), bytesOf(" and rest"));
  },
);

/** SCM_RIGHTS of <sys/socket.h>, on every system. */
const SCM_RIGHTS = 1;

/** Sends text with a descriptor beside it, as unix(7) has it, on a 64-bit Linux. */
function sendWithDescriptor(socket: Socket, text: string, fd: number): void {
  const { SOL_SOCKET } = system().constants;
  // struct cmsghdr: its length, which counts itself, the level, the type; the descriptor.
  const control = new ArrayBuffer(24);
  const view = new DataView(control);
  view.setBigUint64(0, 20n, true);
  view.setInt32(8, SOL_SOCKET, true);
  view.setInt32(12, SCM_RIGHTS, true);
  view.setInt32(16, fd, true);
  const message = new GatheredMessage();
  message.gather([bytesOf(text)], 0, 0);
  const header = new DataView(message.bytes);
  // struct msghdr: msg_control and msg_controllen.
  header.setBigUint64(32, addressOf(new Uint8Array(control)), true);
  header.setBigUint64(40, BigInt(control.byteLength), true);
  const count = libc().sendmsg(socket.fd, message.bytes, 0);
  assertEquals(count, text.length);
}

onAnyBackend(
  "what lies behind a descriptor that was passed, at which a receive stops short, is received",
  (stage) => {
    const { connection, peer } = stage.connection({ path: stage.path() });
    const [reader, writer] = pipe();
    sendWithDescriptor(peer.socket, "before", reader);
    close(reader);
    close(writer);
    peer.send("behind");
    stage.turns();
    const chunks = collect(connection);
    stage.until(() => joined(chunks).length === 12, "both parts");
    assertEquals(joined(chunks), bytesOf("beforebehind"));
    assertEquals(chunks.length, 2, "the receive did not stop short");
  },
  { ignore: Deno.build.os !== "linux" },
);
