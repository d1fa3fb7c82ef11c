/**
 * The part that all benchmark programs share: options, progress, tables.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { circumstances } from "./circumstances.ts";
import { type Effort, measure, pinLoad, type Result } from "./harness.ts";
import type { Peer } from "./peers/peer.ts";
import { asMarkdown, asText, table } from "./report.ts";
import { type Scenario, scenariosNamed, takesPart } from "./scenarios.ts";
import { sideBySide } from "./side_by_side.ts";

/**
 * How long a server is loaded before the first slice, in milliseconds, at least:
 * one that is compiled as it runs is not at its best before that.
 */
const WARM_UP_MS = 500;

/** What a benchmark does if nothing is asked for. */
export interface Defaults {
  readonly rounds: number;
  readonly slice: number;
  /** The scenarios, by words of their names; none means all. */
  readonly only: readonly string[];
}

/** What a person asks for. */
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
  --only WORD       a scenario, by a part of its name; may be repeated
  --except WORD     no scenario with this in its name; may be repeated
  --peer WORD       a server, by a part of its name; may be repeated
  --install         get the servers that npm has, into the user's cache
  --json            print results as JSON
  --markdown        print tables in Markdown
  --verbose         show what the servers complain about`;

/**
 * Runs a benchmark as the command line says, and prints its tables.
 *
 * @param peers All servers; the first is the yardstick and always runs
 */
export async function run(
  peers: readonly Peer[],
  defaults: Defaults,
): Promise<void> {
  const options = parseOrExit(peers, defaults);
  await pinLoad();
  const able = await availablePeers(options);
  if (options.format !== "json") {
    console.log(`${circumstances(await versions(able))}\n`);
  }
  const all: Result[] = [];
  for (const scenario of options.scenarios) {
    const results = await measure(scenario, able, options.effort);
    options.effort.progress("");
    all.push(...results);
    if (options.format === "json" || results.length === 0) continue;
    const print = options.format === "markdown" ? asMarkdown : asText;
    const shown = scenario.group === undefined
      ? table(scenario, results, peers[0]!.name)
      : sideBySide(scenario, results);
    console.log(`${print(shown)}\n`);
  }
  if (options.format === "json") console.log(JSON.stringify(all, null, 2));
}

/** A mistake on the command line is one line, not a stack. */
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
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    Deno.exit(0);
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

function chosen(
  peers: readonly Peer[],
  words: readonly string[],
): readonly Peer[] {
  if (words.length === 0) return peers;
  return peers.filter(({ name }, index) =>
    index === 0 ||
    words.some((word) => name.toLowerCase().includes(word.toLowerCase()))
  );
}

async function availablePeers(
  { peers, scenarios, install, effort: { progress } }: Options,
): Promise<Peer[]> {
  const able: Peer[] = [];
  const wanted = (peer: Peer): boolean =>
    scenarios.some((scenario) => takesPart(peer, scenario));
  for (const peer of peers.filter(wanted)) {
    progress(`prepare ${peer.name}`);
    if (install) await peer.install?.();
    const answer = await peer.available();
    if (answer === true) able.push(peer);
    else {
      progress("");
      console.error(`skipped ${peer.name}: ${answer}`);
    }
  }
  progress("");
  return able;
}

/** What the servers and their runtimes call themselves, each once. */
async function versions(peers: readonly Peer[]): Promise<Set<string>> {
  const names = new Set<string>();
  for (const peer of peers) {
    if (peer.version !== undefined) names.add(await peer.version());
  }
  return names;
}

/** One line that is written over and over, where there is a terminal. */
function progress(step: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${step}`));
}
