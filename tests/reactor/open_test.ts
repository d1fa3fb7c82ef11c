/**
 * `Reactor.open`: each kind of file on each selector, and the options.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  close,
  dup,
  ffiPermissionFlag,
  openFile,
  pipe,
  read,
  WOULD_BLOCK,
  write,
} from "../../backends/ffi/mod.ts";
import { EventFd } from "../../backends/ffi/event_fd.ts";
import { EpollSelector } from "../../backends/mod.ts";
import type { Stream } from "../../reactor/mod.ts";
import { openTerminal } from "../descriptors.ts";
import { bytesOf, ONLY_LINUX, runDeno, test } from "../util.ts";
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

/** A path in a directory that is removed at the end, with content if it is given. */
function pathOf(stage: Stage, content?: string | Uint8Array): string {
  const path = stage.path();
  if (content === undefined) return path;
  Deno.writeFileSync(
    path,
    typeof content === "string" ? bytesOf(content) : content,
  );
  return path;
}

function fifoOf(stage: Stage): string {
  const path = stage.path();
  const { success } = new Deno.Command("mkfifo", { args: [path] })
    .outputSync();
  assert(success);
  return path;
}

/** Notes the events of a stream. */
function logOf(stream: Stream): Log {
  const log = new Log();
  log.watch(stream);
  return log;
}

onEachBackend(
  "Reactor.open: an empty regular file is at its end at once",
  (stage) => {
    const stream = stage.reactor.open(pathOf(stage, ""));
    stream.onData = () => {};
    stage.reactor.run();
    assert(stream.closed && stream.error === undefined);
  },
);

onEachBackend(
  "Reactor.open: timers and other files are served while a large file is read",
  (stage) => {
    const size = 20_000_000;
    const path = pathOf(stage, "");
    Deno.truncateSync(path, size);
    const stream = stage.reactor.open(path);
    let received = 0;
    const at: number[] = [];
    stream.onData = (chunk) => received += chunk.length;
    const [reader, writer] = pipe();
    const other = stage.reactor.open(reader);
    other.onData = () => {
      at.push(received);
      if (at.length < 20) write(writer, bytesOf("x"));
      else other.close();
    };
    write(writer, bytesOf("x"));
    stage.reactor.run();
    close(writer);
    assertEquals(received, size);
    assert(at.every((count) => count < size), `${at}`);
  },
);

onEachBackend(
  "Reactor.open: a regular file is not read while it is paused",
  (stage) => {
    const stream = stage.reactor.open(pathOf(stage, patternOf(1_000_000)));
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    stream.onData = (chunk) => {
      chunks.push(chunk);
      stream.pause();
    };
    stage.until(() => chunks.length === 1, "a chunk");
    stage.turns();
    assertEquals(chunks.length, 1);
    assertEquals(stage.reactor.stats().timers, 0);
    stream.onData = (chunk) => chunks.push(chunk);
    stream.resume();
    stage.until(() => stream.closed, "the end");
    assert(isPattern(joined(chunks)));
  },
);

onEachBackend(
  "Reactor.open: unref() lets run() return although a regular file is not at its end",
  (stage) => {
    const stream = stage.reactor.open("/dev/zero");
    const file = stage.reactor.open(pathOf(stage, "some text"));
    for (const each of [stream, file]) {
      each.onData = () => {};
      each.unref();
    }
    stage.reactor.run();
    assert(!file.closed);
    file.ref();
    stage.reactor.run();
    assert(file.closed && !stream.closed);
    stream.close();
  },
);

onEachBackend(
  "Reactor.open: a FIFO ends when its last writer has left",
  (stage) => {
    const path = fifoOf(stage);
    const stream = stage.reactor.open(path);
    const log = logOf(stream);
    stage.turns();
    // Not at its end before the first writer.
    assertEquals(log.lines, []);
    const writer = openFile(path, "w");
    write(writer, bytesOf("text"));
    close(writer);
    stage.reactor.run();
    assertEquals(log.lines, ["data text", "end", "close"]);
    assertEquals(stage.reactor.stats().registered, 0);
  },
);

onEachBackend(
  'Reactor.open: a FIFO with mode "r+" outlives its writers',
  (stage) => {
    const path = fifoOf(stage);
    const stream = stage.reactor.open(path, { mode: "r+" });
    const log = logOf(stream);
    for (const text of ["one", "two"]) {
      const writer = openFile(path, "w");
      write(writer, bytesOf(text));
      close(writer);
      stage.until(() => log.lines.includes(`data ${text}`), text);
      stage.turns();
    }
    assertEquals(log.lines, ["data one", "data two"]);
    stream.close();
  },
);

