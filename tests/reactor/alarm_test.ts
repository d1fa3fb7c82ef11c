/**
 * The alarm that ends the sleep of Deno's loop for parked reactors.
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { AioPolls } from "../../backends/ffi/aio.ts";
import { ffiPermissionFlag } from "../../backends/ffi/mod.ts";
import { startDeno } from "../program.ts";
import { test } from "../util.ts";

const PROGRAM = new URL("alarm_program.ts", import.meta.url).pathname;

/** Linux has it, except in sandboxes without AIO. */
const needed = {
  ignore: AioPolls.create() === null,
  reason: "only Linux has AIO polls",
};

/** Runs the program, and returns its output. */
async function run(
  permissions: readonly string[],
  reactors: number,
  workers: number,
  ...more: readonly string[]
): Promise<[hasAlarm: boolean, threads: number]> {
  await using program = startDeno([
    "run",
    ...permissions,
    PROGRAM,
    String(reactors),
    String(workers),
    ...more,
  ]);
  const { code, lines, errors } = await program.ending();
  assertEquals(code, 0, errors);
  return JSON.parse(lines.at(-1)!);
}

test(
  "serve(): forty parked reactors answer without a thread each",
  async () => {
    const [hasAlarm, threads] = await run(["-A"], 40, 0, "count");
    assert(hasAlarm);
    // The first wait, before there is an alarm, is on another thread.
    assertLessOrEqual(threads, 4);
  },
  needed,
);

test(
  "serve(): more parked reactors than an alarm has room for answer",
  async () => {
    const [hasAlarm] = await run(["-A"], 100, 0);
    assert(hasAlarm);
  },
  needed,
);

test(
  "serve(): the permission that ffiPermissionFlag() names is enough for an alarm",
  async () => {
    const permissions = [ffiPermissionFlag(), "--allow-read", "--no-prompt"];
    const [hasAlarm] = await run(permissions, 2, 0);
    assert(hasAlarm);
  },
  needed,
);

test(
  "Worker.terminate(): the process goes on after threads with parked reactors",
  async () => {
    const [hasAlarm] = await run(["-A"], 2, 5);
    assert(hasAlarm);
  },
  needed,
);
