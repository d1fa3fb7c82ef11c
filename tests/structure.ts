/**
 * Checks how the files of the tree import each other: `deno task lint:structure`.
 *
 * - A file imports from its own floor or from a lower one.
 * - No files import each other in a circle, also not by `import type`.
 * - The picture in `docs/architecture.md` shows the imports, and its tables the
 *   head comments of the files; `reactor/modules.ts` lists the modules that it loads.
 *   `--write` draws them again.
 *
 * @module
 */

import { withTables } from "./docs/file_tables.ts";
import { LIST, moduleList } from "./module_list.ts";

/** From the lowest to the highest. */
export const FLOORS: readonly (readonly string[])[] = [
  ["backends/ffi/"],
  ["backends/"],
  ["reactor/"],
  ["mod.ts"],
  ["adapters/"],
  ["examples/", "bench/"],
];

/** Each file, and the files that it imports. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/** Which file the package's own names lead to, as in `deno.json`. */
export type Entries = Readonly<Record<string, string>>;

/** The floor of a file, from 1. */
export function floorOf(file: string): number {
  return FLOORS.findIndex((parts) =>
    parts.some((part) => file.startsWith(part))
  ) + 1;
}

/** Imports and exports, by `import type` too; those of comments are indented. */
const FROM = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)";|^import "([^"]+)";/gm;
const DYNAMIC = /\bimport\("([^"]+)"\)/g;

/** The files that a file imports, by their paths in the tree. */
export function importsOf(
  file: string,
  source: string,
  entries: Entries = {},
): string[] {
  const code = source.replace(/^\s*\*.*$|^\s*\/\/.*$/gm, "");
  const found = [...code.matchAll(FROM), ...code.matchAll(DYNAMIC)]
    .map((match) => (match[1] ?? match[2])!)
    .map((name) => entries[name] ?? name)
    .filter((name) => name.startsWith("."));
  const resolved = found.map((name) =>
    new URL(name, `file:///${isEntry(name, entries) ? "" : file}`).pathname
      .slice(1)
  );
  return [...new Set(resolved)];
}

function isEntry(name: string, entries: Entries): boolean {
  return Object.values(entries).includes(name);
}

/** Imports from a higher floor, as "file imports file". */
export function upwardImports(imports: Imports): string[] {
  return [...imports].flatMap(([file, targets]) =>
    targets.filter((target) => floorOf(target) > floorOf(file))
      .map((target) => `${file} imports ${target}`)
  );
}

/** Files that import each other in a circle: one circle of each such group. */
export function circles(imports: Imports): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start !== -1) found.push([...path.slice(start), file]);
    if (done.has(file)) return;
    done.add(file);
    path.push(file);
    for (const target of imports.get(file) ?? []) visit(target);
    path.pop();
  };
  for (const file of [...imports.keys()].sort()) visit(file);
  return found;
}

/** The folder that stands for a file in the picture: two levels of the product. */
function boxOf(file: string): string {
  const levels = floorOf(file) === FLOORS.length ? 1 : 2;
  const folders = file.split("/").slice(0, -1).slice(0, levels).join("/");
  return folders === "" ? file : `${folders}/`;
}

/** The picture: floors, boxes, and an arrow for each import of a box. */
export function picture(imports: Imports): string {
  const boxes = [...new Set([...imports.keys()].map(boxOf))].sort();
  const id = (box: string): string => box.replace(/\W/g, "_");
  const floors = FLOORS.map((_, index) => index + 1).reverse();
  return [
    "```mermaid",
    "flowchart TB",
    ...floors.flatMap((floor) => [
      `  subgraph floor${floor} [Floor ${floor}]`,
      ...boxes.filter((box) => floorOf(box) === floor)
        .map((box) => `    ${id(box)}["${box}"]`),
      "  end",
    ]),
    ...arrows(imports).map(([from, to]) => `  ${id(from)} --> ${id(to)}`),
    "```",
  ].join("\n");
}