onEachBackend(
  "Reactor.open: a device without an end is read in turns",
  (stage) => {
    const stream = stage.reactor.open("/dev/zero");
    let called = 0;
    let received = 0;
    stream.onData = (chunk) => received += chunk.length;
    stage.reactor.callSoon(function again(): void {
      if (++called < 10) stage.reactor.callSoon(again);
    });
    stage.until(() => called === 10 && received > 0, "both");
    stream.close();
  },
);

onEachBackend(
  "Reactor.open: a device that is full ends the stream with ENOSPC",
  (stage) => {
    const stream = stage.reactor.open("/dev/full", { mode: "w" });
    const log = logOf(stream);
    stream.write("x");
    stage.until(() => log.lines.length > 0, "the error");
    assertEquals(log.lines, ["close ENOSPC"]);
  },
  ONLY_LINUX,
);

onEachBackend(
  "Reactor.open: an eventfd delivers its count as a chunk",
  (stage) => {
    using counter = new EventFd();
    const stream = stage.reactor.open(dup(counter));
    const counts: bigint[] = [];
    stream.onData = ({ buffer }) => counts.push(new BigUint64Array(buffer)[0]!);
    counter.write(3);
    stage.until(() => counts.length === 1, "the count");
    counter.write(4);
    stage.until(() => counts.length === 2, "the second");
    assertEquals(counts, [3n, 4n]);
    stream.close();
  },
  ONLY_LINUX,
);

onEachBackend(
  "Reactor.open: both sides of a terminal are written and read, and the slave's end ends the master",
  (stage) => {
    const [master, slave] = openTerminal();
    const screen = stage.reactor.open(master);
    const shell = stage.reactor.open(slave);
    const log = logOf(screen);
    shell.onData = (chunk) => {
      shell.write(`you typed ${textOf(chunk)}`);
      shell.close();
    };
    screen.write("a key\n");
    stage.until(() => log.lines.includes("end"), "the end");
    const text = log.lines.filter((line) => line !== "end")
      .map((line) => line.replace("data ", "")).join("");
    assertEquals(text, "a key\r\nyou typed a key\r\n");
    screen.close();
  },
  ONLY_LINUX,
);

onEachBackend(
  "Reactor.open: a chunk is the callback's own, and with reuseBuffer one buffer is reused",
  (stage) => {
    for (const reuseBuffer of [false, true]) {
      const [reader, writer] = pipe();
      const stream = stage.reactor.open(reader, { reuseBuffer });
      const buffers: ArrayBuffer[] = [];
      stream.onData = ({ buffer }) => {
        buffers.push(buffer);
        if (buffers.length < 2) write(writer, bytesOf("y"));
      };
      write(writer, bytesOf("x"));
      stage.until(() => buffers.length === 2, "the bytes");
      assertEquals(buffers[0] === buffers[1], reuseBuffer);
      assertEquals(buffers[0]!.byteLength === 1, !reuseBuffer);
      stream.close();
      close(writer);
    }
  },
);

onEachBackend("Reactor.open: water marks hold for any file", (stage) => {
  const [reader, writer] = pipe();
  const marks = { highWaterMark: 10, lowWaterMark: 2, maximumQueued: 200_000 };
  const stream = stage.reactor.open(writer, marks);
  const log = logOf(stream);
  stream.write(new Uint8Array(65536));
  assertEquals(stream.write(new Uint8Array(10)), true);
  assertEquals(stream.write("x"), false);
  const received = new Uint8Array(100_000);
  stage.until(() => {
    read(reader, received);
    return log.lines.includes("drain");
  }, "the drain");
  stream.write(new Uint8Array(300_000));
  stream.write("too much");
  stage.until(() => stream.closed, "the refusal");
  assert(stream.error instanceof RangeError);
  close(reader);
});

onEachBackend(
  "Reactor.open: closing a duplicate leaves no event of the file in the selector",
  (stage) => {
    const [reader, writer] = pipe();
    const stream = stage.reactor.open(dup(reader));
    stream.onData = () => {};
    stream.close();
    write(writer, bytesOf("x"));
    stage.turns();
    const { selector } = stage.reactor;
    if (selector instanceof EpollSelector) assertEquals(selector.renewals, 0);
    assertEquals(read(reader, new Uint8Array(1)), 1);
    close(reader);
    close(writer);
  },
);

onAnyBackend(
  "Reactor.open: a path is created, appended to and truncated",
  (stage) => {
    const path = pathOf(stage);
    const send = (text: string, options: object): void => {
      const stream = stage.reactor.open(path, { mode: "w", ...options });
      stream.end(text);
      stage.until(() => stream.closed, "the end");
      assertEquals(stream.error, undefined);
    };
    assertThrows(() => send("", {}), Deno.errors.NotFound);
    send("first", { create: true, permissions: 0o600 });
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    send(" second", { append: true });
    assertEquals(Deno.readTextFileSync(path), "first second");
    send("third", { truncate: true });
    assertEquals(Deno.readTextFileSync(path), "third");
    assertThrows(
      () => send("", { exclusive: true }),
      Deno.errors.AlreadyExists,
      path,
    );
  },
);

