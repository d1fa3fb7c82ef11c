/**
 * The loads to which servers are put.
 *
 * @module
 */

import { type BurstOptions, Bursts } from "./load/bursts.ts";
import { Churn } from "./load/churn.ts";
import { ClosedLoop } from "./load/closed_loop.ts";
import { FanOut } from "./load/fan_out.ts";
import { Idle } from "./load/idle.ts";
import type { Load } from "./load/load.ts";
import { OpenLoop } from "./load/open_loop.ts";
import { Streams } from "./load/streams.ts";
import { verifyEcho } from "./load/verify_echo.ts";
import type { Group, Mode, Peer } from "./peers/peer.ts";

/** One load. */
export interface Scenario {
  /** A word for `--only`. */
  readonly key: string;
  /** The title of its table. */
  readonly name: string;
  /** The work of the server. */
  readonly mode: Mode;
  /** The servers that take part. Default: all servers without a group. */
  readonly group?: Group;
  /** The unit that is counted. Default: messages. */
  readonly counts?: "message" | "connection" | "packet";
  /** Checks once, before measuring, that the server sends back the right bytes. */
  readonly verify?: (port: number) => Promise<void>;
  /** How many descriptors the load has while it is open. */
  readonly descriptors: number;
  /** Whether system calls are counted, too. */
  readonly countsCalls?: true;
  /** Measures only the memory of a connection, in a new server. */
  readonly memory?: true;
  /** How long a server is loaded before it is measured, if longer than by default, in ms. */
  readonly warmUp?: number;
  /** Puts a server to another load, before each slice of the warm-up. */
  readonly prepare?: (port: number) => void;
  /** How long the load runs unmeasured after it has connected, if longer, in ms. */
  readonly settle?: number;
  /** Whether the load always uses its whole core. */
  readonly spins?: boolean;
  /** Opens the connections of the load. */
  open(port: number): Load;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** A number of connections in a closed loop. */
function echo(
  key: string,
  name: string,
  connections: number,
  size: number,
): Scenario {
  return {
    key,
    name,
    mode: "echo",
    descriptors: connections,
    verify: (port) => verifyEcho(port, connections, size),
    open: (port) => new ClosedLoop(port, connections, size),
  };
}

const oneSmall = echo("echo-1", "1 × 64 B", 1, 64);
const manySmall = echo("echo-50", "50 × 64 B", 50, 64);
const manyLarger = echo("echo-16k", "50 × 16 KiB", 50, 16 * KiB);

const streams: Scenario = {
  key: "streams",
  name: "4 × 1 MiB",
  mode: "echo",
  descriptors: 4,
  verify: (port) => verifyEcho(port, 4, MiB),
  // A message is only five events: after so long, just-in-time compilers have ended.
  warmUp: 4000,
  open: (port) => new Streams(port, 4, MiB),
};

const shortConnections: Scenario = {
  key: "connect",
  name: "connect+echo+close",
  mode: "echo",
  counts: "connection",
  descriptors: 50,
  verify: (port) => verifyEcho(port, 50, 64),
  // Each of the few messages a second runs most of the server's program.
  warmUp: 1000,
  open: (port) => new Churn(port, 50, 64),
};

const idleConnections: Scenario = {
  key: "memory",
  name: "10,000 idle",
  mode: "echo",
  descriptors: 10_000,
  memory: true,
  open: (port) => new Idle(port, 10_000),
};

/** The same load for one program on Deno's network and on the reactor's. */
function asDenoHasIt(scenario: Scenario): Scenario {
  const group = "as Deno has it";
  return {
    ...scenario,
    key: `net-${scenario.key}`,
    name: `${group}: ${scenario.name}`,
    group,
    countsCalls: true,
  };
}

/** Bursts of datagrams. */
function udp(key: string, name: string, options: BurstOptions): Scenario {
  return {
    key,
    name: `UDP: ${name}`,
    mode: "datagram",
    group: "datagrams",
    counts: "packet",
    spins: true,
    descriptors: 1,
    open: (port) => new Bursts(port, options),
  };
}

const ONE_EACH: BurstOptions = { peers: 50, packets: 1, size: 64 };
const SMALL_BURSTS: BurstOptions = { peers: 4, packets: 64, size: 64 };
const LARGE_BURSTS: BurstOptions = { peers: 4, packets: 64, size: 1200 };

/** All scenarios, in the order of BENCHMARKS.md. */
export const scenarios: readonly Scenario[] = [
  oneSmall,
  manySmall,
  echo("echo-1000", "1,000 × 64 B", 1000, 64),
  manyLarger,
  streams,
  shortConnections,
  {
    key: "rate",
    name: "20,000 messages/s",
    mode: "echo",
    descriptors: 50,
    spins: true,
    open: (port) => new OpenLoop(port, 50, 64, 20_000),
  },
  {
    key: "idle",
    name: "5,000 idle + 50",
    mode: "echo",
    descriptors: 5050,
    // Closed connections leave garbage, which is not a cost of idle ones.
    settle: 200,
    open: (port) => new Idle(port, 5000, new ClosedLoop(port, 50, 64)),
  },
  idleConnections,
  {
    key: "fan-out",
    name: "fan-out to 5,000",
    mode: "fan-out",
    descriptors: 5001,
    open: (port) => new FanOut(port, 5000, 64),
  },
  udp("udp-1", "50 peers × 1 × 64 B", ONE_EACH),
  udp("udp-64", "4 peers × 64 × 64 B", SMALL_BURSTS),
  udp("udp-1200", "4 peers × 64 × 1,200 B", LARGE_BURSTS),
  udp("udp-offload", "4 peers × 64 × 1,200 B in segments", {
    ...LARGE_BURSTS,
    offload: true,
  }),
  ...[
    oneSmall,
    manySmall,
    manyLarger,
    streams,
    shortConnections,
    idleConnections,
  ].map(asDenoHasIt),
];

/** Whether a server takes part in a scenario. */
export function takesPart(peer: Peer, scenario: Scenario): boolean {
  return peer.group === scenario.group && peer.modes.includes(scenario.mode);
}

/**
 * The scenarios that fit one of the words, and none of the others. A word is a key,
 * or a part of a name. Without words, all scenarios fit.
 *
 * @throws {RangeError} if a word fits no scenario
 */
export function scenariosNamed(
  words: readonly string[],
  others: readonly string[] = [],
): readonly Scenario[] {
  const keys = scenarios.map(({ key }) => key);
  const fits = ({ key, name }: Scenario, word: string): boolean =>
    keys.includes(word)
      ? key === word
      : name.toLowerCase().includes(word.toLowerCase());
  for (const word of [...words, ...others]) {
    if (!scenarios.some((scenario) => fits(scenario, word))) {
      throw new RangeError(
        `Cannot find scenario "${word}": it must be one of ${keys.join(", ")}`,
      );
    }
  }
  return scenarios.filter((one) =>
    (words.length === 0 || words.some((word) => fits(one, word))) &&
    !others.some((word) => fits(one, word))
  );
}
