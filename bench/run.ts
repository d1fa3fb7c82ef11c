/**
 * The part that programs which compare servers share: options, control, tables.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { circumstances } from "./circumstances.ts";
import type { Effort } from "./effort.ts";
import { measure, pinLoad } from "./harness.ts";
import { available, chosen, versionsOf, withControl } from "./participants.ts";
import type { Peer } from "./peers/peer.ts";
import { progress } from "./progress.ts";
import { table } from "./report.ts";
import type { Result } from "./result.ts";
import {
  type Scenario,
  scenarios,
  scenariosNamed,
  takesPart,
} from "./scenarios.ts";
import { print } from "./table.ts";

/**
 * Minimum time that a server is loaded before its first slice, in milliseconds. V8's
 * last compiler takes a function after some thousands of calls, and only its code calls
 * libraries the fast way. A function that waits is called once in fifty messages.
 */
const WARM_UP_MS = 3000;

/** The options of a benchmark that the command line does not set. */
export interface Defaults {
  readonly rounds: number;
  readonly slice: number;
  /** The scenarios, by their keys or parts of their names. Default: all. */
  readonly only: readonly string[];
}

/** The options of a run. */
interface Options {
  readonly effort: Effort;
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  readonly install: boolean;
  readonly format: "text" | "json" | "markdown";
}

const HELP = `Options:
  --rounds N        slices for each server and scenario
  --slice MS        length of a slice
  --only WORD       a scenario, by its key or a part of its name; may be repeated
  --except WORD     not this scenario; may be repeated
  --peer WORD       a server, by a part of its name; may be repeated
  --install         install Bun from npm into the user's cache
  --json            print results as JSON
  --markdown        print tables in Markdown
  --verbose         show standard error of the servers
  --list            print the keys and names of all scenarios, and end`;

/**
 * Runs a benchmark as the command line says, and prints its tables.
 *
 * @param peers All servers. The first is the yardstick, which always runs, and runs
 *   once more as the control: their difference is the noise
 */
export async function run(
  peers: readonly Peer[],
  defaults: Defaults,
): Promise<void> {
  const options = parseOrExit(withControl(peers), defaults);
  const { effort, scenarios, format, install } = options;
  await pinLoad();
  const wanted = options.peers.filter((peer) =>
    scenarios.some((scenario) => takesPart(peer, scenario))
  );
  const able = await available(wanted, install);
  const all: Result[] = [];
  for (const scenario of scenarios) {
    const partners = able.filter((peer) => takesPart(peer, scenario));
    if (partners.length === 0) continue;
    const where = circumstances({
      versions: await versionsOf(partners),
      ...(scenario.memory ? {} : effort),
    });
    const results = await measure(scenario, partners, effort);
    progress("");
    all.push(...results);
    if (format === "json") continue;
    print(table(scenario, results, where), format === "markdown");
  }
  if (format === "json") console.log(JSON.stringify(all, null, 2));
}

/** Prints a mistake on the command line as one line, without a stack. */
function parseOrExit(peers: readonly Peer[], defaults: Defaults): Options {
  try {
    return parse(peers, defaults);
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(2);
  }
}

function parse(peers: readonly Peer[], defaults: Defaults): Options {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: String(defaults.rounds) },
      slice: { type: "string", default: String(defaults.slice) },
      only: { type: "string", multiple: true, default: [...defaults.only] },
      except: { type: "string", multiple: true, default: [] },
      peer: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      install: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) exitWith(HELP);
  if (values.list) {
    exitWith(scenarios.map(({ key, name }) => `${key}: ${name}`).join("\n"));
  }
  return {
    effort: {
      rounds: Number(values.rounds),
      slice: Number(values.slice),
      warmUp: Math.max(Number(values.slice), WARM_UP_MS),
      verbose: values.verbose,
      progress,
    },
    scenarios: scenariosNamed(values.only, values.except),
    peers: chosen(peers, values.peer),
    install: values.install,
    format: values.json ? "json" : values.markdown ? "markdown" : "text",
  };
}

function exitWith(text: string): never {
  console.log(text);
  Deno.exit(0);
}
