/**
 * `Reactor.open` on blocking descriptors from elsewhere: it neither waits, nor makes
 * them non-blocking for others that share the open file.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  close,
  dup,
  isBlocking,
  openFile,
  pipe,
  read,
  setBlocking,
  socketPair,
  write,
} from "../../backends/ffi/mod.ts";
import { openedMode } from "../../backends/ffi/open_file.ts";
import { PolledFile } from "../../backends/ffi/shared_file.ts";
import { openTerminal } from "../descriptors.ts";
import { bytesOf, ONLY_LINUX } from "../util.ts";
import {
  isPattern,
  joined,
  Log,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
  textOf,
} from "./stage.ts";

/** Makes a descriptor blocking, as those of a shell are, and returns a second one. */
function sharedBlocking(stage: Stage, fd: number): number {
  setBlocking(fd, true);
  const other = dup(fd);
  stage.defer(() => close(other));
  return other;
}

/** The received bytes of a stream until its end, which the reactor waits for. */
function readWhole(stage: Stage, fd: number): Uint8Array {
  const stream = stage.reactor.open(fd);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  stream.onData = (chunk) => chunks.push(chunk);
  stage.until(() => stream.closed, "the end");
  assertEquals(stream.error, undefined);
  return joined(chunks);
}

onEachBackend(
  "Reactor.open: a blocking pipe is read to its end, and stays blocking for others",
  (stage) => {
    const [reader, writer] = pipe();
    const other = sharedBlocking(stage, reader);
    const stream = stage.reactor.open(reader);
    const log = new Log();
    log.watch(stream);
    stage.turns();
    assertEquals(log.lines, []);
    write(writer, bytesOf("one"));
    stage.until(() => log.lines.length > 0, "the bytes");
    assert(isBlocking(other));
    close(writer);
    stage.until(() => log.lines.length > 1, "the end");
    assertEquals(log.lines[0], "data one");
    stream.close();
    stage.turns();
    assertEquals(log.lines.at(-1), "close");
  },
);

onEachBackend(
  "Reactor.open: a blocking pipe takes more than it has room for, and stays blocking for others",
  (stage) => {
    const [reader, writer] = pipe();
    setBlocking(writer, true);
    const other = dup(writer);
    const output = stage.reactor.open(writer);
    const sent = patternOf(1_000_000);
    assertEquals(output.write(sent), false);
    output.end();
    assert(isBlocking(other));
    close(other);
    const received = readWhole(stage, reader);
    assert(received.length === sent.length && isPattern(received));
  },
);

onEachBackend(
  "Reactor.open: the end of file of a FIFO that its last writer left before is read",
  async (stage) => {
    const path = stage.path();
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const reader = openFile(path);
    const writer = openFile(path, "w");
    write(writer, bytesOf("all"));
    close(writer);
    setBlocking(reader, true);
    assertEquals(textOf(readWhole(stage, reader)), "all");
  },
);

onEachBackend(
  "Reactor.open: the write end of a blocking pipe without a reader fails with EPIPE",
  (stage) => {
    const [reader, writer] = pipe();
    setBlocking(writer, true);
    close(reader);
    const stream = stage.reactor.open(writer);
    const log = new Log();
    log.watch(stream);
    stream.write("x");
    stage.until(() => log.lines.length > 0, "the error");
    assertEquals(log.lines, ["close EPIPE"]);
  },
);

onEachBackend(
  "Reactor.open: a blocking socket is read and written, and stays blocking for others",
  (stage) => {
    const [left, right] = socketPair();
    right.setBlocking(true);
    const stream = stage.reactor.open(dup(right));
    const log = new Log();
    stream.onData = (chunk) => log.lines.push(textOf(chunk));
    stage.turns();
    const sent = patternOf(1_000_000);
    assertEquals(stream.write(sent), false);
    assert(isBlocking(right));
    left.send(bytesOf("hello"));
    stage.until(() => log.lines.length > 0, "the bytes");
    const peer = stage.reactor.adopt(left);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    peer.onData = (chunk) => chunks.push(chunk);
    stage.until(() => stream.bufferedAmount === 0, "the rest");
    stream.close();
    right.close();
    stage.until(() => peer.closed, "the end");
    assert(isPattern(joined(chunks)));
    assertEquals(log.lines, ["hello"]);
  },
);

