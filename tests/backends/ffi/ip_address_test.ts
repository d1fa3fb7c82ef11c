/**
 * IP addresses between text and bytes, compared with the results of Node.js.
 */

import { assertEquals } from "@std/assert";
import { isIP } from "node:net";
import {
  formatIPv4,
  formatIPv6,
  parseIPv4,
  parseIPv6,
} from "../../../backends/ffi/ip_address.ts";
import { withSeed } from "../../util.ts";

const V4: readonly [text: string, bytes: number[]][] = [
  ["0.0.0.0", [0, 0, 0, 0]],
  ["127.0.0.1", [127, 0, 0, 1]],
  ["255.255.255.255", [255, 255, 255, 255]],
];

const NOT_V4 = [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "999.1.1.1",
  "01.2.3.4",
  "1.2.3.4 ",
  " 1.2.3.4",
  "1.2.3.-4",
  "1..2.3",
  "0x7f.0.0.1",
  "localhost",
  "1.2.3.4\n",
  "١.٢.٣.٤",
];

/** Each in the form of RFC 5952, and in others that mean the same. */
const V6: readonly [canonical: string, ...others: string[]][] = [
  ["::", "0:0:0:0:0:0:0:0", "0::0", "::0:0", "0000::"],
  ["::1", "0:0:0:0:0:0:0:1", "0::1", "::0001"],
  ["2001:db8::1", "2001:0DB8:0::1", "2001:db8:0:0:0:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8::1:1:1:1:1"],
  ["2001:0:0:1::1", "2001:0:0:1:0:0:0:1"],
  ["2001:db8::1:0:0:1", "2001:db8:0:0:1:0:0:1"],
  ["1::", "1:0:0:0:0:0:0:0"],
  ["::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:0.7.0.8"],
];

const NOT_V6 = [
  "",
  ":",
  ":::",
  "1",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1::2::3",
  "12345::",
  "g::",
  "::1.2.3",
  "1.2.3.4::",
  "::1.2.3.4:5",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
  "1:2:3:4:5:6:7::8",
  "::1 ",
  "1:2:3:4:5:6:7:1.2.3.4",
];

for (const [text, bytes] of V4) {
  Deno.test(`IPv4 ${text} is four bytes and back`, () => {
    assertEquals([...parseIPv4(text)!], bytes);
    assertEquals(formatIPv4(Uint8Array.from(bytes)), text);
  });
}

for (const [canonical, ...others] of V6) {
  Deno.test(`IPv6 ${canonical} is sixteen bytes and back, however it is written`, () => {
    for (const text of [canonical, ...others]) {
      assertEquals(formatIPv6(parseIPv6(text)!), canonical, text);
    }
  });
}

Deno.test("text that is no IPv4 address is refused", () => {
  for (const text of NOT_V4) assertEquals(parseIPv4(text), null, text);
});

Deno.test("text that is no IPv6 address is refused", () => {
  for (const text of NOT_V6) assertEquals(parseIPv6(text), null, text);
});

Deno.test(
  "any bytes are restored from their text, which Node.js accepts as an address",
  withSeed((random) => {
    for (let round = 0; round < 2000; round++) {
      const four = random.bytes(4);
      const sixteen = random.bytes(16);
      // Long runs of zeros are where the text is shortened.
      for (let start = random.below(16); random.below(5) > 0; start++) {
        sixteen[start % 16] = 0;
      }
      assertEquals(parseIPv4(formatIPv4(four)), four);
      assertEquals(parseIPv6(formatIPv6(sixteen)), sixteen);
      assertEquals(isIP(formatIPv4(four)), 4);
      assertEquals(isIP(formatIPv6(sixteen)), 6);
    }
  }),
);

Deno.test(
  "random text is an address exactly if Node.js accepts it",
  withSeed((random) => {
    const pieces = [
      "1",
      "0",
      "255",
      "256",
      ".",
      ".",
      ":",
      ":",
      "::",
      "ffff",
      "ab",
      "g",
      "01",
      "",
    ];
    for (let round = 0; round < 20_000; round++) {
      const length = 1 + random.below(16);
      const text = Array.from({ length }, () => random.pick(pieces)).join("");
      const ours = parseIPv4(text) ? 4 : parseIPv6(text) ? 6 : 0;
      assertEquals(ours, isIP(text), JSON.stringify(text));
    }
  }),
);
