/** Responses to queries of each kind, and to messages that are none. */

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { Responder } from "../../../examples/dns_server/responder.ts";
import { Rcode, Zone } from "../../../examples/dns_server/zone.ts";
import { parseZone } from "../../../examples/dns_server/zone_file.ts";
import { test, withSeed } from "../../util.ts";
import {
  type Header,
  headerOf,
  ID,
  queryOf,
  type QueryOptions,
  words,
} from "./queries.ts";

const FILE = new URL(
  "../../../examples/dns_server/example.zone",
  import.meta.url,
);
const responder = new Responder(
  new Zone(parseZone(readFileSync(FILE, "latin1"))),
);

const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x8400;
const TRUNCATED = 0x8600;

function respond(options: QueryOptions): Header {
  return headerOf(responder.respond(queryOf(options), "udp")!);
}

for (
  const [options, flags, rcode, counts] of [
    [{}, AUTHORITATIVE, Rcode.NoError, [1, 1, 0, 0]],
    [{ flags: 0x0100 }, AUTHORITATIVE | 0x0100, Rcode.NoError, [1, 1, 0, 0]],
    [{ name: "EXAMPLE.Org." }, AUTHORITATIVE, Rcode.NoError, [1, 1, 0, 0]],
    [{ type: "NS" }, AUTHORITATIVE, Rcode.NoError, [1, 2, 0, 0]],
    [{ type: 255 }, AUTHORITATIVE, Rcode.NoError, [1, 1, 0, 0]],
    [{ type: "PTR" }, AUTHORITATIVE, Rcode.NoError, [1, 0, 1, 0]],
    [{ type: 999 }, AUTHORITATIVE, Rcode.NoError, [1, 0, 1, 0]],
    [{ name: "chain.example.org." }, AUTHORITATIVE, Rcode.NoError, [
      1,
      3,
      0,
      0,
    ]],
    [
      { name: "elsewhere.example.org." },
      AUTHORITATIVE,
      Rcode.NoError,
      [1, 1, 0, 0],
    ],
    [{ name: "below.example.org." }, AUTHORITATIVE, Rcode.NoError, [
      1,
      0,
      1,
      0,
    ]],
    [{ name: "no.example.org." }, AUTHORITATIVE, Rcode.NameError, [1, 0, 1, 0]],
    [{ name: "org." }, RESPONSE, Rcode.Refused, [1, 0, 0, 0]],
    [{ class: 3 }, RESPONSE, Rcode.Refused, [1, 0, 0, 0]],
    [{ type: 252 }, RESPONSE, Rcode.Refused, [1, 0, 0, 0]],
    [{ flags: 0x2000 }, RESPONSE | 0x2000, Rcode.NotImplemented, [0, 0, 0, 0]],
    [{ payload: 512 }, AUTHORITATIVE, Rcode.NoError, [1, 1, 0, 1]],
  ] satisfies [QueryOptions, number, Rcode, number[]][]
) {
  test(`DNS: ${JSON.stringify(options)} has the response of RFC 1035`, () => {
    assertEquals(respond(options), { id: ID, flags, rcode, counts });
  });
}

test("DNS: a response repeats the question in its case", () => {
  const query = queryOf();
  query[13] = "E".charCodeAt(0);
  const response = responder.respond(query, "udp")!;
  assertEquals(response.slice(12, query.length), query.slice(12));
});

const many = { name: "many.example.org.", type: "TXT" } as const;

test("DNS: a datagram of more than 512 bytes is truncated without EDNS", () => {
  assertEquals(respond(many), {
    ...{ id: ID, flags: TRUNCATED, rcode: Rcode.NoError },
    counts: [1, 0, 0, 0],
  });
  const whole = responder.respond(queryOf(many), "tcp")!;
  assertEquals(headerOf(whole).counts, [1, 7, 0, 0]);
});

test("DNS: a datagram has at most the bytes that EDNS names", () => {
  const whole = responder.respond(queryOf({ ...many, payload: 4096 }), "udp")!;
  const { length } = whole;
  assert(length > 512 && length <= 1232);
  for (const [payload, answers] of [[length, 7], [length - 1, 0]] as const) {
    const { counts } = respond({ ...many, payload });
    assertEquals(counts, [1, answers, 0, 1]);
  }
});

test("DNS: a payload of EDNS below 512 counts as 512", () => {
  assertEquals(respond({ type: "TXT", payload: 0 }).counts, [1, 1, 0, 1]);
});

test("DNS: another version of EDNS is refused with BADVERS", () => {
  const query = queryOf({ payload: 512 });
  query[query.length - 5] = 1;
  const response = responder.respond(query, "udp")!;
  assertEquals(headerOf(response).counts, [1, 0, 0, 1]);
  // The upper bits of the code are in the OPT record.
  assertEquals(response.at(-6), Rcode.BadVersion >> 4);
});

/** Query, and why it is malformed. */
function malformed(): [string, Uint8Array<ArrayBuffer>][] {
  const query = queryOf();
  const extended = queryOf({ payload: 512 });
  const changed = (index: number, byte: number): Uint8Array<ArrayBuffer> =>
    query.with(index, byte) as Uint8Array<ArrayBuffer>;
  return [
    ["without a question", changed(5, 0)],
    ["with two questions", changed(5, 2)],
    ["that ends in its name", query.slice(0, 20)],
    ["that ends in its type", query.slice(0, -1)],
    ["with a byte too many", new Uint8Array([...query, 0])],
    ["with a compressed name", changed(12, 0xc0)],
    ["with a label of 64 bytes", changed(12, 64)],
    ["with a record too few", changed(11, 1)],
    ["that ends in its OPT record", extended.slice(0, -1)],
    ["with two OPT records", twice(extended)],
    [
      "with a name of 256 bytes",
      new Uint8Array([
        ...words(ID, 0, 1, 0, 0, 0),
        ...Array(127).fill([1, 97]).flat(),
        ...[1, 0],
        ...words(1, 1),
      ]),
    ],
  ];
}

function twice(extended: Uint8Array): Uint8Array<ArrayBuffer> {
  const query = new Uint8Array([...extended, ...extended.slice(-11)]);
  query[11] = 2;
  return query;
}

for (const [name, message] of malformed()) {
  test(`DNS: a query ${name} gets FORMERR`, () => {
    assertEquals(headerOf(responder.respond(message, "udp")!), {
      ...{ id: ID, flags: RESPONSE, rcode: Rcode.FormatError },
      counts: [0, 0, 0, 0],
    });
  });
}

test("DNS: a message without a whole header, or a response, gets none", () => {
  const query = queryOf();
  for (let length = 0; length < 12; length++) {
    assertEquals(responder.respond(query.slice(0, length), "udp"), null);
  }
  assertEquals(responder.respond(queryOf({ flags: RESPONSE }), "udp"), null);
});

test(
  "DNS: no message makes the responder throw, or exceed a datagram",
  withSeed((random) => {
    const queries = [
      ...[queryOf(), queryOf(many), queryOf({ ...many, payload: 4096 })],
      queryOf({ name: "chain.example.org.", payload: 0 }),
    ];
    for (let round = 0; round < 20_000; round++) {
      const message = random.pick(queries).slice();
      for (let changes = random.below(4); changes > 0; changes--) {
        message[random.below(message.length)] = random.below(256);
      }
      const end = random.below(8) > 0 ? message.length : random.below(40);
      const response = responder.respond(message.subarray(0, end), "udp");
      if (response === null) continue;
      assert(response.length >= 12 && response.length <= 1232);
      assertEquals(response.slice(0, 2), message.slice(0, 2));
    }
  }),
);
