/**
 * Standard input for real: a program of its own, whose input comes late.
 */

import { assert, assertEquals } from "@std/assert";
import { denoProgram, test } from "../../util.ts";

/** Polls standard input with a clock of a minute, and reads it, until it ends. */
const PROGRAM = `
import { WasiHost } from "POLLUX/adapters/wasi/mod.ts";
import { onClock, onFd, Program } from "POLLUX/tests/adapters/wasi/program.ts";

const host = new WasiHost();
const memory = new WebAssembly.Memory({ initial: 1 });
const program = new Program(host.imports.wasi_snapshot_preview1, memory);
host.start({ exports: { memory, _start() {
  program.send(1, ["waiting\\n"], "fd_write");
  for (;;) {
    const [event] = program.poll(onFd("read", 0), onClock(60000));
    program.send(1, ["type " + event.type + " flags " + event.flags + "\\n"], "fd_write");
    if (event.flags === 1) return;
    const { iovecs } = program.buffers(64);
    const stored = program.allocate(4);
    program.must("fd_read", 0, iovecs, 1, stored);
    const count = program.view.getUint32(stored, true);
    program.send(1, ["read " + count + "\\n"], "fd_write");
    if (count === 0) return;
  }
} } });
`;

test("a program waits for its standard input, and hears of its end", async () => {
  const root = new URL("../../../", import.meta.url).href;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, PROGRAM.replaceAll("POLLUX/", root));
  const child = new Deno.Command(denoProgram(), {
    args: [
      "run",
      "--no-check",
      "--allow-ffi",
      `--config=${new URL("../../../deno.json", import.meta.url).pathname}`,
      file,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(splitLines()).getReader();
  const line = async (): Promise<string | undefined> =>
    (await lines.read()).value;
  const input = child.stdin.getWriter();

  assertEquals(await line(), "waiting");
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await input.write(new TextEncoder().encode("late"));
  assertEquals(await line(), "type 1 flags 0");
  assert(performance.now() - start >= 50);
  assertEquals(await line(), "read 4");
  await input.close();
  assertEquals(await line(), "type 1 flags 1");
  assertEquals(await line(), undefined);
  await child.stderr.cancel();
  assertEquals((await child.status).code, 0);
  await Deno.remove(file);
});

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller): void {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) controller.enqueue(line);
    },
  });
}
