/**
 * `struct sockaddr` in the layout of every system, on every machine.
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  type AnyAddress,
  decodeAddress,
  encodeAddress,
  familyOf,
  formatAddress,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
} from "../../../backends/ffi/socket_address.ts";
import { formatIPv4, formatIPv6 } from "../../../backends/ffi/ip_address.ts";
import { darwin } from "../../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../../backends/ffi/systems/freebsd.ts";
import { illumos } from "../../../backends/ffi/systems/illumos.ts";
import { linux } from "../../../backends/ffi/systems/linux.ts";
import { netbsd } from "../../../backends/ffi/systems/netbsd.ts";
import { ONLY_LINUX, type Random, test, withSeed } from "../../util.ts";

const systems = [
  linux("x86_64"),
  darwin("aarch64"),
  freebsd("x86_64"),
  netbsd("x86_64"),
  illumos("x86_64"),
];

/** The bytes behind the memory of an address, which no encoding may touch. */
const GUARD = 0xee;

function storage(): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(new ArrayBuffer(SOCKADDR_STORAGE_BYTES + 16));
  memory.fill(GUARD);
  return memory.subarray(8, 8 + SOCKADDR_STORAGE_BYTES);
}

function randomAddress(random: Random, limit: number): SocketAddress {
  const port = random.below(65536);
  switch (random.below(3)) {
    case 0:
      return { hostname: formatIPv4(random.bytes(4)), port };
    case 1: {
      const scope = random.below(2) === 0
        ? ""
        : `%${1 + random.below(2 ** 32 - 1)}`;
      return { hostname: formatIPv6(random.bytes(16)) + scope, port };
    }
    default:
      return { path: "/" + "é".repeat(random.below(limit / 2)) };
  }
}

for (const system of systems) {
  const { constants, name, sockaddrHasLength, unixPathBytes } = system;

  Deno.test(`${name}: IPv4 is family, port in network order, and four bytes`, () => {
    const target = storage();
    const address = { hostname: "127.0.0.1", port: 8001 };
    assertEquals(encodeAddress(target, address, system), 16);
    assertEquals(
      [...target.subarray(0, 8)],
      [
        ...(sockaddrHasLength
          ? [16, constants.AF_INET]
          : [constants.AF_INET, 0]),
        0x1f,
        0x41,
        127,
        0,
        0,
        1,
      ],
    );
    assertEquals([...target.subarray(8, 16)], [0, 0, 0, 0, 0, 0, 0, 0]);
  });

  Deno.test(`${name}: IPv6 is family, port, flow, sixteen bytes and the scope`, () => {
    const target = storage();
    const address = { hostname: "fe80::1%2", port: 1 };
    assertEquals(encodeAddress(target, address, system), 28);
    const view = new DataView(target.buffer, target.byteOffset);
    assertEquals(view.getUint16(2), 1);
    assertEquals([target[8], target[23], view.getUint32(24, true)], [
      0xfe,
      1,
      2,
    ]);
    assertEquals(familyOf(address, system), constants.AF_INET6);
  });

  Deno.test(
    `${name}: every address is restored from its bytes, and nothing is written next to them`,
    withSeed((random) => {
      for (let round = 0; round < 1000; round++) {
        const address = randomAddress(random, unixPathBytes - 2);
        const target = storage();
        const length = encodeAddress(target, address, system);
        assertEquals(decodeAddress(target, length, system), address);
        const around = new Uint8Array(target.buffer);
        assertEquals(
          around.subarray(0, 8).every((byte) => byte === GUARD),
          true,
        );
        assertEquals(around.subarray(-8).every((byte) => byte === GUARD), true);
      }
    }),
  );

  Deno.test(
    `${name}: any bytes of any length are an address or a refusal, never a crash`,
    withSeed((random) => {
      const { AF_INET, AF_INET6, AF_UNIX } = constants;
      for (let round = 0; round < 2000; round++) {
        const bytes = random.bytes(SOCKADDR_STORAGE_BYTES);
        bytes[sockaddrHasLength ? 1 : 0] = random.pick([
          AF_INET,
          AF_INET6,
          AF_UNIX,
          200,
        ]);
        if (!sockaddrHasLength) bytes[1] = 0;
        try {
          decodeAddress(
            bytes,
            random.below(2 * SOCKADDR_STORAGE_BYTES),
            system,
          );
        } catch (error) {
          if (!(error instanceof Deno.errors.NotSupported)) throw error;
        }
      }
    }),
  );

  Deno.test(`${name}: a path may be as long as sun_path, and not longer`, () => {
    const longest = "p".repeat(unixPathBytes - 1);
    const target = storage();
    const length = encodeAddress(target, { path: longest }, system);
    assertEquals(length, 2 + unixPathBytes);
    assertEquals(decodeAddress(target, length, system), { path: longest });
    assertThrows(
      () => encodeAddress(target, { path: `${longest}p` }, system),
      RangeError,
      String(unixPathBytes),
    );
  });

  Deno.test(`${name}: abstract names exist exactly on Linux`, () => {
    const target = storage();
    const address = { path: "\0a\0b" };
    if (!system.abstractSockets) {
      assertThrows(
        () => encodeAddress(target, address, system),
        TypeError,
        name,
      );
      return;
    }
    assertEquals(encodeAddress(target, address, system), 6);
    assertEquals(decodeAddress(target, 6, system), address);
  });

  Deno.test(`${name}: a peer without a name has an empty path`, () => {
    const target = storage();
    assertEquals(encodeAddress(target, { path: "" }, system), 2);
    for (const length of [0, 2]) {
      assertEquals(decodeAddress(target, length, system), { path: "" });
    }
  });
}

