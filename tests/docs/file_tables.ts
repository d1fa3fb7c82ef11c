/**
 * The tables of files in `docs/architecture.md`: the first sentence of each file's
 * head comment.
 */

/**
 * `<!-- files: FOLDER -->`, the table, and the mark of its end. With an asterisk for
 * the last folder there is a table for each.
 */
const TABLE = /(<!-- files: (\S+) -->\n\n)[^]*?(\n\n<!-- end of files -->)/g;

/** Returns a page with its tables as the files say. */
export function withTables(
  page: string,
  sources: ReadonlyMap<string, string>,
): string {
  return page.replace(
    TABLE,
    (_, before, folder, after) => before + tables(folder, sources) + after,
  );
}

function tables(folder: string, sources: ReadonlyMap<string, string>): string {
  if (!folder.endsWith("*/")) return table(folder, sources);
  const parent = folder.slice(0, -"*/".length);
  const folders = [...sources.keys()].filter((file) => file.startsWith(parent))
    .map((file) => file.slice(parent.length).split("/"))
    .filter((path) => path.length > 1)
    .map(([first]) => `${parent}${first}/`);
  return [...new Set(folders)].sort().map((each) =>
    `\`${each}\`:\n\n${table(each, sources)}`
  ).join("\n\n");
}

/** The files of a folder itself; those of deeper folders have tables of their own. */
function table(folder: string, sources: ReadonlyMap<string, string>): string {
  const rows = [...sources].filter(([file]) =>
    file.startsWith(folder) && !file.slice(folder.length).includes("/")
  ).map((
    [file, source],
  ) => [`\`${file.slice(folder.length)}\``, headOf(source)]);
  return align([["File", "Contents"], ...rows]);
}

/** A table as `deno fmt` writes it. */
function align([headings, ...rows]: string[][]): string {
  const widths = headings!.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return [headings!, rule, ...rows].map(line).join("\n");
}

/** The first sentence of a file's head comment. */
export function headOf(source: string): string {
  const comment = source.match(/^\/\*\*([^]*?)\*\//)?.[1] ?? "";
  const text = comment.replace(/^ *\* ?/gm, "").split("@module")[0]!
    .trim().split("\n\n")[0]!.replace(/\s+/g, " ");
  const sentence = text.split(/(?<=\.)\s/)[0]!;
  return sentence.replace(/\.$/, "").replaceAll("|", "\\|");
}
