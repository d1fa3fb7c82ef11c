/**
 * Reads the tables of `BENCHMARKS.md`.
 *
 * @module
 */

/** A table of the document. */
export interface ReadTable {
  readonly title: string;
  /** Where, when and how it was measured. */
  readonly circumstances: string;
  readonly headings: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const TITLE = /^### (.*)$/;

/** The tables that have a title of the third level. */
export function tablesIn(document: string): ReadTable[] {
  return document.split(/^(?=###? )/m).flatMap((section) => {
    const title = TITLE.exec(section.split("\n")[0]!)?.[1];
    const lines = section.split("\n").filter((line) => line.startsWith("|"));
    const [headings, , ...rows] = lines.map(cellsOf);
    if (title === undefined || headings === undefined) return [];
    const circumstances = section.split("\n\n")[1]!.replaceAll("\n", " ");
    return [{ title, circumstances, headings, rows }];
  });
}

function cellsOf(line: string): string[] {
  return line.split("|").slice(1, -1).map((cell) => cell.trim());
}

/** The number with which a cell begins; NaN if there is none. */
export function numberIn(cell: string | undefined): number {
  return parseFloat((cell ?? "").replaceAll(",", ""));
}
