/**
 * A stream on descriptors that are not sockets: pipes, terminals, regular files.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { openFile, read, write } from "../../backends/ffi/mod.ts";
import { close } from "../../backends/ffi/descriptor.ts";
import { libc } from "../../backends/ffi/libc.ts";
import type { ConnectionOptions, Stream } from "../../reactor/mod.ts";
import {
  anyFile,
  bytesOf,
  fillSocket,
  NEEDS_FILES,
  NEEDS_PIPES,
  ONLY_LINUX,
} from "../util.ts";
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

/** A stream on a descriptor, which is the stream's from now on. */
function streamOn(
  stage: Stage,
  fd: number,
  options: ConnectionOptions = {},
): Stream {
  return stage.reactor.open(fd, options);
}

onEachBackend(
  "Stream: bytes go through a pipe in order, and the end of file closes both ends",
  (stage) => {
    const { reader, writer } = stage.pipe();
    const log = new Log();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    reader.onData = (chunk) => chunks.push(chunk);
    reader.onClose = log.note("reader closed");
    writer.onClose = log.note("writer closed");
    // More than a pipe has room for.
    const sent = patternOf(1_000_000);
    assertEquals(writer.write(sent), false);
    assert(writer.bufferedAmount > 0);
    writer.end();
    stage.until(() => log.lines.length === 2, "both ends");
    const order = ["writer closed", "reader closed"];
    // A socket waits for the end of its peer.
    assertEquals(log.lines, anyFile ? order : order.reverse());
    const received = joined(chunks);
    assert(received.length === sent.length && isPattern(received));
    assertEquals([reader.fd, writer.fd], [-1, -1]);
    const { registered, bytesQueued } = stage.reactor.stats();
    assertEquals([registered, bytesQueued], [0, 0]);
  },
);

onEachBackend(
  "Stream: onDrain follows a false write() to a pipe",
  (stage) => {
    const { reader, writer } = stage.pipe();
    let drained = 0;
    writer.onDrain = () => drained++;
    assertEquals(writer.write(new Uint8Array(1_000_000)), false);
    stage.turns();
    assertEquals(drained, 0);
    reader.onData = () => {};
    stage.until(() => drained > 0, "the drain");
    stage.turns();
    assertEquals(drained, 1);
    reader.close();
    writer.close();
  },
);

onEachBackend(
  "Stream: a pipe that is paused delivers nothing until resume()",
  (stage) => {
    const { reader, writer } = stage.pipe();
    const log = new Log();
    reader.onData = (chunk) => log.lines.push(textOf(chunk));
    reader.pause();
    writer.write("hello");
    stage.turns();
    assertEquals(log.lines, []);
    reader.resume();
    stage.until(() => log.lines.length > 0, "the bytes");
    assertEquals(log.lines, ["hello"]);
    reader.close();
    writer.close();
  },
);

onEachBackend(
  "Stream: a write to a pipe without a reader ends it with EPIPE",
  (stage) => {
    const { reader, writer } = stage.pipe();
    const log = new Log();
    log.watch(writer);
    reader.close();
    assertEquals(writer.write("x"), false);
    stage.until(() => log.lines.length > 0, "the error");
    assertEquals(log.lines, ["close EPIPE"]);
  },
  NEEDS_PIPES,
);

onEachBackend(
  "Stream: a reader without onData reads nothing, and does not discard",
  (stage) => {
    const { reader, from } = stage.pipeFrom();
    write(from, bytesOf("kept"));
    stage.turns();
    assertEquals(stage.reactor.stats().registered, 0);
    const log = new Log();
    reader.onData = (chunk) => log.lines.push(textOf(chunk));
    stage.until(() => log.lines.length > 0, "the bytes");
    assertEquals(log.lines, ["kept"]);
    reader.close();
  },
);

onAnyBackend(
  "Stream: a write to a descriptor that is open for reading is a TypeError",
  (stage) => {
    const { reader, writer } = stage.pipe();
    assertThrows(() => reader.write("x"), TypeError, "open for reading");
    assert(!reader.closed);
    reader.close();
    writer.close();
  },
  NEEDS_PIPES,
);

onEachBackend(
  "Stream: the idle timeout of a pipe ends it with TimedOut",
  (stage) => {
    const { reader, writer } = stage.pipe();
    reader.onData = () => {};
    reader.setIdleTimeout(20);
    stage.until(() => reader.closed, "the timeout");
    assertEquals(reader.error?.name, "TimedOut");
    writer.close();
  },
);

