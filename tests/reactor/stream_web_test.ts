/**
 * `readable`, `writable` and `for await` of a stream.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { close, pipe, write } from "../../backends/ffi/mod.ts";
import type { Stream } from "../../reactor/mod.ts";
import { openTerminal } from "../descriptors.ts";
import {
  anyFile,
  bytesOf,
  NEEDS_FILES,
  NEEDS_PIPES,
  nextTurn,
  ONLY_LINUX,
  wine,
} from "../util.ts";
import {
  isPattern,
  joined,
  onAnyBackend,
  onEachBackend,
  patternOf,
  type Stage,
  textOf,
} from "./stage.ts";

/** The pairs of sockets of Windows are of TCP, whose peer gets a reset and loses data. */
const UNREAD_IS_NO_RESET = {
  ignore: !anyFile,
  reason: "a close of TCP with unread input is a reset",
} as const;

/** Wine takes a send as a whole, and keeps the bytes for which the kernel has no room. */
const CLOSE_KEEPS_BYTES = {
  ignore: wine,
  reason: "Wine loses the rest of a send when the socket is closed",
} as const;

/** Two streams of a pipe, on a reactor that serves until the end of the test. */
function servedPipe(stage: Stage): { input: Stream; output: Stream } {
  serve(stage);
  const { reader, writer } = stage.pipe();
  return { input: reader, output: writer };
}

function serve(stage: Stage): void {
  const served = stage.reactor.serve();
  stage.defer(async () => {
    stage.reactor.stop();
    await served;
  });
}

/** Resolves when a stream has ended. */
function ended(stream: Stream): Promise<void> {
  return new Promise((resolve) => stream.onClose = () => resolve());
}

async function textOfStream(stream: Stream): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += textOf(chunk);
  return text;
}

onEachBackend(
  "Stream: for await reads a pipe to its end, which ends the stream",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const sent = patternOf(1_000_000);
    output.end(sent);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of input) chunks.push(chunk);
    assert(isPattern(joined(chunks)) && joined(chunks).length === sent.length);
    assert(input.closed);
  },
);

onEachBackend(
  "Stream: for await reads a regular file to its end",
  async (stage) => {
    serve(stage);
    const path = stage.path();
    const content = patternOf(500_000);
    Deno.writeFileSync(path, content);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of stage.reactor.open(path)) chunks.push(chunk);
    assert(
      joined(chunks).length === content.length && isPattern(joined(chunks)),
    );
  },
  NEEDS_FILES,
);

onEachBackend(
  "Stream: for await reads a terminal until its other side is closed",
  async (stage) => {
    serve(stage);
    const [master, slave] = openTerminal();
    write(slave, bytesOf("last words"));
    setTimeout(() => close(slave), 5);
    assertEquals(await textOfStream(stage.reactor.open(master)), "last words");
  },
  ONLY_LINUX,
);

onEachBackend(
  "Stream: to leave a for await loop closes the stream",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    output.write("x");
    for await (const _ of input) break;
    assertEquals([input.closed, input.fd], [true, -1]);
    output.close();
  },
);

onEachBackend(
  "Stream: readable receives nothing until a chunk is asked for",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const reader = input.readable.getReader();
    output.write("x");
    await nextTurn();
    assertEquals(stage.reactor.stats().registered, 0);
    const { value } = await reader.read();
    assertEquals(textOf(value!), "x");
    await reader.cancel();
    assert(input.closed);
    output.close();
  },
);

onEachBackend(
  "Stream: a BYOB reader receives into its own memory",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    output.end("hello");
    const reader = input.readable.getReader({ mode: "byob" });
    const first = await reader.read(new Uint8Array(3));
    const second = await reader.read(new Uint8Array(3));
    const third = await reader.read(new Uint8Array(3));
    assertEquals(textOf(first.value!) + textOf(second.value!), "hello");
    assertEquals([third.done, third.value!.length], [true, 0]);
  },
);

onEachBackend(
  "Stream: a chunk of readable may be transferred",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const reader = input.readable.getReader();
    for (const text of ["one", "two"]) {
      output.write(text);
      const { value } = await reader.read();
      assertEquals(textOf(new Uint8Array(value!.buffer.transfer())), text);
    }
    input.close();
    output.close();
  },
);

onEachBackend(
  "Stream: a pending read keeps serve() going, and an idle readable does not",
  async (stage) => {
    const { reader: input, from } = stage.pipeFrom();
    const chunks = input.readable.getReader();
    setTimeout(() => write(from, bytesOf("x")), 5);
    const first = chunks.read();
    await stage.reactor.serve({ untilIdle: true });
    assertEquals(textOf((await first).value!), "x");
    input.close();
  },
);

onEachBackend(
  "Stream: unref() lets serve() end although a read is pending",
  async (stage) => {
    const { reader: input } = stage.pipeFrom();
    input.unref();
    const pending = input.readable.getReader().read();
    await stage.reactor.serve({ untilIdle: true });
    input.close();
    await assertRejects(() => pending, Deno.errors.Interrupted);
  },
);

