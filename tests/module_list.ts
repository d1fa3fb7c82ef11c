/**
 * Draws `reactor/modules.ts`, the list of the modules that the reactor loads, and finds
 * the modules of a start.
 *
 * @module
 */

/** The file of the list. */
export const LIST = "reactor/modules.ts";

/** The entry point whose modules the list has. */
const LISTED_ENTRY = "reactor/mod.ts";

const HEAD = `/**
 * All modules that the reactor loads, in one list, for an earlier start.
 *
 * Deno looks up the place of the first import of each module, and parses the source map
 * of the importing file for it. With this list, that is one source map instead of 50.
 * \`deno task lint:structure --write\` draws it.
 *
 * @module
 */

`;

const STATEMENT = /^(?:import|export)\b([^;]*?)\bfrom "([^"]+)";/gm;

/** Whether Deno keeps an import or export: one of types alone vanishes. */
function hasValues(names: string): boolean {
  if (/^\s*type\b/.test(names)) return false;
  const braces = /\{([^]*)\}/.exec(names);
  if (braces === null) return true;
  return braces[1]!.split(",").map((name) => name.trim())
    .some((name) => name !== "" && !name.startsWith("type "));
}

/** The files whose values a file imports, by their paths in the tree. */
export function importsByValue(file: string, source: string): string[] {
  const code = source.replace(/^\s*\*.*$|^\s*\/\/.*$/gm, "");
  return [...code.matchAll(STATEMENT)]
    .filter(([, names, from]) => hasValues(names!) && from!.startsWith("."))
    .map(([, , from]) => new URL(from!, `file:///${file}`).pathname.slice(1));
}

/** The modules that an entry point loads, itself included; without late ones. */
export function modulesOf(
  entry: string,
  sources: ReadonlyMap<string, string>,
): string[] {
  const found = new Set([entry]);
  for (const file of found) {
    for (const name of importsByValue(file, sources.get(file)!)) {
      found.add(name);
    }
  }
  return [...found].sort();
}

/** The text of the list. */
export function moduleList(sources: ReadonlyMap<string, string>): string {
  const folder = new URL(LIST, "file:///");
  const imports = modulesOf(LISTED_ENTRY, sources)
    .filter((file) => file !== LISTED_ENTRY)
    .map((file) => `import "${relative(folder, file)}";`);
  return HEAD + imports.join("\n") + "\n";
}

/** The path of a file from that of another in a folder of the tree. */
function relative(from: URL, file: string): string {
  const folder = from.pathname.slice(1).replace(/[^/]*$/, "");
  return file.startsWith(folder)
    ? `./${file.slice(folder.length)}`
    : `${"../".repeat(folder.split("/").length - 1)}${file}`;
}