onEachBackend(
  "Stream: unref() lets run() return while a pipe is read",
  (stage) => {
    const { reader, writer } = stage.pipe();
    reader.onData = () => {};
    reader.unref();
    stage.reactor.run();
    reader.ref();
    stage.reactor.callLater(1, () => writer.close());
    stage.reactor.run();
    assert(reader.closed);
  },
);

onEachBackend(
  "Stream: a regular file is read to its end",
  (stage) => {
    const directory = Deno.makeTempDirSync();
    stage.defer(() => Deno.removeSync(directory, { recursive: true }));
    const path = `${directory}/file`;
    const content = patternOf(1_000_000);
    Deno.writeFileSync(path, content);
    const stream = streamOn(stage, openFile(path));
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    stream.onData = (chunk) => chunks.push(chunk);
    stage.until(() => stream.closed, "the end");
    const received = joined(chunks);
    assert(received.length === content.length && isPattern(received));
    assertEquals(stream.error, undefined);
    assertEquals(stage.reactor.stats().registered, 0);
  },
  NEEDS_FILES,
);

/** TIOCGPTN and TIOCSPTLCK of <asm-generic/ioctls.h>: the number of a PTY, its lock. */
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;

/** Both sides of a pseudo-terminal, as pty(7) has them on Linux. */
function openTerminal(): { master: number; path: string } {
  const master = openFile("/dev/ptmx", "r+");
  const number = new Int32Array(1);
  assertEquals(libc().ioctl!(master, TIOCSPTLCK, number), 0);
  assertEquals(libc().ioctl!(master, TIOCGPTN, number), 0);
  return { master, path: `/dev/pts/${number[0]}` };
}

const withoutTerminals = ONLY_LINUX;

onAnyBackend(
  "Stream: a terminal is written and read, and EIO is its end of file",
  (stage) => {
    const { master, path } = openTerminal();
    const slave = openFile(path, "r+");
    const stream = streamOn(stage, master);
    const log = new Log();
    let text = "";
    stream.onData = (chunk) => text += textOf(chunk);
    stream.onClose = (error) => log.lines.push(`closed ${error}`);
    stream.write("line\n");
    // The line discipline echoes the line.
    stage.until(() => text === "line\r\n", "the echo");
    const buffer = new Uint8Array(16);
    assertEquals(textOf(buffer.subarray(0, read(slave, buffer))), "line\n");
    write(slave, bytesOf("answer\n"));
    stage.until(() => text.endsWith("answer\r\n"), "the answer");
    close(slave);
    stage.until(() => log.lines.length > 0, "the end");
    assertEquals(log.lines, ["closed undefined"]);
    assertEquals(stage.reactor.stats().registered, 0);
  },
  withoutTerminals,
);

onAnyBackend(
  "Stream: onEnd of a terminal is called at the hang-up of its other side",
  (stage) => {
    const { master, path } = openTerminal();
    const slave = openFile(path, "r+");
    write(slave, bytesOf("last words\n"));
    const stream = streamOn(stage, master);
    const log = new Log();
    log.watch(stream);
    close(slave);
    stage.until(() => log.lines.includes("end"), "the end");
    assertEquals(log.lines, ["data last words\r\n", "end"]);
    assert(!stream.closed);
    stream.close();
    stage.turns();
    assertEquals(log.lines.at(-1), "close");
  },
  withoutTerminals,
);

onAnyBackend(
  "Stream: a terminal that is full queues, and sends when it is read",
  (stage) => {
    const { master, path } = openTerminal();
    const slave = openFile(path, "r+");
    const stream = streamOn(stage, slave);
    // The kernel makes room for a while: it moves the bytes to the other side.
    while (stream.bufferedAmount === 0) {
      fillSocket(stream);
      stream.write("rest");
    }
    assertEquals(stream.bufferedAmount, 4);
    const buffer = new Uint8Array(4096);
    let received = "";
    stage.until(() => {
      const count = read(master, buffer);
      if (count > 0) received += textOf(buffer.subarray(0, count));
      return stream.bufferedAmount === 0 && received.endsWith("rest");
    }, "the rest");
    stream.close();
    close(master);
  },
  withoutTerminals,
);