/** Which box imports which, except where arrows over a floor between say so. */
function arrows(imports: Imports): [string, string][] {
  const pairs = new Set<string>();
  for (const [file, targets] of imports) {
    for (const target of targets) pairs.add(`${boxOf(file)} ${boxOf(target)}`);
  }
  const isBetween = (from: string, via: string, to: string): boolean =>
    floorOf(from) > floorOf(via) && floorOf(via) > floorOf(to) &&
    pairs.has(`${from} ${via}`) && pairs.has(`${via} ${to}`);
  const boxes = new Set([...imports.keys()].map(boxOf));
  return [...pairs].sort()
    .map((pair) => pair.split(" ") as [string, string])
    .filter(([from, to]) => from !== to)
    .filter(([from, to]) =>
      ![...boxes].some((via) => isBetween(from, via, to))
    );
}

const ROOT = new URL("../", import.meta.url);
const PAGE = new URL("docs/architecture.md", ROOT);
const MARKS = /(<!-- floors: [^>]*-->\n\n)[^]*?(\n\n<!-- end of floors -->)/;

/** The texts of all files that have a floor. */
export async function readSources(root = ROOT): Promise<Map<string, string>> {
  const files = (await Array.fromAsync(filesOfFloors(root))).sort();
  const texts = await Promise.all(
    files.map((file) => Deno.readTextFile(new URL(file, root))),
  );
  return new Map(files.map((file, at) => [file, texts[at]!]));
}

/** The imports of all files that have a floor. */
export async function readImports(
  sources: ReadonlyMap<string, string>,
  root = ROOT,
): Promise<Imports> {
  const { name, exports } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", root)),
  ) as { name: string; exports: Record<string, string> };
  const entries = Object.fromEntries(
    Object.entries(exports).map(([key, file]) => [name + key.slice(1), file]),
  );
  return new Map(
    [...sources].map(([file, source]) => [
      file,
      importsOf(file, source, entries),
    ]),
  );
}

async function* filesOfFloors(root: URL, under = ""): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(under || ".", root))) {
    const file = under + entry.name;
    const path = entry.isDirectory ? `${file}/` : file;
    if (floorOf(path) === 0) continue;
    if (entry.isDirectory) yield* filesOfFloors(root, path);
    else if (/\.ts$/.test(file)) yield file;
  }
}

/** Draws the picture and the tables of a page. */
function draw(
  page: string,
  sources: ReadonlyMap<string, string>,
  imports: Imports,
): string {
  const pictured = page.replace(
    MARKS,
    (_, before, after) => before + picture(imports) + after,
  );
  return withTables(pictured, sources);
}

/** Returns the drawn files that are out of date, after `--write` none. */
async function drawAll(write: boolean): Promise<string[]> {
  const list = moduleList(await readSources());
  const stale = await isDrawn(new URL(LIST, ROOT), list, write) ? [] : [LIST];
  const sources = await readSources();
  const page = await Deno.readTextFile(PAGE);
  const drawn = draw(page, sources, await readImports(sources));
  if (!await isDrawn(PAGE, drawn, write)) stale.push("docs/architecture.md");
  return stale;
}

/** Whether a file has a text, after writing it where that is asked for. */
async function isDrawn(
  file: URL,
  text: string,
  write: boolean,
): Promise<boolean> {
  if (write) await Deno.writeTextFile(file, text);
  return await Deno.readTextFile(file) === text;
}

async function main(args: string[]): Promise<void> {
  const stale = await drawAll(args.includes("--write"));
  const imports = await readImports(await readSources());
  const found = [
    ...upwardImports(imports).map((text) => `${text} on a higher floor`),
    ...circles(imports).map((files) =>
      `These files form a circle: ${files.join(" → ")}`
    ),
    ...stale.map((file) => `${file} is out of date: add --write`),
  ];
  for (const text of found) console.log(text);
  if (found.length > 0) Deno.exit(1);
}

if (import.meta.main) await main(Deno.args);
