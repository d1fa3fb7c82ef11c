/**
 * Rare events while Deno has nothing to do: the reactor sleeps, and Deno's loop turns
 * only when a callback has given it something to do.
 */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { setTimeout as pause } from "node:timers/promises";
import { startDeno } from "../program.ts";
import { ONLY_LINUX, test } from "../util.ts";

const PROGRAM = new URL("resting_program.ts", import.meta.url).pathname;

/** Other systems do not show whether Deno has I/O. */

/** A slice takes a second while Deno has nothing to do: half of it is the mean delay. */
const PROMPT = 15;

/** Sends a message a millisecond to a program, and returns the number that it prints. */
async function resultOf(mode: string): Promise<number> {
  await using program = startDeno(["run", "-A", "--no-check", PROGRAM, mode]);
  const port = Number(await program.line(/^\d+$/));
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await trickle(connection);
  const { code, lines, errors } = await program.ending();
  assertEquals(code, 0, errors);
  return Number(lines.at(-1));
}

/** Sends a message a millisecond, until the peer has closed. */
async function trickle(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(16);
  try {
    do {
      await connection.write(buffer.subarray(0, 1));
      await pause(1);
    } while (await connection.read(buffer) !== null);
  } catch (error) {
    // The process may end before it has read the last message.
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

test(
  "serve(): while Deno has nothing to do, messages need no turn of its loop",
  async () => {
    assertLess(await resultOf("resting"), 0.25);
    assertGreaterOrEqual(await resultOf("awaited"), 1);
  },
  ONLY_LINUX,
);

for (
  const [mode, name] of [
    ["file", "a file operation"],
    ["timer", "a timer"],
    ["unreferenced", "a timer that keeps nothing alive"],
    ["rejection", "an unhandled rejection"],
    ["tick", "a call of process.nextTick"],
    ["promises", "a long chain of promises"],
    ["signal", "a signal"],
    ["reactor", "another reactor"],
  ] as const
) {
  test(
    `serve(): after a rest of Deno, ${name} of a callback is prompt`,
    async () => {
      assertLess(await resultOf(mode), PROMPT);
    },
    ONLY_LINUX,
  );
}