onEachBackend(
  "Stream: a pending read is rejected with the error that ends the stream",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const pending = input.readable.getReader().read();
    input.abort(new Error("on purpose"));
    await assertRejects(() => pending, Error, "on purpose");
    output.close();
  },
);

onEachBackend(
  "Stream: the idle timeout rejects a pending read",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    input.setIdleTimeout(20);
    await assertRejects(
      () => input.readable.getReader().read(),
      Deno.errors.TimedOut,
    );
    output.close();
  },
);

onEachBackend(
  "Stream: a read that the system refuses rejects, and ends the stream",
  async (stage) => {
    serve(stage);
    const input = stage.reactor.open("/proc/self");
    await assertRejects(
      () => input.readable.getReader().read(),
      Error,
      "directory",
    );
    assert(input.closed);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Stream: a read without serve() is rejected after a second",
  async (stage) => {
    const { reader: input } = stage.pipeFrom();
    await assertRejects(
      () => input.readable.getReader().read(),
      Deno.errors.NotSupported,
      "serve()",
    );
  },
);

onAnyBackend("Stream: onData and readable exclude each other", (stage) => {
  const { reader: pushed } = stage.pipeFrom();
  pushed.onData = () => {};
  assertThrows(() => pushed.readable, TypeError, "onData");
  pushed.onData = null;
  assert(pushed.readable instanceof ReadableStream);
  assertThrows(() => pushed.onData = () => {}, TypeError, "onData");
  pushed.onData = null;
  pushed.close();
});

onEachBackend(
  "Stream: pipeTo() copies a file to a pipe, and closes both",
  async (stage) => {
    serve(stage);
    const path = stage.path();
    const content = patternOf(1_000_000);
    Deno.writeFileSync(path, content);
    const [reader, writer] = pipe();
    const output = stage.reactor.open(writer);
    const input = stage.reactor.open(reader);
    const source = stage.reactor.open(path);
    const copied = source.readable.pipeTo(output.writable);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of input) chunks.push(chunk);
    await copied;
    assert(
      joined(chunks).length === content.length && isPattern(joined(chunks)),
    );
    assert(output.closed && source.closed);
  },
  NEEDS_FILES,
);

onEachBackend(
  "Stream: a write of writable resolves when the queue is short again",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const writer = output.writable.getWriter();
    let resolved = false;
    const written = writer.write(new Uint8Array(1_000_000))
      .then(() => resolved = true);
    await nextTurn();
    assert(!resolved && output.bufferedAmount > 0);
    let received = 0;
    input.onData = (chunk) => received += chunk.length;
    await written;
    assert(output.bufferedAmount <= 16 * 1024);
    const whole = ended(input);
    await writer.close();
    assert(output.closed);
    await whole;
    assertEquals(received, 1_000_000);
  },
  CLOSE_KEEPS_BYTES,
);

onEachBackend(
  "Stream: a write of writable rejects with EPIPE without a reader",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const writer = output.writable.getWriter();
    writer.closed.catch(() => {});
    const waiting = writer.write(new Uint8Array(1_000_000));
    await nextTurn();
    input.close();
    await assertRejects(() => waiting, Deno.errors.BrokenPipe);
    await assertRejects(
      () => writer.write(bytesOf("x")),
      Deno.errors.BrokenPipe,
    );
    assert(output.closed);
  },
  NEEDS_PIPES,
);

onAnyBackend(
  "Stream: a write of writable that maximumQueued refuses rejects, also with an empty queue",
  async (stage) => {
    const reactor = stage.make({ maximumQueued: 1 });
    reactor.serve();
    const [[first], [second]] = [stage.narrowPair(), stage.narrowPair()];
    reactor.adopt(first).write(patternOf(2_000_000));
    const writer = reactor.adopt(second).writable.getWriter();
    const closed = assertRejects(() => writer.closed, RangeError);
    await assertRejects(() => writer.write(patternOf(2_000_000)), RangeError);
    await closed;
  },
);

onAnyBackend(
  "Connection: closing writable rejects if the connect fails, also without a write",
  async (stage) => {
    serve(stage);
    const client = stage.reactor.connect({ port: 1 });
    const { readable } = client;
    const writer = client.writable.getWriter();
    const closed = assertRejects(() => writer.closed);
    const refused = Deno.errors.ConnectionRefused;
    await assertRejects(() => writer.close(), refused);
    await assertRejects(() => readable.getReader().read(), refused);
    await closed;
  },
);

onEachBackend(
  "Stream: abort() of writable discards the queue with the reason",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    output.write(new Uint8Array(1_000_000));
    const reason = new Error("on purpose");
    await output.writable.abort(reason);
    assertEquals([output.closed, output.error], [true, reason]);
    input.close();
  },
);

