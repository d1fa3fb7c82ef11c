/** The tables of BENCHMARKS.md can be understood without the programs behind them. */

import { assertEquals, assertGreater } from "@std/assert";
import { numberIn, type ReadTable, tablesIn } from "../../bench/read_tables.ts";

const ROOT = new URL("../../", import.meta.url);
const document = await Deno.readTextFile(new URL("BENCHMARKS.md", ROOT));

/** A section that says when it was measured. Older ones have another form. */
const SECTION =
  /<!-- measured by: (?:(?!<!-- end)[^])*<!-- end, measured \S+ -->/g;

const tables = document.match(SECTION)!.flatMap(tablesIn);

/** How far a ratio may be from the quotient of its columns. */
const TOLERANCE = 0.08;

/** A column of ratios, such as "CPU, × C epoll". */
const RATIO = /^(.+), × (.+)$/;

/** A median with its quartiles. */
const SPREAD = /^\d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)$/;

/** The columns of ratios of a table, each with the column of its figures. */
function ratioColumns({ headings }: ReadTable): [number, number][] {
  return headings.flatMap((heading, column) => {
    const figure = RATIO.exec(heading)?.[1];
    if (figure === undefined) return [];
    const figures = headings.findIndex((other) =>
      other === figure || other.startsWith(`${figure} µs`)
    );
    return [[column, figures] as [number, number]];
  });
}

/** The number in the row of a ratio's yardstick: the last row above with 1.00, or none. */
function yardstickOf(
  { rows }: ReadTable,
  index: number,
  [ratios, figures]: readonly [number, number],
): number {
  const row = rows.slice(0, index + 1).findLast((cells) =>
    ["1.00", ""].includes(cells[ratios]!)
  );
  return numberIn(row?.[figures]);
}

/** Says which ratios of a table are not the quotients of its columns. */
function contradictions(table: ReadTable): string[] {
  return ratioColumns(table).flatMap((columns) =>
    table.rows.flatMap((cells, index) => {
      const [ratios, figures] = columns;
      const ratio = numberIn(cells[ratios]);
      const quotient = numberIn(cells[figures]) /
        yardstickOf(table, index, columns);
      if (Math.abs(ratio / quotient - 1) <= TOLERANCE) return [];
      if (cells[ratios] === "") return [];
      return [`${table.title}: ${cells[0]}: ${cells[ratios]}, ${quotient}`];
    })
  );
}

Deno.test("BENCHMARKS.md: each table says machine, versions, load average and date", () => {
  const wanted =
    /^.+, \d+ cores; Linux [\d.]+; Deno .+\. Load average [\d.]+ and CPU \d+ % busy before; .*\d{4}-\d\d-\d\d$/;
  const others = tables.filter(({ circumstances }) =>
    !wanted.test(circumstances)
  );
  assertEquals(others.map(({ title }) => title), []);
  assertGreater(tables.length, 30);
});

const compared = tables.filter((table) => ratioColumns(table).length > 0);

Deno.test("BENCHMARKS.md: each table with ratios says its rounds, and has a control", () => {
  const others = compared.filter(({ circumstances, rows }) =>
    !/; \d+ rounds;/.test(circumstances) ||
    !rows.some(([name]) => name!.endsWith(", again"))
  );
  assertEquals(others.map(({ title }) => title), []);
  assertGreater(compared.length, 15);
});

Deno.test("BENCHMARKS.md: each ratio has its quartiles", () => {
  const cells = compared.flatMap((table) =>
    ratioColumns(table).flatMap(([column]) =>
      table.rows.map((row) => row[column]!)
    )
  );
  const others = cells.filter((cell) =>
    cell !== "1.00" && cell !== "" && !SPREAD.test(cell)
  );
  assertEquals(others, []);
});

Deno.test("BENCHMARKS.md: no ratio differs from the quotient of its columns by more than 8 %", () => {
  assertEquals(compared.flatMap(contradictions), []);
});