const BAD_PORTS = [-1, 65536, 70000, 1.5, NaN, Infinity, 2 ** 32 + 80];

for (const port of BAD_PORTS) {
  Deno.test(`port ${port} is refused by its value`, () => {
    assertThrows(
      () =>
        encodeAddress(
          storage(),
          { hostname: "127.0.0.1", port },
          linux("x86_64"),
        ),
      RangeError,
      String(port),
    );
  });
}

const BAD_HOSTS = [
  "",
  "999.1.1.1",
  "localhost",
  "1.2.3",
  "::g",
  "fe80::1%",
  "fe80::1%nonexistent",
  "fe80::1%longer_than_any_name",
  "fe80::1%4294967296",
  "[127.0.0.1]",
  "[::1",
  "::1]",
  "[[::1]]",
  "127.0.0.1%1",
  "::1\0",
];

for (const hostname of BAD_HOSTS) {
  test(`hostname ${JSON.stringify(hostname)} is refused by its value`, () => {
    assertThrows(
      () => encodeAddress(storage(), { hostname, port: 1 }, linux("x86_64")),
      TypeError,
      hostname,
    );
  });
}

for (const hostname of [undefined, null, 5]) {
  Deno.test(`hostname ${hostname}, no text at all, is refused by its value`, () => {
    const address = { hostname: hostname as unknown as string, port: 1 };
    assertThrows(
      () => encodeAddress(storage(), address, linux("x86_64")),
      TypeError,
      `Cannot use ${hostname} as a hostname`,
    );
  });
}

Deno.test("a path with a NUL inside is refused, not cut", () => {
  assertThrows(
    () => encodeAddress(storage(), { path: "/a\0b" }, linux("x86_64")),
    TypeError,
    "NUL",
  );
});

Deno.test("addresses are formatted in the usual way", () => {
  assertEquals(
    [
      { hostname: "127.0.0.1", port: 8001 },
      { hostname: "::1", port: 8001 },
      { path: "/run/echo.sock" },
      { hostname: "[::1]", port: 8001 },
      { path: "\0echo" },
    ].map(formatAddress),
    ["127.0.0.1:8001", "[::1]:8001", "/run/echo.sock", "[::1]:8001", "@echo"],
  );
});

/** Encodes an address, and decodes the bytes. */
function throughBytes(address: SocketAddress): AnyAddress {
  const target = storage();
  const length = encodeAddress(target, address, linux("x86_64"));
  return decodeAddress(target, length, linux("x86_64"));
}

Deno.test("an IPv6 address may be in brackets, as a URL has it", () => {
  const { hostname } = new URL("http://[2001:DB8:0::1]:80/");
  assertEquals(throughBytes({ hostname, port: 80 }), {
    hostname: "2001:db8::1",
    port: 80,
  });
  assertEquals(throughBytes({ hostname: "[fe80::1%7]", port: 80 }), {
    hostname: "fe80::1%7",
    port: 80,
  });
});

test("an interface may have a name, and is a number when it is decoded", () => {
  const path = "/sys/class/net/lo/ifindex";
  const number = Deno.readTextFileSync(path).trim();
  assertEquals(throughBytes({ hostname: "fe80::1%lo", port: 1 }), {
    hostname: `fe80::1%${number}`,
    port: 1,
  });
}, ONLY_LINUX);

Deno.test(
  "a path of any bytes comes back from its text",
  withSeed((random) => {
    const target = storage();
    for (let round = 0; round < 2000; round++) {
      const name = random.bytes(1 + random.below(100))
        .map((byte) => random.below(2) === 0 ? byte : byte & 0x7f)
        .map((byte) => byte || 1);
      const length = 2 + name.length + 1;
      target.fill(0).set([1, 0, ...name]);
      const address = decodeAddress(target, length, linux("x86_64"));
      const copy = storage();
      assertEquals(encodeAddress(copy, address, linux("x86_64")), length);
      assertEquals(copy, target, JSON.stringify(address));
    }
  }),
);

Deno.test("a byte that is not UTF-8 is a lone surrogate, and nothing else is", () => {
  const target = storage();
  const cases: [bytes: number[], text: string][] = [
    [[0xff, 0x41], "\udcffA"],
    [[0xc3, 0xa9, 0xc3], "é\udcc3"],
    [[0xef, 0xbb, 0xbf, 0x80], "\ufeff\udc80"],
    [[0xed, 0xb2, 0x80], "\udced\udcb2\udc80"],
    [[0xf0, 0x9f, 0x98, 0x80], "😀"],
    [[0xc0, 0x80], "\udcc0\udc80"],
  ];
  for (const [bytes, text] of cases) {
    target.fill(0).set([1, 0, 0, ...bytes]);
    const length = 3 + bytes.length;
    const address = { path: `\0${text}` };
    assertEquals(decodeAddress(target, length, linux("x86_64")), address);
    const copy = storage();
    assertEquals(encodeAddress(copy, address, linux("x86_64")), length);
    assertEquals(copy, target);
  }
});

for (const path of ["/a\ud800", "/\udc7f", "/\udd00"]) {
  Deno.test(`path ${JSON.stringify(path)}, whose surrogate is no byte, is refused`, () => {
    assertThrows(
      () => encodeAddress(storage(), { path }, linux("x86_64")),
      TypeError,
      "lone surrogate",
    );
  });
}
