/** The second attempt of failed tests in `deno task test:windows`. */

import { assertEquals } from "@std/assert";
import { resultOf } from "./results.ts";
import { argumentsOf, failuresOf, secondAttempt } from "./second_attempt.ts";
import type { Ending, RunTests } from "./side_by_side.ts";

const OUTPUT = `running 2 tests from ./tests/a_test.ts
accept(): works ... ok (1ms)
Afd: a "quoted" name ...'Afd: a "quoted" name' has been running for over (1m0s)
 FAILED (2m0s)
running 1 test from ./tests/b_test.ts
close(): prints ...
------- output -------
FAILED
----- output end -----
close(): prints ... FAILED (1ms)\r

 ERRORS 

Afd: a "quoted" name => ./tests/util.ts:195:8
error: AssertionError

close(): prints => ./tests/util.ts:195:8
error: AssertionError

 FAILURES 

Afd: a "quoted" name => ./tests/util.ts:195:8
close(): prints => ./tests/util.ts:195:8

FAILED | 1 passed | 2 failed (2m1s)
`;

const files = ["tests/a_test.ts", "tests/b_test.ts"];

function ending(output: string): Ending {
  const result = resultOf(output, 1);
  return { name: "servers", files, output, result, duration: "1s" };
}

Deno.test("failuresOf(): has each failed test with its file", () => {
  assertEquals(failuresOf(ending(OUTPUT)), [
    { files: ["tests/a_test.ts"], name: 'Afd: a "quoted" name' },
    { files: ["tests/b_test.ts"], name: "close(): prints" },
  ]);
});

Deno.test("failuresOf(): a suite that broke off has one failure, which is all of it", () => {
  assertEquals(failuresOf(ending(OUTPUT.slice(0, 60))), [{ files }]);
});

Deno.test("argumentsOf(): select one test of a file, or the files of a suite", () => {
  assertEquals(
    argumentsOf({ files: ["tests/a_test.ts"], name: 'Afd: a "quoted" name' }),
    ["--filter=/^Afd. a .quoted. name$/", "tests/a_test.ts"],
  );
  assertEquals(argumentsOf({ files }), files);
});

Deno.test("secondAttempt(): counts the tests that pass alone, and no test that was not found", async () => {
  const outputs = [
    "ok | 1 passed | 0 failed (2ms)",
    "ok | 0 passed | 0 failed (2ms)",
  ];
  const commands: string[] = [];
  const lines: string[] = [];
  const run: RunTests = (args, onLine) => {
    commands.push(args.join(" "));
    onLine(outputs.shift()!);
    return Promise.resolve(0);
  };
  const passed = await secondAttempt(
    [ending(OUTPUT)],
    run,
    (line) => lines.push(line),
  );
  assertEquals(passed, 1);
  assertEquals(commands.length, 2);
  assertEquals(lines.filter((line) => line.includes(" second ")), [
    'Passed at the second attempt: Afd: a "quoted" name',
    "Failed at the second attempt: close(): prints",
  ]);
});

Deno.test("secondAttempt(): a suite without failures is not repeated", async () => {
  const { result, ...rest } = ending(OUTPUT);
  const suite = { ...rest, result: { ...result, failed: 0 } };
  const run = () => Promise.reject(new Error("a second run"));
  assertEquals(await secondAttempt([suite], run), 0);
});

Deno.test("secondAttempt(): many failures are not repeated", async () => {
  const output = "running 21 tests from ./tests/a_test.ts\n FAILURES \n" +
    "close(): prints => ./tests/util.ts:195:8\n".repeat(21) +
    "FAILED | 0 passed | 21 failed (21ms)\n";
  const run = () => Promise.reject(new Error("a second run"));
  assertEquals(await secondAttempt([ending(output)], run), 0);
});
