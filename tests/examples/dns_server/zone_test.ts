/** Zone files: their format, and the records that a zone refuses. */

import { assertEquals, assertThrows } from "@std/assert";
import { nameOf, ROOT } from "../../../examples/dns_server/names.ts";
import { TYPES } from "../../../examples/dns_server/records.ts";
import { Rcode, Zone } from "../../../examples/dns_server/zone.ts";
import { parseZone } from "../../../examples/dns_server/zone_file.ts";
import { test, withSeed } from "../../util.ts";

const SOA = "@ 60 IN SOA ns host 1 2 3 4 5\n";
const ORIGIN = nameOf("example.", ROOT);

function parse(text: string): ReturnType<typeof parseZone> {
  return parseZone(text, ORIGIN);
}

/** The data of the only record of a line, in hexadecimal. */
function dataOf(line: string): string {
  const [record] = parse(line);
  return record!.data.map((part) => {
    const bytes = typeof part === "string"
      ? Uint8Array.from(part, (character) => character.charCodeAt(0))
      : part;
    return bytes.toHex();
  }).join(" ");
}

for (
  const [line, data] of [
    ["a 1 IN A 192.0.2.1", "c0000201"],
    ["a 1 AAAA 2001:DB8::1", "20010db8000000000000000000000001"],
    ["a 1 AAAA ::", "00000000000000000000000000000000"],
    ["a 1 AAAA ::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
    ["a 1 AAAA 1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["a 1 NS b", "0162076578616d706c6500"],
    ["a 1 CNAME B.Org.", "0162036f726700"],
    ["a 1 MX 258 .", "0102 00"],
    ['a 1 TXT "a;b" c', "03613b62 0163"],
    ['a 1 TXT "\\"\\255\\\\"', "0322ff5c"],
    ['a 1 TXT ""', "00"],
    ["a 1 PTR a\\.b.c\\\\.", "03612e62 02635c00".replace(" ", "")],
  ] as const
) {
  test(`Zone file: ${line} has the data of RFC 1035`, () => {
    assertEquals(dataOf(line), data);
  });
}

test("Zone file: time to live and class are optional, in any order", () => {
  const text = "a 7 IN A 192.0.2.1\n  IN 8 A 192.0.2.2\n  A 192.0.2.3\n" +
    "$TTL 9\nin in A 192.0.2.4\n";
  const records = parse(text);
  assertEquals(records.map(({ ttl }) => ttl), [7, 8, 8, 9]);
  const owners = ["a", "a", "a", "in"].map((name) => nameOf(name, ORIGIN));
  assertEquals(records.map(({ owner }) => owner), owners);
});

test("Zone file: parentheses extend an entry, and comments end at the line", () => {
  const text =
    "@ 1 SOA ( ns ; first ) \n\n host\n 1 2 3 4 5 ) ; end\na 1 A 192.0.2.1";
  assertEquals(parse(text).map(({ type }) => type), [6, 1]);
});

test("Zone file: $ORIGIN ends the names that follow", () => {
  const [record] = parse("$ORIGIN b\n$ORIGIN c\na 1 NS @");
  assertEquals(record!.owner, nameOf("a.c.b.example.", ROOT));
  assertEquals(record!.data, [nameOf("c.b.example.", ROOT)]);
});

for (
  const [text, message] of [
    ["a A 192.0.2.1", "Line 1: Cannot find a time to live"],
    ["  1 A 192.0.2.1", "Line 1: Cannot find an owner"],
    ["\n\na 1 A 192.0.2.256", 'Line 3: Cannot use "192.0.2.256"'],
    ["a 1 AAAA fe80::1%2", 'Line 1: Cannot use "fe80::1%2"'],
    ["a 1 A", "Line 1: Cannot use 0 fields"],
    ["a 1 TXT", "Line 1: Cannot use 0 fields"],
    ["a 1 LOC 1 2", 'Line 1: Cannot use type "LOC"'],
    ["a 1 toString x", 'Line 1: Cannot use type "toString"'],
    ["a 1 MX 65536 b", 'Line 1: Cannot use "65536"'],
    ["a..b 1 A 192.0.2.1", 'Line 1: Cannot use name "a..b"'],
    [`${"a".repeat(64)} 1 A 192.0.2.1`, "Line 1: Cannot use name"],
    [`${"a.".repeat(125)}b 1 A 192.0.2.1`, "Line 1: Cannot use name"],
    ["$INCLUDE other.zone", "Line 1: Cannot obey $INCLUDE"],
    ["a 1 A ( 192.0.2.1\n", "Line 2: Cannot pair parentheses"],
    ["a 1 A 192.0.2.1 )\n", "Line 2: Cannot pair parentheses"],
    ['a 1 TXT "open', "Line 1: Cannot read"],
    [`a 1 TXT ${"a".repeat(256)}`, "Line 1: Cannot use a string of 256 bytes"],
  ] as const
) {
  test(`Zone file: ${JSON.stringify(text.slice(0, 30))} is refused`, () => {
    assertThrows(() => parse(text), TypeError, message);
  });
}

for (
  const [text, message] of [
    ["a 1 A 192.0.2.1", "Cannot use 0 SOA records"],
    [SOA + SOA, "Cannot use 2 SOA records"],
    [`${SOA}a.other. 1 A 192.0.2.1`, "Cannot use a record of another zone"],
    [`${SOA}a\\007example. 1 A 192.0.2.1`, "Cannot use a record of another"],
    [`${SOA}* 1 A 192.0.2.1`, "Cannot use wildcards"],
    [`${SOA}a 1 NS b`, "Cannot delegate"],
    [`${SOA}a 1 CNAME b\na 1 A 192.0.2.1`, "Cannot use a CNAME record"],
    [`${SOA}a 1 A 192.0.2.1\na 1 CNAME b`, "Cannot use a CNAME record"],
    [`${SOA}a 1 CNAME b\na 1 CNAME c`, "Cannot use a CNAME record"],
  ] as const
) {
  test(`Zone: ${JSON.stringify(text.replace(SOA, ""))} is refused`, () => {
    assertThrows(() => new Zone(parse(text)), TypeError, message);
  });
}

test("Zone: a circle of aliases is answered once", () => {
  const zone = new Zone(parse(`${SOA}a 1 CNAME b\nb 1 CNAME a\n`));
  const { rcode, answers } = zone.find(nameOf("a", ORIGIN), TYPES.A.code);
  assertEquals([rcode, answers.length], [Rcode.NoError, 2]);
});

test(
  "Zone file: any text is parsed, or refused with a TypeError",
  withSeed((random) => {
    const pieces = [...'\n\n \t();"\\.@$', "a", "1", "IN", "A", "TXT", "$TTL"];
    for (let round = 0; round < 2000; round++) {
      const text = Array.from(
        { length: random.below(30) },
        () => random.pick(pieces),
      ).join("");
      try {
        parse(text);
      } catch (error) {
        if (
          !(error instanceof TypeError && /^Line \d+: /.test(error.message))
        ) {
          throw error;
        }
      }
    }
  }),
);
