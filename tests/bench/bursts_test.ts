/** The load of datagrams notices each fault of a server. */

import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { Bursts } from "../../bench/load/bursts.ts";
import { Latencies } from "../../bench/load/latencies.ts";
import { LoadError } from "../../bench/load/load.ts";
import { startDeno } from "../program.ts";
import { test } from "../util.ts";

const linux = Deno.build.os === "linux";
const reason = linux ? "" : " (ignored: this is not Linux)";
const options = { ignore: !linux };

/** How long the load runs, in milliseconds. */
const SLICE = 100;

/** Loads a server with a fault, by short bursts of several peers. */
async function load(
  fault: string,
  body: (bursts: Bursts) => void,
): Promise<void> {
  const program = new URL("faulty_datagrams.ts", import.meta.url).href;
  await using server = startDeno(["run", "--allow-ffi", program, fault]);
  using bursts = new Bursts(await server.port(), {
    ...{ peers: 3, packets: 8, size: 64 },
  });
  body(bursts);
}

test(`Bursts: counts packets and their latencies${reason}`, async () => {
  await load("none", (bursts) => {
    const latencies = new Latencies();
    const answered = bursts.run(SLICE, latencies);
    assertGreater(answered, 24);
    // On a busy machine some may come too late.
    assertEquals((answered + bursts.lost) % 8, 0);
    assertGreater(latencies.percentiles()!.p50, 0);
  });
}, options);

test(`Bursts: counts lost packets, and continues${reason}`, async () => {
  await load("lose", (bursts) => {
    assertGreater(bursts.run(SLICE, new Latencies()), 0);
    const { lost } = bursts;
    assertGreater(lost, 0);
    bursts.run(SLICE, new Latencies());
    assertGreater(bursts.lost, lost);
  });
}, options);

for (
  const [fault, message] of [
    ["change", "other bytes"],
    ["repeat", "a packet twice"],
    ["shorten", "63 bytes"],
  ] as const
) {
  test(`Bursts: fails if a server can ${fault} packets${reason}`, async () => {
    await load(fault, (bursts) => {
      assertThrows(
        () => bursts.run(SLICE, new Latencies()),
        LoadError,
        message,
      );
    });
  }, options);
}
