/**
 * Control messages by name, in the numbers and layouts of every system.
 */

import { assertEquals, assertThrows } from "@std/assert";
import {
  namedControl,
  type PacketInfo,
  rawControl,
} from "../../../backends/ffi/control_messages.ts";
import type { RawControlMessage } from "../../../backends/ffi/structs/control.ts";
import type { System } from "../../../backends/ffi/system.ts";
import { darwin } from "../../../backends/ffi/systems/darwin.ts";
import { freebsd } from "../../../backends/ffi/systems/freebsd.ts";
import { illumos } from "../../../backends/ffi/systems/illumos.ts";
import { linux } from "../../../backends/ffi/systems/linux.ts";
import { netbsd } from "../../../backends/ffi/systems/netbsd.ts";

/** 127.0.0.1 and 10.0.0.9 as the bytes of their addresses. */
const LOCAL = [127, 0, 0, 1], OTHER = [10, 0, 0, 9];
const SEVEN = [7, 0, 0, 0];

/** The numbers of one system, as its headers have them. */
interface Numbers {
  readonly system: System;
  /** IP_PKTINFO and the bytes of `struct in_pktinfo`: received, and sent. */
  readonly info:
    | readonly [type: number, received: number[], sent: number[]]
    | null;
  /** The type and the bytes of a received time to live of 64. */
  readonly ttl: readonly [type: number, data: number[]];
  readonly info6: number;
  readonly hopLimit: number;
  /** The type of a timestamp, and its fraction of a millisecond and a half. */
  readonly time: readonly [type: number, fraction: number];
}

const plainInfo = [[...SEVEN, ...OTHER, ...LOCAL], [
  ...SEVEN,
  ...LOCAL,
  0,
  0,
  0,
  0,
]] as const;

const rows: readonly Numbers[] = [
  {
    system: linux("x86_64"),
    info: [8, [...plainInfo[0]], [...plainInfo[1]]],
    ttl: [2, [64, 0, 0, 0]],
    info6: 50,
    hopLimit: 52,
    time: [35, 1_500_000],
  },
  {
    system: darwin("aarch64"),
    info: [26, [...plainInfo[0]], [...plainInfo[1]]],
    ttl: [24, [64]],
    info6: 46,
    hopLimit: 47,
    time: [2, 1500],
  },
  {
    system: freebsd("x86_64"),
    info: null,
    ttl: [65, [64]],
    info6: 46,
    hopLimit: 47,
    time: [2, 1500],
  },
  {
    system: netbsd("x86_64"),
    info: [25, [...LOCAL, ...SEVEN], [...LOCAL, ...SEVEN]],
    ttl: [23, [64]],
    info6: 46,
    hopLimit: 47,
    time: [8, 1500],
  },
  {
    system: illumos("x86_64"),
    info: [26, [...plainInfo[0]], [...plainInfo[1]]],
    ttl: [11, [64]],
    info6: 11,
    hopLimit: 12,
    time: [0x1013, 1500],
  },
];

function message(
  level: number,
  type: number,
  data: readonly number[],
): RawControlMessage {
  return { level, type, data: Uint8Array.from(data) };
}

const V6 = [...Array(15).fill(0), 1];

