/**
 * Rare events while Deno has nothing to do: the reactor sleeps, and Deno's loop turns
 * only when a callback has given it something to do.
 */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { setTimeout as pause } from "node:timers/promises";
import { startDeno } from "../program.ts";
import { ONLY_LINUX, test } from "../util.ts";

const PROGRAM = new URL("resting_program.ts", import.meta.url).pathname;
const HIDE = new URL("hide_internals.ts", import.meta.url).pathname;

/** A slice takes a second while Deno has nothing to do: half of it is the mean delay. */
const PROMPT = 15;

/** A slice takes 50 ms where Deno does not say when its next timer is due. */
const AFTER_SLICE = 100;

/**
 * Sends a message a millisecond to a program, and returns the number that it prints.
 *
 * @param hidden The internal call of Deno that is hidden from it
 */
async function resultOf(mode: string, hidden?: string): Promise<number> {
  const preloaded = hidden === undefined ? [] : ["--preload", HIDE];
  const args = ["run", "-A", "--no-check", ...preloaded, PROGRAM, mode];
  const env = { POLLUX_HIDDEN: hidden ?? "" };
  await using program = startDeno(args, { env });
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

test(
  "serve(): where Deno does not say when its next timer is due, one that keeps nothing alive is called at the end of a slice",
  async () => {
    const hidden = "__processTimers";
    assertLess(await resultOf("resting", hidden), 0.25);
    assertLess(await resultOf("timer", hidden), PROMPT);
    assertLess(await resultOf("unreferenced", hidden), AFTER_SLICE);
  },
  ONLY_LINUX,
);
