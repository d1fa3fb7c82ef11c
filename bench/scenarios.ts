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
import { verifyEcho } from "./load/verify_echo.ts";
import type { Group, Mode, Peer } from "./peers/peer.ts";

/** One load, with the name that tables and `--only` know it by. */
export interface Scenario {
  readonly name: string;
  /** What the server has to do. */
  readonly mode: Mode;
  /** The servers that it is for: all those without a group, if left out. */
  readonly group?: Group;
  /** What is counted: messages, if left out. */
  readonly counts?: "connection";
  /** What comes back is looked at once, before anything is measured, where this stands. */
  readonly verify?: (port: number) => Promise<void>;
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
    verify: (port) => verifyEcho(port, connections, size),
    open: (port) => new ClosedLoop(port, connections, size),
  };
}

const oneSmall = echo("1 × 64 B", 1, 64);
const manySmall = echo("50 × 64 B", 50, 64);
const manyLarger = echo("50 × 16 KiB", 50, 16 * KiB);

const streams: Scenario = {
  name: "4 × 1 MiB",
  mode: "echo",
  descriptors: 4,
  verify: (port) => verifyEcho(port, 4, MiB),
  open: (port) => new Streams(port, 4, MiB),
};

const shortConnections: Scenario = {
  name: "connect+echo+close",
  mode: "echo",
  counts: "connection",
  descriptors: 50,
  verify: (port) => verifyEcho(port, 50, 64),
  // Few messages a second, each of which runs through most of a server's program.
  warmUp: 1000,
  open: (port) => new Churn(port, 50, 64),
};

/** The same, for one program on Deno's network and on the reactor's. */
function asDenoHasIt(scenario: Scenario): Scenario {
  const group = "as Deno has it";
  return { ...scenario, group, name: `${group}: ${scenario.name}` };
}

/** All scenarios, in the order of the table. */
export const scenarios: readonly Scenario[] = [
  oneSmall,
  manySmall,
  echo("1,000 × 64 B", 1000, 64),
  manyLarger,
  streams,
  shortConnections,
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
  ...[oneSmall, manySmall, manyLarger, streams, shortConnections].map(
    asDenoHasIt,
  ),
];

/** Whether a server takes part in a scenario. */
export function takesPart(peer: Peer, scenario: Scenario): boolean {
  return peer.group === scenario.group && peer.modes.includes(scenario.mode);
}

/**
 * The scenarios that a person asks for: those whose name contains one of the words
 * (all, if there are none), and none of the others.
 *
 * @throws {RangeError} if a word fits none
 */
export function scenariosNamed(
  words: readonly string[],
  others: readonly string[] = [],
): readonly Scenario[] {
  const fits = (scenario: Scenario, word: string): boolean =>
    scenario.name.toLowerCase().includes(word.toLowerCase());
  for (const word of [...words, ...others]) {
    if (!scenarios.some((scenario) => fits(scenario, word))) {
      const names = scenarios.map(({ name }) => name).join(", ");
      throw new RangeError(
        `No scenario is called "${word}": there are ${names}`,
      );
    }
  }
  return scenarios.filter((one) =>
    (words.length === 0 || words.some((word) => fits(one, word))) &&
    !others.some((word) => fits(one, word))
  );
}
