/** Python's notation, compared with CPython. */

import { assertEquals } from "@std/assert";
import { addressRepr, bytesRepr } from "../../examples/python_notation.ts";
import { bytesOf, type Random, test, withSeed } from "../util.ts";
import { absence } from "./start.ts";

const BYTES: readonly [text: string, repr: string][] = [
  ["", "b''"],
  ["This is ", "b'This is '"],
  ["isn't", `b"isn't"`],
  ['say "no"', `b'say "no"'`],
  [`isn't "no"`, `b'isn\\'t "no"'`],
  ["\t\n\r\\", "b'\\t\\n\\r\\\\'"],
  ["\0\x07\x1b\x7f", "b'\\x00\\x07\\x1b\\x7f'"],
  ["é", "b'\\xc3\\xa9'"],
];

for (const [text, repr] of BYTES) {
  test(`bytesRepr() of ${JSON.stringify(text)} is ${repr}`, () => {
    assertEquals(bytesRepr(bytesOf(text)), repr);
  });
}

test("addressRepr() is a pair for IPv4, and a tuple of four for IPv6", () => {
  const reprOf = (hostname: string): string =>
    addressRepr({ hostname, port: 8001 });
  assertEquals(reprOf("127.0.0.1"), "('127.0.0.1', 8001)");
  assertEquals(reprOf("::1"), "('::1', 8001, 0, 0)");
  assertEquals(reprOf("fe80::1%2"), "('fe80::1', 8001, 0, 2)");
});

test("addressRepr() is text for a path, and bytes for an abstract name", () => {
  assertEquals(addressRepr({ path: "" }), "''");
  assertEquals(addressRepr({ path: "/run/isn't" }), `"/run/isn't"`);
  assertEquals(
    addressRepr({ path: "/run/\x7fé\u2028" }),
    "'/run/\\x7fé\\u2028'",
  );
  assertEquals(addressRepr({ path: "\0name" }), "b'\\x00name'");
});

const reason = absence.python && ` (ignored: ${absence.python})`;

test(
  `bytesRepr() equals Python's repr() for any bytes${reason ?? ""}`,
  withSeed((random) => {
    const samples = Array.from({ length: 500 }, () => sample(random));
    // Each byte alone, too.
    for (let byte = 0; byte < 256; byte++) samples.push(Uint8Array.of(byte));
    // More bytes than are converted at a time.
    samples.push(random.bytes(40_000));
    assertEquals(samples.map(bytesRepr), pythonRepr(samples));
  }),
  { ignore: reason !== undefined },
);

/** Random bytes, with many quotes and backslashes. */
function sample(random: Random): Uint8Array<ArrayBuffer> {
  const special = bytesOf(`'"\\\t\n\r\0\x7f`);
  return random.bytes(random.below(12)).map((byte) =>
    random.below(2) === 0 ? byte : random.pick([...special])
  );
}

function pythonRepr(samples: readonly Uint8Array[]): string[] {
  const hex = samples.map((bytes) => bytes.toHex());
  const program =
    "import sys\nfor text in sys.argv[1:]: print(bytes.fromhex(text))";
  const args = ["-c", program, ...hex];
  const { stdout } = new Deno.Command("python3", { args }).outputSync();
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}
