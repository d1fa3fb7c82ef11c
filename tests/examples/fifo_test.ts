/** Lines through a FIFO, from writers that come and go. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { assertFailed, type Program } from "../program.ts";
import { absence, assertIdle, startExample, testExamples } from "./start.ts";

/** Most memory of the program while it reads 64 MiB, in KiB. Deno alone has 70 MiB. */
const PEAK = 300 * 1024;

/** Runs a body with a FIFO, and the example that reads it. */
async function withFifo(
  body: (program: Program, path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/messages`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  try {
    await using program = startExample("fifo", [path]);
    await body(program, path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes as a shell does, which waits for a reader, and closes. */
async function write(path: string, text: string): Promise<void> {
  const script = 'printf %s "$1" > "$0"';
  const args = ["-c", script, path, text];
  assert((await new Deno.Command("sh", { args }).output()).success);
}

testExamples(
  "fifo: prints lines of writers that come and go",
  () =>
    withFifo(async (program, path) => {
      await write(path, "The backup is complete\n");
      await program.line(/^\d\d:\d\d:\d\d The backup is complete$/);
      await Promise.all([write(path, "one\n"), write(path, "zwölf\n")]);
      await program.line(/ one$/);
      await program.line(/ zwölf$/);
      await write(path, "a line ");
      await write(path, "in two parts\n");
      await program.line(/ a line in two parts$/);
      program.kill("SIGINT");
      const { signal, errors, lines } = await program.ending();
      assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
      assertEquals(lines.length, 4);
    }),
);

testExamples(
  "fifo: a line without an end does not fill the memory, and is cut",
  () =>
    withFifo(async (program, path) => {
      const script = 'head -c 64M /dev/zero | tr "\\0" x > "$0"';
      await new Deno.Command("sh", { args: ["-c", script, path] }).output();
      await write(path, "\nnext\n");
      await program.line(/ next$/);
      const [first] = program.lines;
      assertEquals(first!.slice(9), "x".repeat(64 * 1024));
      const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
      const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]);
      assertLess(peak, PEAK);
    }),
  absence.proc,
);

testExamples(
  "fifo: the control characters of a line do not reach the terminal",
  () =>
    withFifo(async (program, path) => {
      await write(path, "\x1b[2Jred\r\n");
      await program.line(/^\d\d:\d\d:\d\d \[2Jred$/);
    }),
);

testExamples(
  "fifo: uses no CPU between two writers",
  () =>
    withFifo(async (program, path) => {
      await write(path, "one\n");
      await program.line(/ one$/);
      await assertIdle([program]);
    }),
  absence.proc,
);

testExamples("fifo: a regular file is printed up to its end", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "one\ntwo\n");
    await using program = startExample("fifo", [path]);
    const { code, lines, errors } = await program.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
    assertEquals(lines.map((line) => line.slice(9)), ["one", "two"]);
  } finally {
    await Deno.remove(path);
  }
});

testExamples("fifo: a missing file is one line, and status 1", async () => {
  await using program = startExample("fifo", ["/nowhere/messages"]);
  const ending = await program.ending();
  assertFailed(ending, 1, /^No such file .*: open '\/nowhere\/messages'\n$/);
});

testExamples(
  "fifo: without a path it prints its usage, and status 2",
  async () => {
    await using program = startExample("fifo");
    assertFailed(await program.ending(), 2, /^Usage: fifo.ts PATH\n$/);
  },
);