onAnyBackend(
  "openFile: with `blocking` a read waits, and without it does not",
  (stage) => {
    const path = fifoOf(stage);
    const waits = openFile(path, "r+", { blocking: true });
    const returns = openFile(path, "r+");
    write(waits, bytesOf("x"));
    assertEquals(read(waits, new Uint8Array(1)), 1);
    assertEquals(read(returns, new Uint8Array(1)), WOULD_BLOCK);
    close(waits);
    close(returns);
  },
);

onAnyBackend(
  "openFile: wrong options are refused before anything is opened",
  (stage) => {
    const path = pathOf(stage);
    const wrong: readonly [object, new () => Error, string][] = [
      [{ creat: true }, TypeError, 'did you mean "create"'],
      [{ create: true }, TypeError, 'with mode "r"'],
      [{ permissions: 0o10000 }, RangeError, "4096"],
      [{ permissions: 2 ** 32 }, RangeError, "4294967296"],
      [{ permissions: 1.5 }, RangeError, "1.5"],
    ];
    for (const [options, type, message] of wrong) {
      assertThrows(() => openFile(path, "r", options), type, message);
    }
    assertThrows(() => openFile(path, "rw" as "r"), TypeError, '"rw"');
    assertThrows(() => openFile("a\0b"), TypeError, "NUL");
  },
);

onAnyBackend(
  "Reactor.open: wrong targets and options are refused by name",
  (stage) => {
    const { reactor } = stage;
    const [reader, writer] = pipe();
    const refused: readonly [() => unknown, new () => Error, string][] = [
      [
        () => reactor.open(Deno.stdin as unknown as number),
        TypeError,
        "0 for standard input",
      ],
      [() => reactor.open(null as unknown as number), TypeError, "null"],
      [() => reactor.open(-1), RangeError, "-1"],
      [() => reactor.open(1.5), TypeError, "1.5"],
      [() => reactor.open(9999), Deno.errors.BadResource, "fcntl"],
      [
        () => reactor.open(reader, { mode: "w" }),
        TypeError,
        'opened with mode "r"',
      ],
      [() => reactor.open(reader, { create: true }), TypeError, '"create"'],
      [
        () => reactor.open(reader, { hihgWaterMark: 1 } as object),
        TypeError,
        "highWaterMark",
      ],
      [() => reactor.open(reader, { highWaterMark: -1 }), RangeError, "-1"],
      [
        () => reactor.open("/nowhere/file"),
        Deno.errors.NotFound,
        "/nowhere/file",
      ],
    ];
    for (const [open, type, message] of refused) {
      assertThrows(open, type, message);
    }
    assertEquals(reactor.stats().registered, 0);
    close(reader);
    close(writer);
  },
);

onAnyBackend("Reactor.open: a closed reactor opens nothing", (stage) => {
  const reactor = stage.make();
  reactor.close();
  assertThrows(() => reactor.open("/dev/null"), Deno.errors.BadResource);
});

onAnyBackend(
  "Reactor.open: standard output stays open, and is not read",
  (stage) => {
    const stream = stage.reactor.open(1);
    assert(stream.fd > 2);
    assert(stream.readEnded);
    stream.end();
    stage.until(() => stream.closed, "the end");
    assertEquals(write(1, new Uint8Array(0)), 0);
  },
);

onAnyBackend("Reactor.open: an object with an fd is opened", (stage) => {
  const [reader, writer] = pipe();
  const stream = stage.reactor.open({ fd: reader });
  assertEquals(stream.fd, reader);
  stream.close();
  close(writer);
});

/** Opens files of each kind, with all options that make calls of their own. */
const NARROW = `
import { Reactor } from ${
  JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
};
import { pipe, setBlocking, socketPair } from ${
  JSON.stringify(new URL("../../backends/ffi/mod.ts", import.meta.url).href)
};
await using reactor = new Reactor();
reactor.serve();
const [reader, writer] = pipe();
for (const end of [reader, writer]) setBlocking(end, true);
const [left, right] = socketPair();
right.setBlocking(true);
reactor.open(right).write("x");
left.close();
reactor.open("/dev/ptmx", { mode: "r+", raw: true }).close();
reactor.open(0).close();
await new Response("some text").body.pipeTo(reactor.open(writer).writable);
for await (const chunk of reactor.open(reader)) {
  console.log(new TextDecoder().decode(chunk));
}
`;

test(
  "Reactor.open: the permission that ffiPermissionFlag() names is enough",
  async () => {
    const { stdout, stderr } = await runDeno(NARROW, [ffiPermissionFlag()]);
    assertEquals({ stdout, stderr }, { stdout: "some text\n", stderr: "" });
  },
  ONLY_LINUX,
);
