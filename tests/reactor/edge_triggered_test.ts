/**
 * Edge-triggered reads, as on epoll: no bytes stay unread for which no edge follows.
 */

import { assert, assertEquals } from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import { close, type Socket } from "../../backends/ffi/mod.ts";
import { addressOf, libc } from "../../backends/ffi/libc.ts";
import { GatheredMessage } from "../../backends/ffi/gathered_message.ts";
import type { Connection } from "../../reactor/mod.ts";
import { bytesOf, ONLY_LINUX } from "../util.ts";
import {
  isPattern,
  joined,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Peer,
} from "./stage.ts";

/** Collects received bytes; those of a reused buffer are copied. */
function collect(connection: Connection): Uint8Array<ArrayBuffer>[] {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  connection.onData = (chunk) => chunks.push(chunk.slice());
  return chunks;
}

/** Sends until the system has no room, while the connection does not read. */
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
    `Connection: more than a buffer is received to its end, ${how}`,
    (stage) => {
      const { connection, peer } = stage.connection({ reuseBuffer });
      const sent = fill(peer);
      // More than one receive of the larger of the two buffers takes.
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

onEachBackend(
  "Connection: an end of file that comes with the last bytes is reported",
  (stage) => {
    const { connection, peer } = stage.connection();
    peer.send("last");
    peer.end();
    stage.turns();
    const log = new Log();
    log.watch(connection);
    stage.until(() => log.lines.includes("end"), "the end");
    assertEquals(log.lines, ["data last", "end"]);
  },
);

onEachBackend(
  "Connection: an end of file behind a full buffer is reported",
  (stage) => {
    const { connection, peer } = stage.connection({ reuseBuffer: true });
    const sent = fill(peer);
    peer.end();
    const chunks = collect(connection);
    let ended = false;
    connection.onEnd = () => ended = true;
    stage.until(() => ended, "the end");
    assertEquals(joined(chunks).length, sent);
  },
);

onEachBackend(
  "Connection: a reset behind bytes that were read is reported",
  (stage) => {
    const { connection, peer } = stage.connection();
    const log = new Log();
    log.watch(connection);
    peer.send("last");
    stage.until(() => log.lines.length > 0, "the bytes");
    peer.reset();
    stage.until(() => log.lines.length > 1, "the close");
    assertEquals(log.lines, ["data last", "close ECONNRESET"]);
  },
  { needs: "keepsErrors" },
);

onEachBackend(
  "Connection: bytes behind urgent data, at which a receive stops short, are received",
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
    // Urgent data that stays unread wakes no wait.
    const { events } = stage.reactor.stats();
    stage.turns();
    assertEquals(stage.reactor.stats().events, events);
    peer.send("later");
    stage.until(() => joined(chunks).length >= 17, "later bytes");
  },
);

onEachBackend(
  "Connection: urgent data alone does not spin the loop, and hides no bytes",
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
  "Connection: pause() and resume() in onData lose no bytes",
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
  "Connection: another reactor that receives in onData hides no bytes",
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
  "onData: if it removes itself, and is set later, it gets the rest",
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
  "onData: it gets the bytes that a direct receive has left",
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

/** Sends text and a descriptor (SCM_RIGHTS, unix(7)), on a 64-bit Linux. */
function sendWithDescriptor(socket: Socket, text: string, fd: number): void {
  const { SOL_SOCKET } = system().constants;
  // struct cmsghdr: its length with itself, the level, the type; the descriptor.
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
  "Connection: bytes behind a passed descriptor, at which a receive stops short, are received",
  (stage) => {
    const { connection, peer } = stage.connection({ path: stage.path() });
    const [reader, writer] = wakePair();
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
  ONLY_LINUX,
);
