/**
 * Measures the memory that a connection costs a server.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import type { Effort } from "./effort.ts";
import { Churn } from "./load/churn.ts";
import { Latencies } from "./load/latencies.ts";
import type { Peer } from "./peers/peer.ts";
import { residentBytes } from "./proc.ts";
import { type Result, resultOf } from "./result.ts";
import type { Scenario } from "./scenarios.ts";
import { Server } from "./server.ts";

/**
 * How long connections are opened and closed before, in milliseconds. These are one
 * or two thousand: the heap that they leave must not count for later ones.
 */
const WARM_UP_MS = 50;

/** How long a server has to accept and to collect its garbage, in milliseconds. */
const SETTLE_MS = 500;

/** Measures each server alone, since memory needs no interleaving. */
export async function measureMemory(
  scenario: Scenario,
  peers: readonly Peer[],
  effort: Effort,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const peer of peers) {
    effort.progress(`${scenario.name}: ${peer.name}`);
    const measured = await bytesPerConnection(scenario, peer, effort.verbose)
      .then(
        (bytes) => ({ bytesPerConnection: bytes }),
        (error) => ({ failure: (error as Error).message }),
      );
    results.push(resultOf(peer, scenario, measured));
  }
  return results;
}

async function bytesPerConnection(
  { mode, open }: Scenario,
  peer: Peer,
  verbose: boolean,
): Promise<number> {
  await using server = await Server.start(peer, mode, verbose);
  warmUp(server.port);
  await pause(SETTLE_MS);
  const before = residentBytes(server.pid);
  using load = open(server.port);
  await pause(SETTLE_MS);
  return (residentBytes(server.pid) - before) / load.connections;
}

/**
 * Opens and closes connections, since the first ones read some megabytes of the
 * server's own program into memory, which no later connection costs.
 */
function warmUp(port: number): void {
  using churn = new Churn(port, 50, 64);
  churn.run(WARM_UP_MS, new Latencies());
}
