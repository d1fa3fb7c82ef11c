/** Round trips of ICMP echo requests, where the system permits them. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { assertFailed } from "../program.ts";
import { absence, startExample, testExamples } from "./start.ts";

async function findAbsence(): Promise<string | undefined> {
  if (Deno.build.os === "windows") return undefined;
  await using program = startExample("ping", ["127.0.0.1", "--count", "1"]);
  const { code, errors } = await program.ending();
  if (code === 0) return undefined;
  assertFailed(
    { code, errors, lines: [], signal: null },
    1,
    /^Operation not|^Permission/,
  );
  return "ICMP sockets are not permitted";
}

const absent = await findAbsence();

/** Only Linux has all of 127.0.0.0/8. */
const HOSTS = Deno.build.os === "linux"
  ? ["127.0.0.1", "127.0.0.2"]
  : ["127.0.0.1"];

testExamples("ping: prints the time of each round trip", async () => {
  const args = [...HOSTS, "--count", "2"];
  await using program = startExample("ping", args);
  const { code, errors, lines } = await program.ending();
  assertEquals({ code, errors, count: lines.length }, {
    code: 0,
    errors: "",
    count: 2 * HOSTS.length,
  });
  for (const line of lines) {
    assertMatch(line, /^127\.0\.0\.[12]: seq [12], \d+\.\d{3} ms$/);
  }
  assertEquals(
    new Set(lines.map((line) => line.split(",")[0])).size,
    lines.length,
  );
}, absent);

testExamples("ping: pings IPv6 together with IPv4", async () => {
  const args = ["::1", "127.0.0.1", "--count", "1"];
  await using program = startExample("ping", args);
  const { code, errors, lines } = await program.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  const hosts = lines.map((line) => line.split(": seq 1, ")[0]);
  assertEquals(hosts.sort(), ["127.0.0.1", "::1"]);
  assert(lines.every((line) => /, \d+\.\d{3} ms$/.test(line)), `${lines}`);
}, absent ?? absence.ipv6);

testExamples("ping: Ctrl-C ends it without a message", async () => {
  await using program = startExample("ping", ["127.0.0.1"]);
  await program.line(/seq 1/);
  program.kill("SIGINT");
  const { signal, errors } = await program.ending();
  assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
}, absent);

const BAD_ARGUMENTS: readonly (readonly [args: string[], line: RegExp])[] = [
  [[], /^Usage: ping.ts /],
  [["localhost"], /^Cannot ping "localhost": it must be an address/],
  [["127.0.0.1", "--count", "x"], /^Usage: ping.ts /],
  [["127.0.0.1", "--count", "1.5"], /^Usage: ping.ts /],
];

for (const [args, line] of BAD_ARGUMENTS) {
  const title = JSON.stringify(args.join(" "));
  testExamples(`ping: ${title} is one line, and status 2`, async () => {
    await using program = startExample("ping", args);
    assertFailed(await program.ending(), 2, line);
  });
}