onEachBackend(
  "Reactor.open: a blocking terminal is read and written, and stays blocking for others",
  (stage) => {
    const [master, slave] = openTerminal();
    const other = sharedBlocking(stage, slave);
    const stream = stage.reactor.open(slave, { raw: true });
    const log = new Log();
    stream.onData = (chunk) => log.lines.push(textOf(chunk));
    stage.turns();
    assertEquals(log.lines, []);
    write(master, bytesOf("key"));
    stage.until(() => log.lines.length > 0, "the key");
    assertEquals(log.lines, ["key"]);
    const sent = patternOf(200_000);
    assertEquals(stream.write(sent), false);
    assert(isBlocking(other));
    const peer = stage.reactor.open(master);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    peer.onData = (chunk) => chunks.push(chunk);
    stage.until(() => stream.bufferedAmount === 0, "the rest");
    stage.until(() => joined(chunks).length === sent.length, "the bytes");
    assert(isPattern(joined(chunks)));
    stream.close();
    peer.close();
  },
  ONLY_LINUX,
);

onEachBackend(
  "Reactor.open: a blocking terminal's master is not opened as another terminal",
  (stage) => {
    const [master, slave] = openTerminal();
    const other = sharedBlocking(stage, master);
    const stream = stage.reactor.open(master);
    stream.write("line\n");
    const buffer = new Uint8Array(16);
    stage.until(() => read(slave, buffer) > 0, "the line");
    assertEquals(textOf(buffer.subarray(0, 5)), "line\n");
    assert(isBlocking(other));
    stream.close();
    close(slave);
  },
  ONLY_LINUX,
);

for (const kind of ["pipe", "terminal"] as const) {
  onAnyBackend(
    `PolledFile: a blocking ${kind} that is full takes no byte, and does not block`,
    (stage) => {
      const [reader, writer] = kind === "pipe" ? pipe() : openTerminal();
      setBlocking(writer, true);
      const most = kind === "pipe" ? undefined : 128;
      const file = new PolledFile(writer, openedMode(writer), most);
      const chunk = new Uint8Array(100_000);
      let total = 0;
      for (let count = 0; count >= 0; count = file.write(chunk)) total += count;
      assert(total > 4096, `${total} bytes`);
      const received = new Uint8Array(1_000_000);
      // The kernel moves the bytes of a terminal to its other side later.
      let left = total;
      stage.until(() => {
        left -= Math.max(read(reader, received), 0);
        return left <= 0;
      }, "the bytes");
      assert(file.write(chunk) > 0);
      file.close();
      close(reader);
    },
    kind === "terminal" ? ONLY_LINUX : {},
  );
}

onAnyBackend("PolledFile: a read without bytes does not block", () => {
  const [reader, writer] = pipe();
  setBlocking(reader, true);
  const file = new PolledFile(reader, "r");
  const buffer = new Uint8Array(new ArrayBuffer(16));
  assertEquals(file.read(buffer), -1);
  write(writer, bytesOf("x"));
  assertEquals(file.read(buffer), 1);
  close(writer);
  assertEquals(file.read(buffer), 0);
  file.close();
});

onAnyBackend(
  "Reactor.open: a descriptor is left open, as it was, if the stream is refused",
  (stage) => {
    const [reader, writer] = pipe();
    assertThrows(
      () => stage.reactor.open(reader, { raw: true }),
      Error,
      "tcgetattr",
    );
    assertThrows(() => stage.reactor.open(reader, { mode: "w" }), TypeError);
    write(writer, bytesOf("x"));
    assertEquals(read(reader, new Uint8Array(1)), 1);
    close(reader);
    close(writer);
  },
);
