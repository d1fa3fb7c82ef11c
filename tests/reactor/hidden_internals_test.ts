/** `serve()` where Deno does not expose its internals: slower, and as right. */

import { assertEquals, assertMatch } from "@std/assert";
import { startDeno } from "../program.ts";
import { emulated, test } from "../util.ts";

const PRELOADED = new URL("hide_internals.ts", import.meta.url).pathname;

/** An emulator, and Wine, would take minutes. */
const options = {
  ignore: emulated || Deno.build.os === "windows",
  reason: "the calls are Deno's, and the same everywhere",
};

for (
  const [file, promise] of [
    ["serve_test.ts", "serve() shares the thread with Deno's loop"],
    ["pending_test.ts", "work of a callback goes on before a wait"],
    ["parking_test.ts", "reactors share one parked wait"],
    ["timers_test.ts", "timers are called in time"],
    ["net_test.ts", "connections are those of Deno"],
    ["alarm_test.ts", "a parked wait ends by an alarm"],
    ["deno_turn_test.ts", "Deno has its turns"],
  ] as const
) {
  test(
    `without Deno's internals, too, ${promise}: ${file}`,
    async () => {
      await using program = startDeno([
        ...["test", "-A", "--no-check", "--preload", PRELOADED],
        new URL(file, import.meta.url).pathname,
      ]);
      const { code, lines } = await program.ending();
      assertEquals(code, 0, lines.join("\n"));
      assertMatch(lines.join("\n"), /\nok \| [1-9]\d* passed .*\| 0 failed/);
    },
    options,
  );
}
