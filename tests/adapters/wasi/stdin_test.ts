/**
 * Standard input of a program in a process of its own, which comes late.
 */

import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { Program } from "../../program.ts";
import { anyFile, denoProgram, test } from "../../util.ts";

/** Polls standard input with a clock of a minute, and reads it, until it ends. */
const PROGRAM = `
import { WasiHost } from "POLLUX/adapters/wasi/mod.ts";
import { GuestProgram, onClock, onFd } from "POLLUX/tests/adapters/wasi/guest_program.ts";

const host = new WasiHost();
const memory = new WebAssembly.Memory({ initial: 1 });
const program = new GuestProgram(host.imports.wasi_snapshot_preview1, memory);
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

test("WasiHost: a program waits for its standard input and its end of file", async () => {
  const root = new URL("../../../", import.meta.url);
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, PROGRAM.replaceAll("POLLUX/", root.href));
  {
    await using program = new Program(denoProgram(), [
      ...["run", "--no-check", "--allow-ffi"],
      ...[`--config=${fileURLToPath(new URL("deno.json", root))}`, file],
    ], { hasInput: true });
    await program.line(/^waiting$/);
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await program.type("late");
    await program.line(/^read 4$/);
    assert(performance.now() - start >= 50);
    await program.endInput();
    const { code, lines } = await program.ending();
    assertEquals(lines, [
      "waiting",
      "type 1 flags 0",
      "read 4",
      // On Windows only a read finds the end.
      ...anyFile ? ["type 1 flags 1"] : ["type 1 flags 0", "read 0"],
    ]);
    assertEquals(code, 0);
  }
  await Deno.remove(file);
});
