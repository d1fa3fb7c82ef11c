/** The cache of whole responses: it changes no byte of any. */

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { PacketCache } from "../../../examples/dns_server/packet_cache.ts";
import { Responder } from "../../../examples/dns_server/responder.ts";
import { Zone } from "../../../examples/dns_server/zone.ts";
import { parseZone } from "../../../examples/dns_server/zone_file.ts";
import { type Random, test, withSeed } from "../../util.ts";
import { queryOf } from "./queries.ts";

const FILE = new URL(
  "../../../examples/dns_server/example.zone",
  import.meta.url,
);
const zone = new Zone(parseZone(readFileSync(FILE, "latin1")));

const NAMES = ["example.org.", "EXAMPLE.org.", "many.example.org.", "no.org."];

/** Queries of few kinds, some malformed, too long, or no query at all. */
function someMessage(random: Random): Uint8Array<ArrayBuffer> {
  const label = "a".repeat(1 + random.below(63));
  const query = queryOf({
    name: random.pick([...NAMES, `${label}.${label}.example.org.`]),
    type: random.pick(["A", "NS", "TXT", 255]),
    flags: random.pick([0, 0x0100, 0x8000]),
    ...(random.below(2) === 0 ? {} : { payload: random.pick([512, 1232]) }),
  });
  query.set(random.bytes(2));
  const length = random.below(4) === 0
    ? random.below(query.length + 1)
    : query.length;
  return query.slice(0, length);
}

test(
  "PacketCache: each response is that of a responder without it",
  withSeed((random) => {
    const [direct, behind] = [new Responder(zone), new Responder(zone)];
    const cache = new PacketCache();
    let found = 0;
    for (let step = 0; step < 5000; step++) {
      const message = someMessage(random);
      let response = cache.find(message);
      if (response !== null) found++;
      else {
        response = behind.respond(message, "udp");
        if (response !== null) cache.keep(message, response);
      }
      assertEquals(response, direct.respond(message, "udp"));
    }
    assert(found > 500, `${found} of 5000 were known`);
  }),
);

test("PacketCache: an empty message and one without an identifier are unknown", () => {
  const cache = new PacketCache();
  for (const length of [0, 1, 2]) {
    assertEquals(cache.find(new Uint8Array(length)), null);
  }
});
