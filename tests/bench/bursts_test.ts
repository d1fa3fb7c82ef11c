/** The load of datagrams notices each fault of a server. */

import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { Bursts } from "../../bench/load/bursts.ts";
import { Latencies } from "../../bench/load/latencies.ts";
import { LoadError } from "../../bench/load/load.ts";
import { startDeno } from "../program.ts";
import { PATIENCE, test } from "../util.ts";

const linux = Deno.build.os === "linux";
const reason = linux ? "" : " (ignored: this is not Linux)";
const options = { ignore: !linux };

/** How long the load runs at a time, in milliseconds. */
const SLICE = 100;

/** Runs the load until a condition holds. Returns the number of answered packets. */
function runUntil(
  bursts: Bursts,
  condition: (answered: number) => boolean,
  latencies: Latencies = new Latencies(),
): number {
  const end = performance.now() + PATIENCE;
  let answered = 0;
  while (!condition(answered)) {
    assertGreater(end, performance.now(), "the condition did not hold");
    answered += bursts.run(SLICE, latencies);
  }
  return answered;
}

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
    const answered = runUntil(bursts, (answered) => answered > 0, latencies);
    // On a busy machine some may come too late.
    assertEquals((answered + bursts.lost) % 8, 0);
    assertGreater(latencies.percentiles()!.p50, 0);
  });
}, options);

test(`Bursts: counts lost packets, and continues${reason}`, async () => {
  await load("lose", (bursts) => {
    runUntil(bursts, () => bursts.lost > 0);
    const { lost } = bursts;
    runUntil(bursts, () => bursts.lost > lost);
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
