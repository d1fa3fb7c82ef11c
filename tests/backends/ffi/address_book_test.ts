/**
 * The addresses of known peers: as decoding and encoding anew would give them.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  addressAt,
  encodeDestination,
} from "../../../backends/ffi/address_book.ts";
import { system } from "../../../backends/ffi/current_system.ts";
import { addressBytes } from "../../../backends/ffi/received_address.ts";
import {
  domainOf,
  encodeAddress,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
} from "../../../backends/ffi/socket_address.ts";
import { type Random, test, withSeed } from "../../util.ts";

/** Before the place of an address, so that it does not begin at 0. */
const START = 32;

/** Memory with an address in it, as a receive leaves it: other bytes follow. */
function structOf(
  address: SocketAddress,
  random: Random,
): { words: Int32Array<ArrayBuffer>; length: number } {
  const words = new Int32Array(
    new ArrayBuffer(4 * START + SOCKADDR_STORAGE_BYTES),
  );
  const bytes = new Uint8Array(words.buffer, 4 * START);
  const length = encodeAddress(bytes, address, system());
  bytes.set(random.bytes(bytes.length - length), length);
  return { words, length };
}

/** The bytes of an address, encoded anew. */
function encoded(address: SocketAddress): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(SOCKADDR_STORAGE_BYTES));
  return bytes.subarray(0, encodeAddress(bytes, address, system()));
}

/** The bytes that `encodeDestination` writes. */
function destination(address: SocketAddress): Uint8Array {
  const length = encodeDestination(address, domainOf(address));
  return addressBytes.slice(0, length);
}

/** Addresses of few ports and prefixes, which are easily confused. */
function someAddress(random: Random): SocketAddress {
  const port = random.pick([1, 53, 443, 65_535, random.below(65_536)]);
  const byte = random.below(256);
  switch (random.below(3)) {
    case 0:
      return { hostname: `10.0.${random.below(3)}.${byte}`, port };
    case 1: {
      const zone = random.pick(["", "", "%1"]);
      const group = byte.toString(16);
      return { hostname: `fe80::${random.below(3) + 1}:${group}${zone}`, port };
    }
    default:
      return { path: `/run/${"a".repeat(random.below(60))}${byte}` };
  }
}

test(
  "addressAt: is the decoded address, however many peers there are",
  withSeed((random) => {
    const known = Array.from({ length: 2000 }, () => someAddress(random));
    for (let step = 0; step < 3000; step++) {
      const address = random.below(2) === 0
        ? known[random.below(20)]!
        : random.pick(known);
      const { words, length } = structOf(address, random);
      const found = addressAt(words, START, length);
      assertEquals(found, address);
      assert(Object.isFrozen(found));
      assertEquals(destination(found), encoded(address));
    }
  }),
);

test(
  "addressAt: is the same object for a peer that is known",
  withSeed((random) => {
    for (let step = 0; step < 200; step++) {
      const address = someAddress(random);
      const [one, other] = [
        structOf(address, random),
        structOf(address, random),
      ];
      assert(
        addressAt(one.words, START, one.length) ===
          addressAt(other.words, START, other.length),
      );
    }
  }),
);

/** Peers of a network, which differ in one part of their address alone. */
const NETWORKS: Record<string, (index: number) => SocketAddress> = {
  "the last byte": (index) => ({ hostname: `10.0.0.${index}`, port: 53 }),
  "the third byte": (index) => ({ hostname: `10.0.${index}.1`, port: 53 }),
  "the port": (index) => ({ hostname: "10.0.0.1", port: 40_000 + index }),
  "the last group": (index) => ({
    hostname: `fe80::${index.toString(16)}`,
    port: 53,
  }),
  "the path": (index) => ({ path: `/run/client-${index}` }),
};

for (const [part, addressOf] of Object.entries(NETWORKS)) {
  test(
    `addressAt: knows nearly all of 200 peers that differ in ${part}`,
    withSeed((random) => {
      const structs = Array.from(
        { length: 200 },
        (_, index) => structOf(addressOf(index), random),
      );
      const find = (): SocketAddress[] =>
        structs.map(({ words, length }) => addressAt(words, START, length));
      // They take the places of peers of other tests, and at first of each other.
      for (let round = 0; round < 8; round++) find();
      const before = find();
      const known = find().filter((address, index) =>
        address === before[index]
      );
      // Of random places, 0.8 % of the peers share one with too many others.
      assert(known.length > 180, `${known.length} of 200 are known`);
    }),
  );
}

test("addressAt: without a name the path is empty, whatever the memory holds", () => {
  const words = new Int32Array(SOCKADDR_STORAGE_BYTES / 4).fill(-1);
  for (const length of [0, 2]) {
    assertEquals(addressAt(words, 0, length), { path: "" });
  }
});

test(
  "encodeDestination: encodes the object of a program as it is at the call",
  withSeed((random) => {
    const address = { hostname: "", port: 0 };
    for (let step = 0; step < 1000; step++) {
      const other = someAddress(random);
      assertEquals(destination(other), encoded(other));
      if ("path" in other) continue;
      Object.assign(address, other);
      assertEquals(destination(address), encoded(other));
      address.port = random.below(65_536);
      assertEquals(destination(address), encoded(address));
    }
  }),
);

test("encodeDestination: refuses a wrong port and another domain, although it knows the hostname", () => {
  encodeDestination({ hostname: "127.0.0.1", port: 1 }, "IPv4");
  for (const port of [-1, 65_536, 1.5, NaN, "1" as unknown as number]) {
    const wrong = { hostname: "127.0.0.1", port };
    assertThrows(() => encodeDestination(wrong, "IPv4"), RangeError);
  }
  const right = { hostname: "127.0.0.1", port: 1 };
  assertThrows(() => encodeDestination(right, "IPv6"), TypeError);
  assertThrows(() => encodeDestination(right, "unix"), TypeError);
  const both = { ...right, path: "/run/x" };
  assertThrows(() => encodeDestination(both, "IPv4"), TypeError);
});
