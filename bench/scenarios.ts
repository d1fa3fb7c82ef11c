/**
 * What a server is put through.
 *
 * @module
 */

import { Churn } from "./load/churn.ts";
import { ClosedLoop } from "./load/closed_loop.ts";
import { FanOut } from "./load/fan_out.ts";
import { Idle } from "./load/idle.ts";
import type { Load } from "./load/load.ts";
import { OpenLoop } from "./load/open_loop.ts";
import { Streams } from "./load/streams.ts";
import type { Mode } from "./peers/peer.ts";

/** One load, with the name that tables and `--only` know it by. */
export interface Scenario {
  readonly name: string;
  /** What the server has to do. */
  readonly mode: Mode;
  /** How many descriptors the load holds while it is open. */
  readonly descriptors: number;
  /** Measures memory for each connection, in a fresh server, and nothing else. */
  readonly memory?: true;
  /**
   * How long a server is loaded before it is measured, in milliseconds, where the
   * usual time does not do.
   */
  readonly warmUp?: number;
  /**
   * How long it runs unmeasured after its connections were opened, in milliseconds,
   * where the usual time does not do.
   */
  readonly settle?: number;
  /** Why the load's own CPU share says nothing. */
  readonly spins?: true;
  open(port: number): Load;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** So many connections in a closed loop. */
function echo(name: string, connections: number, size: number): Scenario {
  return {
    name,
    mode: "echo",
    descriptors: connections,
    open: (port) => new ClosedLoop(port, connections, size),
  };
}

/** All scenarios, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  echo("1 × 64 B", 1, 64),
  echo("50 × 64 B", 50, 64),
  echo("1,000 × 64 B", 1000, 64),
  echo("50 × 16 KiB", 50, 16 * KiB),
  {
    name: "4 × 1 MiB",
    mode: "echo",
    descriptors: 4,
    open: (port) => new Streams(port, 4, MiB),
  },
  {
    name: "connect+echo+close",
    mode: "echo",
    descriptors: 50,
    // Few messages a second, each of which runs through most of a server's program.
    warmUp: 1000,
    open: (port) => new Churn(port, 50, 64),
  },
  {
    name: "20,000 messages/s",
    mode: "echo",
    descriptors: 50,
    spins: true,
    open: (port) => new OpenLoop(port, 50, 64, 20_000),
  },
  {
    name: "5,000 idle + 50",
    mode: "echo",
    descriptors: 5050,
    // Collecting the garbage of as many closed ones is not what idle ones cost.
    settle: 200,
    open: (port) => new Idle(port, 5000, new ClosedLoop(port, 50, 64)),
  },
  {
    name: "10,000 idle",
    mode: "echo",
    descriptors: 10_000,
    memory: true,
    open: (port) => new Idle(port, 10_000),
  },
  {
    name: "fan-out to 5,000",
    mode: "fan-out",
    descriptors: 5001,
    open: (port) => new FanOut(port, 5000, 64),
  },
  {
    name: "UDP 50 × 64 B",
    mode: "datagram",
    descriptors: 50,
    open: (port) => new ClosedLoop(port, 50, 64, "datagram"),
  },
];

/**
 * The scenarios that a person asks for: those whose name contains one of the words.
 *
 * @throws {RangeError} if a word fits none
 */
export function scenariosNamed(words: readonly string[]): readonly Scenario[] {
  const fits = (scenario: Scenario, word: string): boolean =>
    scenario.name.toLowerCase().includes(word.toLowerCase());
  for (const word of words) {
    if (!scenarios.some((scenario) => fits(scenario, word))) {
      const names = scenarios.map(({ name }) => name).join(", ");
      throw new RangeError(
        `No scenario is called "${word}": there are ${names}`,
      );
    }
  }
  if (words.length === 0) return scenarios;
  return scenarios.filter((one) => words.some((word) => fits(one, word)));
}
