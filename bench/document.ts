/**
 * Measures, and writes the numbers into `BENCHMARKS.md`, so that no number is copied
 * by hand. A section begins with `<!-- measured by: deno task … -->` and ends with
 * `<!-- end -->`. Between these lines is the output of the command.
 *
 *     deno task bench:document [WORD...] [--resume HOURS] [--list]
 *
 * With words, only sections run whose command contains one of them. `--resume` skips
 * sections that were measured in the last hours, so an interrupted run can continue.
 * Each section is written as soon as it is measured. If a command fails, its section
 * stays as it is, the others run, and the status is 1.
 *
 * @module
 */

import { parseArgs } from "node:util";

const DOCUMENT = new URL("../BENCHMARKS.md", import.meta.url);

/** A section: its first line, its command, its text, and the time in its last line. */
const SECTION =
  /(<!-- measured by: deno (.*?) -->\n)([^]*?)<!-- end(?:, measured (\S+))? -->/g;

/** This command reads the tables of the other sections. */
const SUMMARY = "task bench:summary";

/** A command that takes longer is killed, in milliseconds. */
const TIMEOUT = 30 * 60_000;

const HOUR = 60 * 60_000;

interface Section {
  readonly command: string;
  /** When it was measured, in milliseconds since 1970; -Infinity if unknown. */
  readonly measured: number;
}

function sectionsOf(document: string): Section[] {
  return Array.from(document.matchAll(SECTION), ([, , command, , time]) => ({
    command: command!,
    measured: time === undefined ? -Infinity : Date.parse(time),
  }));
}

/** The sections to measure; the summary is the last one. */
function selected(document: string): Section[] {
  const since = values.resume === undefined
    ? Infinity
    : Date.now() - Number(values.resume) * HOUR;
  const isSummary = ({ command }: Section): boolean => command === SUMMARY;
  const isWanted = ({ command, measured }: Section): boolean =>
    measured < since &&
    (positionals.length === 0 ||
      positionals.some((word) => command.includes(word)));
  const sections = sectionsOf(document);
  const wanted = sections.filter((one) => !isSummary(one) && isWanted(one));
  return [...wanted, ...sections.filter(isSummary)];
}

/** Runs a command, and returns whether it was successful, and its output. */
async function run(command: string): Promise<{ ok: boolean; output: string }> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: command.split(" "),
    cwd: new URL("..", import.meta.url),
    env: { NO_COLOR: "1" },
    stderr: "inherit",
    signal: AbortSignal.timeout(TIMEOUT),
  }).output();
  return { ok: success, output: new TextDecoder().decode(stdout).trim() };
}

/** Replaces the text of a section in the file as it is now. */
async function write(wanted: string, output: string): Promise<void> {
  const document = await Deno.readTextFile(DOCUMENT);
  const time = new Date().toISOString().replace(/:\d\d\..*/, "Z");
  const changed = document.replaceAll(
    SECTION,
    (section, start, command) =>
      command === wanted
        ? `${start}\n${output}\n\n<!-- end, measured ${time} -->`
        : section,
  );
  await Deno.writeTextFile(DOCUMENT, changed);
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", DOCUMENT.pathname],
  }).output();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    resume: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
const sections = selected(await Deno.readTextFile(DOCUMENT));
let failures = 0;
for (const [index, { command }] of sections.entries()) {
  if (values.list) {
    console.log(`deno ${command}`);
    continue;
  }
  console.error(`${index + 1} of ${sections.length}: deno ${command}`);
  const start = performance.now();
  const { ok, output } = await run(command);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.error(`${seconds} s`);
  if (!ok) {
    failures++;
    console.error(`deno ${command} fails`);
  }
  // A benchmark that exceeds its limits fails, and prints its table.
  if (output !== "") await write(command, output);
}
if (failures > 0) Deno.exit(1);