onEachBackend(
  "Stream: abort() of writable ends a write that waits for a slow reader",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    const writer = output.writable.getWriter();
    const reason = new Error("on purpose");
    const closed = assertRejects(() => writer.closed, Error, reason.message);
    const written = writer.write(new Uint8Array(1_000_000));
    await nextTurn();
    const aborted = writer.abort(reason);
    assertEquals([output.closed, output.error], [true, reason]);
    await assertRejects(() => written, Error, reason.message);
    await Promise.all([aborted, closed]);
    input.close();
  },
);

onEachBackend(
  "Stream: abort() of writable ends a close that waits for a slow reader",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    output.write(new Uint8Array(1_000_000));
    const writer = output.writable.getWriter();
    const ends = [writer.close(), writer.closed];
    await nextTurn();
    ends.push(writer.abort("no longer needed"));
    assert(output.closed);
    for (const end of await Promise.allSettled(ends)) {
      assertEquals(end.status, "rejected");
    }
    input.close();
  },
);

onAnyBackend(
  "Stream: writable of a descriptor that is open for reading is a TypeError",
  (stage) => {
    const [reader, writer] = pipe();
    const input = stage.reactor.open(reader);
    assertThrows(() => input.writable, TypeError, "open for reading");
    input.close();
    close(writer);
  },
  NEEDS_PIPES,
);

onEachBackend(
  "Connection: writable stays open after the end of readable",
  async (stage) => {
    serve(stage);
    const [left, right] = stage.pair().map((end) => stage.reactor.adopt(end));
    left!.end("question");
    const writer = right!.writable.getWriter();
    assertEquals(await textOfStream(right!), "question");
    assert(!right!.closed);
    await writer.write(bytesOf("answer"));
    await writer.close();
    assert(right!.closed);
    let answer = "";
    left!.onData = (chunk) => answer += textOf(chunk);
    await ended(left!);
    assertEquals(answer, "answer");
  },
);

onEachBackend(
  "Connection: writable stays open after an end within an element of a view",
  async (stage) => {
    serve(stage);
    const [left, right] = stage.pair().map((end) => stage.reactor.adopt(end));
    const writer = right!.writable.getWriter();
    const reader = right!.readable.getReader({ mode: "byob" });
    const closed = assertRejects(() => reader.closed, TypeError);
    left!.end("odd");
    const { value } = await reader.read(new Uint16Array(4));
    assertEquals(value!.length, 1);
    await assertRejects(() => reader.read(new Uint16Array(4)), TypeError);
    await closed;
    let answer = "";
    left!.onData = (chunk) => answer += textOf(chunk);
    await writer.write(bytesOf("answer"));
    await writer.close();
    await ended(left!);
    assertEquals(answer, "answer");
  },
);

onEachBackend(
  "Connection: readable stays open after writable is closed",
  async (stage) => {
    serve(stage);
    const [left, right] = stage.pair().map((end) => stage.reactor.adopt(end));
    let received = "";
    right!.onData = (chunk) => received += textOf(chunk);
    right!.onEnd = () => right!.end(`you sent ${received}`);
    const chunks = left!.readable;
    const writer = left!.writable.getWriter();
    await writer.write(bytesOf("hello"));
    await writer.close();
    assertEquals(await new Response(chunks).text(), "you sent hello");
    assert(left!.closed);
  },
);

onEachBackend(
  "Connection: a cancelled readable leaves writable open, and discards input",
  async (stage) => {
    serve(stage);
    const [left, right] = stage.pair().map((end) => stage.reactor.adopt(end));
    const writer = right!.writable.getWriter();
    await right!.readable.cancel();
    assert(!right!.closed);
    left!.write("unread");
    let answer = "";
    left!.onData = (chunk) => answer += textOf(chunk);
    await writer.write(bytesOf("answer"));
    await writer.close();
    left!.end();
    await Promise.all([ended(left!), ended(right!)]);
    assertEquals(answer, "answer");
  },
  UNREAD_IS_NO_RESET,
);

onEachBackend(
  "Stream: readable and writable of a closed stream fail",
  async (stage) => {
    const { input, output } = servedPipe(stage);
    input.close();
    output.close();
    await assertRejects(
      () => input.readable.getReader().read(),
      Deno.errors.Interrupted,
    );
    const writer = output.writable.getWriter();
    writer.closed.catch(() => {});
    await assertRejects(
      () => writer.write(bytesOf("x")),
      Deno.errors.Interrupted,
    );
  },
);

onAnyBackend(
  "Stream: the bytes between two readers stay in the file",
  async (stage) => {
    serve(stage);
    const { reader: stream, from } = stage.pipeFrom();
    write(from, bytesOf("one"));
    const first = stream.readable.getReader();
    assertEquals(textOf((await first.read()).value!), "one");
    first.releaseLock();
    write(from, bytesOf("two"));
    await nextTurn();
    const second = stream.readable.getReader();
    assertEquals(textOf((await second.read()).value!), "two");
    stream.close();
  },
);