for (const { system, info, ttl, info6, hopLimit, time } of rows) {
  const { IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET } = system.constants;

  Deno.test(`${system.name}: received control messages get their names`, () => {
    const seconds = new BigInt64Array([10n, BigInt(time[1])]);
    const stamp = message(SOL_SOCKET, time[0], [
      ...new Uint8Array(seconds.buffer),
    ]);
    const unknown = message(IPPROTO_IP, 200, [1]);
    const messages = [message(IPPROTO_IP, ...ttl), stamp, unknown];
    if (info !== null) messages.push(message(IPPROTO_IP, info[0], info[1]));
    const packetInfo = { address: "127.0.0.1", interface: 7 };
    assertEquals(namedControl(messages, system), {
      timeToLive: 64,
      timestamp: 10_001.5,
      others: [unknown],
      ...(info === null ? {} : { packetInfo }),
    });
    const six = [
      message(IPPROTO_IPV6, info6, [...V6, ...SEVEN]),
      message(IPPROTO_IPV6, hopLimit, [9, 0, 0, 0]),
    ];
    assertEquals(namedControl(six, system), {
      packetInfo: { address: "::1", interface: 7 },
      timeToLive: 9,
      others: [],
    });
  });

  Deno.test(`${system.name}: a control message that is cut off is one of the others`, () => {
    const { constants: { IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET } } = system;
    const cut = [
      message(IPPROTO_IP, ttl[0], []),
      message(SOL_SOCKET, time[0], Array(11).fill(1)),
      message(IPPROTO_IPV6, info6, [...V6, 7, 0, 0]),
      message(IPPROTO_IPV6, hopLimit, [9, 0, 0]),
    ];
    if (info !== null) {
      cut.push(message(IPPROTO_IP, info[0], info[1].slice(1)));
    }
    assertEquals(namedControl(cut, system), { others: cut });
  });

  Deno.test(`${system.name}: named control messages get their numbers, or are NotSupported`, () => {
    const packetInfo = { address: "127.0.0.1", interface: 7 };
    const encode = (): RawControlMessage[] =>
      rawControl({ packetInfo }, false, system);
    if (info === null) assertThrows(encode, Deno.errors.NotSupported);
    else assertEquals(encode(), [message(IPPROTO_IP, info[0], info[2])]);
    const six = rawControl(
      { packetInfo: { address: "::1", interface: 7 }, timeToLive: 9 },
      true,
      system,
    );
    assertEquals(six, [
      message(IPPROTO_IPV6, info6, [...V6, ...SEVEN]),
      message(IPPROTO_IPV6, hopLimit, [9, 0, 0, 0]),
    ]);
    const ttl4 = (): RawControlMessage[] =>
      rawControl({ timeToLive: 9 }, false, system);
    if (system.os !== "linux") assertThrows(ttl4, Deno.errors.NotSupported);
    else assertEquals(ttl4(), [message(IPPROTO_IP, 2, [9, 0, 0, 0])]);
  });
}

Deno.test("rawControl: the data of a further message is a Uint8Array, its numbers of 32 bits", () => {
  const system = linux("x86_64");
  const encode = (other: object): RawControlMessage[] =>
    rawControl({ others: [other as RawControlMessage] }, false, system);
  const good = { level: 1, type: -1, data: new Uint8Array(4) };
  assertEquals(encode(good), [good]);
  for (const data of [Uint16Array.of(300), [1], { length: 4 }, "a", null]) {
    assertThrows(() => encode({ ...good, data }), TypeError, "Uint8Array");
  }
  for (const number of [2 ** 40, 1.5, "1", undefined]) {
    for (const wrong of [{ level: number }, { type: number }]) {
      const message = { ...good, ...wrong };
      assertThrows(() => encode(message), RangeError, `${number}`);
    }
  }
});

Deno.test("rawControl: the number of an interface is a whole one of 32 bits", () => {
  const system = linux("x86_64");
  for (const [address, isIPv6] of [["127.0.0.1", false], ["::1", true]]) {
    for (const number of [-1, 1.5, 2 ** 32 + 1, NaN, "lo", undefined]) {
      const packetInfo = { address, interface: number } as PacketInfo;
      assertThrows(
        () => rawControl({ packetInfo }, isIPv6 as boolean, system),
        RangeError,
        `${number}`,
      );
    }
    const packetInfo = { address, interface: 2 ** 32 - 1 } as PacketInfo;
    assertEquals(
      namedControl(
        rawControl({ packetInfo }, isIPv6 as boolean, system),
        system,
      ).packetInfo?.interface,
      2 ** 32 - 1,
    );
  }
});
