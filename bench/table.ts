/**
 * Tables, for a terminal and for a document.
 *
 * @module
 */

/** A table. */
export interface Table {
  readonly title: string;
  /** Where, when and how it was measured: `circumstances()`. */
  readonly circumstances: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
}

/** Prints a table, for a document if `--markdown` is given. */
export function print(table: Table, markdown: boolean = false): void {
  console.log(`${markdown ? asMarkdown(table) : asText(table)}\n`);
}

function asText(table: Table): string {
  const lines = [table.headings, ...table.rows];
  const widths = table.headings.map((_, column) =>
    Math.max(...lines.map((line) => line[column]!.length))
  );
  const text = lines.map((line) =>
    line.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    ).join("  ")
  );
  return [table.title, table.circumstances, ...text, ...table.notes].join("\n");
}

function asMarkdown(table: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = table.headings.map((_, column) => column === 0 ? "---" : "--:");
  return [
    `### ${table.title}`,
    "",
    table.circumstances,
    "",
    line(table.headings),
    line(rule),
    ...table.rows.map(line),
    ...table.notes.flatMap((note) => ["", `- ${note}`]),
  ].join("\n");
}
