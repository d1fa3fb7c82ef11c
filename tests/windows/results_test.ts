/** The sums at the end of `deno task test:windows`. */

import { assertEquals } from "@std/assert";
import { lineOf, resultOf, sumOf } from "./results.ts";

const OUTPUT = `select(): takes a socket ... ok (1ms)

ok | 12 passed (3 steps) | 0 failed | 4 ignored (1 step) (1m9s)
`;

Deno.test("resultOf(): has the counts at the end of a run, without its steps", () => {
  assertEquals(resultOf(OUTPUT, 0), { passed: 12, failed: 0, ignored: 4 });
  assertEquals(
    resultOf("FAILED | 2 passed | 3 failed (10ms)\r\n", 1),
    { passed: 2, failed: 3, ignored: 0 },
  );
});

Deno.test("resultOf(): a run that breaks off is a failure", () => {
  const failure = { passed: 0, failed: 1, ignored: 0 };
  assertEquals(resultOf("select(): takes a socket ...", 53), failure);
});

Deno.test("resultOf(): a status of failure without a failed test is a failure", () => {
  assertEquals(resultOf(OUTPUT, 1), { passed: 12, failed: 1, ignored: 4 });
});

Deno.test("lineOf(), sumOf(): print the sums as the runner does", () => {
  const parts = [resultOf(OUTPUT, 0), resultOf(OUTPUT, 0)];
  assertEquals(lineOf(sumOf(parts)), "ok | 24 passed | 0 failed | 8 ignored");
  assertEquals(
    lineOf(sumOf([...parts, resultOf("", 53)])),
    "FAILED | 24 passed | 1 failed | 8 ignored",
  );
});
