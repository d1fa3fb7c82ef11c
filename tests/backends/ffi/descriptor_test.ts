/**
 * Pipes and plain descriptors.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { isOpen } from "../../../backends/ffi/descriptor.ts";
import {
  close,
  dup,
  fileDescriptor,
  type FileObject,
  isBlocking,
  openFile,
  read,
  setBlocking,
  WOULD_BLOCK,
  write,
} from "../../../backends/ffi/mod.ts";
import {
  isCloseOnExec,
  openMaster,
  pipeEnds,
  readSoon,
} from "../../descriptors.ts";
import {
  anyFile,
  bytesOf,
  denoProgram,
  drainSocket,
  fillSocket,
  ONLY_LINUX,
  posixTest,
  test,
} from "../../util.ts";

/** Calls a body with a pipe, and closes the ends that the body leaves open. */
function withPipe(body: (reader: number, writer: number) => void): () => void {
  return () => {
    const ends = pipeEnds();
    try {
      body(...ends);
    } finally {
      for (const fd of ends) if (isOpen(fd)) close(fd);
    }
  };
}

posixTest(
  "pipe() is non-blocking and close-on-exec at both ends",
  withPipe((...ends) => {
    for (const fd of ends) {
      assertEquals([isBlocking(fd), isCloseOnExec(fd)], [false, true]);
    }
  }),
);

test(
  "read() returns written bytes, then WOULD_BLOCK, then 0 at end of file",
  withPipe((reader, writer) => {
    const buffer = new Uint8Array(9);
    assertEquals(read(reader, buffer), WOULD_BLOCK);
    assertEquals(write(writer, bytesOf("hello")), 5);
    assertEquals(readSoon(reader, buffer), 5);
    assertEquals(new TextDecoder().decode(buffer.subarray(0, 5)), "hello");
    close(writer);
    assertEquals(readSoon(reader, buffer), 0);
  }),
);

posixTest(
  "write() to a full pipe is WOULD_BLOCK, and nothing is lost",
  withPipe((reader, writer) => {
    const written = fillSocket(writer);
    assertEquals(write(writer, bytesOf("x")), WOULD_BLOCK);
    assertEquals(drainSocket(reader), written);
  }),
);

posixTest(
  "write() to a pipe without a reader is an error, never a signal",
  withPipe((reader, writer) => {
    close(reader);
    assertThrows(() => write(writer, bytesOf("x")), Deno.errors.BrokenPipe);
  }),
);

posixTest(
  "reading and writing nothing is 0",
  withPipe((reader, writer) => {
    assertEquals(write(writer, new Uint8Array(0)), 0);
    assertEquals(read(reader, new Uint8Array(0)), 0);
  }),
);

test("a closed number is BadResource to every call", () => {
  const closed = 1_000_000;
  const calls: (() => unknown)[] = [
    () => read(closed, new Uint8Array(1)),
    () => write(closed, new Uint8Array(1)),
    () => close(closed),
    () => dup(closed),
    () => setBlocking(closed, true),
    // Windows cannot say.
    ...(anyFile ? [() => isBlocking(closed)] : []),
  ];
  for (const call of calls) assertThrows(call, Deno.errors.BadResource);
});

test("a value that is no descriptor is refused before any call", () => {
  const impostors: unknown[] = ["3", null, undefined, {}, 1.5, NaN, true];
  for (const impostor of impostors) {
    assertThrows(() => fileDescriptor(impostor as FileObject), TypeError);
  }
  for (const fd of [-1, 2 ** 31, { fd: -1 }]) {
    assertThrows(() => fileDescriptor(fd), RangeError);
  }
});

posixTest(
  "setBlocking() switches both ways",
  withPipe((reader) => {
    setBlocking(reader, true);
    assertEquals(isBlocking(reader), true);
    setBlocking(reader, false);
    assertEquals(isBlocking(reader), false);
  }),
);

test(
  "dup() is another number for the same file, close-on-exec",
  withPipe((reader, writer) => {
    const copy = dup(writer);
    assert(copy !== writer && isCloseOnExec(copy));
    write(copy, bytesOf("x"));
    close(copy);
    assertEquals(readSoon(reader, new Uint8Array(9)), 1);
  }),
);

posixTest(
  "openFile() opens for the directions asked for, non-blocking and close-on-exec",
  () => {
    const fd = openFile("/dev/null", "r+");
    assertEquals([isBlocking(fd), isCloseOnExec(fd)], [false, true]);
    assertEquals([write(fd, bytesOf("x")), read(fd, new Uint8Array(1))], [
      1,
      0,
    ]);
    close(fd);
    const readOnly = openFile("/dev/null");
    assertThrows(() => write(readOnly, bytesOf("x")), Deno.errors.BadResource);
    close(readOnly);
  },
);

posixTest(
  "openFile() of a missing file is NotFound, of a cut name a TypeError",
  () => {
    assertThrows(
      () => openFile("/nowhere"),
      Deno.errors.NotFound,
      ": open '/nowhere'",
    );
    assertThrows(() => openFile("/dev/null\0x"), TypeError, "NUL");
  },
);

/** Opens the terminal that is its argument, and lives until its input ends. */
const TERMINAL_USER = `
import { openFile } from "POLLUX/backends/ffi/mod.ts";
openFile(Deno.args[0], "r+");
console.log("open");
for await (const _ of Deno.stdin.readable);
console.log("alive");
`;

test(
  "openFile(): a terminal does not become the controlling one, so its hang-up ends no process",
  async () => {
    const [master, path] = openMaster();
    const root = new URL("../../../", import.meta.url).href;
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(file, TERMINAL_USER.replaceAll("POLLUX/", root));
    // A session leader without a terminal gets the one that it opens without O_NOCTTY.
    const child = new Deno.Command("setsid", {
      args: ["--wait", denoProgram(), "run", "--no-check", "-A", file, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = child.stdout.pipeThrough(new TextDecoderStream());
    const said = output.values();
    assertEquals((await said.next()).value, "open\n");
    close(master); // hangs up
    await child.stdin.close();
    assertEquals((await said.next()).value, "alive\n");
    await said.return!();
    assertEquals((await child.status).code, 0);
    await Deno.remove(file);
  },
  ONLY_LINUX,
);
