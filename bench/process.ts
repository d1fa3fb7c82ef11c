/**
 * Compares the start of a child with `Deno.Command`, and the output of a terminal with
 * node-pty, which runs in Node.js.
 *
 *     deno task bench:process [--node-pty DIRECTORY] [--markdown]
 *
 * The directory is that of the package node-pty, built: `npm install node-pty`.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { spawn } from "../adapters/process/mod.ts";
import { Reactor } from "../mod.ts";
import { circumstances } from "./circumstances.ts";
import { median, spread } from "./statistics.ts";
import { print } from "./table.ts";

const STARTS = 100;
const ROUNDS = 5;
const BYTES = 100_000_000;

/**
 * A terminal that does not process its output, so that no byte is added. It stays open,
 * because node-pty loses the last bytes of a program that ends.
 */
const SCRIPT = `stty raw; head -c ${BYTES} /dev/zero; sleep 60`;

/** Milliseconds of the call, and until the status is known. */
interface Start {
  readonly call: number;
  readonly end: number;
}

type Starter = () => { readonly status: Promise<unknown> };

async function measureStart(starts: Starter): Promise<Start> {
  const begin = performance.now();
  const child = starts();
  const call = performance.now() - begin;
  await child.status;
  return { call, end: performance.now() - begin };
}

async function startTable(markdown: boolean): Promise<void> {
  await using reactor = new Reactor();
  reactor.serve();
  const where = circumstances({ rounds: STARTS });
  const starters: readonly (readonly [string, Starter])[] = [
    ["Pollux", () => spawn(reactor, "true")],
    [
      "Pollux, in a terminal",
      () => spawn(reactor, "true", { terminal: { rows: 24, columns: 80 } }),
    ],
    ["Deno.Command", () => new Deno.Command("true").spawn()],
  ];
  const measured = new Map<string, Start[]>(
    starters.map(([name]) => [name, []]),
  );
  for (let round = -10; round < STARTS; round++) {
    for (const [name, starter] of starters) {
      const start = await measureStart(starter);
      if (round >= 0) measured.get(name)!.push(start);
    }
  }
  print({
    title: "Start of a child",
    circumstances: where,
    headings: ["", "ms of the thread", "ms to the status"],
    rows: [...measured].map(([name, starts]) => [
      name,
      spread(starts.map(({ call }) => call)),
      spread(starts.map(({ end }) => end)),
    ]),
    notes: ["The program is `true`. Medians, with quartiles."],
  }, markdown);
}

/** Bytes a second from a terminal, with the thread for itself or shared with Deno. */
async function ownRate(runs: boolean): Promise<number> {
  await using reactor = new Reactor();
  if (!runs) reactor.serve();
  const start = performance.now();
  const child = spawn(reactor, "sh", {
    args: ["-c", SCRIPT],
    terminal: { rows: 24, columns: 80 },
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  let received = 0;
  child.terminal.onData = (chunk): void => {
    received += chunk.length;
    if (received < BYTES) return;
    resolve(received / (performance.now() - start) * 1000);
    child.close();
  };
  if (runs) reactor.run();
  return await promise;
}

async function nodePtyRate(directory: string): Promise<number> {
  const script = new URL("peers/node_pty.mjs", import.meta.url).pathname;
  const { stdout } = await new Deno.Command("node", {
    args: [script, directory, `${BYTES}`, SCRIPT],
    stderr: "inherit",
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

async function rateTable(
  directory: string | undefined,
  markdown: boolean,
): Promise<void> {
  const where = circumstances({ rounds: ROUNDS });
  const run: number[] = [];
  const serve: number[] = [];
  const other: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    run.push(await ownRate(true));
    serve.push(await ownRate(false));
    if (directory !== undefined) other.push(await nodePtyRate(directory));
  }
  const row = (name: string, rates: number[]): string[] => [
    name,
    (median(rates) / 1e6).toFixed(0),
  ];
  print({
    title: "Output of a terminal",
    circumstances: where,
    headings: ["", "MB a second"],
    rows: [
      row("Pollux, run()", run),
      row("Pollux, serve()", serve),
      ...(directory === undefined ? [] : [row("node-pty", other)]),
    ],
    notes: [
      `${BYTES / 1e6} MB from a raw terminal, program and shell included.`,
    ],
  }, markdown);
}

const { values } = parseArgs({
  options: {
    "node-pty": { type: "string" },
    markdown: { type: "boolean", default: false },
  },
});
await startTable(values.markdown);
await rateTable(values["node-pty"], values.markdown);
