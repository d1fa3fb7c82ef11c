/** The counts of ignored tests at the end of `deno task test:windows`. */

import { assertEquals } from "@std/assert";
import { ignoredByReason, ignoredSummary } from "./ignored.ts";

const OUTPUT = `running 5 tests from ./tests/pipe_test.ts
read(): takes a pipe (ignored: Windows has no pipes) ... ignored (0ms)
write(): takes a pipe (2 of them) (ignored: no pipes (yet)) ... ignored (1s)
close(): takes a pipe (ignored: Windows has no pipes) ... ignored (0ms)\r
dup(): takes a pipe (EBADF) ... ignored (0ms)
select(): takes a socket (ignored: never) ... ok (1ms)

ok | 1 passed | 0 failed | 4 ignored (10ms)
`;

Deno.test("ignoredByReason(): counts the ignored tests of each reason", () => {
  assertEquals(ignoredByReason(OUTPUT), [
    ["Windows has no pipes", 2],
    ["no pipes (yet)", 1],
    ["no reason given", 1],
  ]);
});

Deno.test("ignoredSummary(): has the total, and no line that looks like the runner's", () => {
  assertEquals(
    ignoredSummary(OUTPUT),
    "Ignored: 4 tests, by reason\n" +
      "     2  Windows has no pipes\n" +
      "     1  no pipes (yet)\n" +
      "     1  no reason given",
  );
});
