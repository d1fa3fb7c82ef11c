/**
 * What a file of `Deno.bench` calls measures, as tables in Markdown.
 *
 *     deno run -A bench/bench_table.ts bench/ffi_bench.ts
 *
 * @module
 */

import { circumstances } from "./circumstances.ts";
import { asMarkdown } from "./report.ts";

/** The part of `deno bench --json` that is used here. */
interface BenchOutput {
  readonly benches: readonly {
    readonly name: string;
    readonly group: string | null;
    readonly results: readonly [{ readonly ok?: { readonly min: number } }];
  }[];
}

async function measure(file: string): Promise<BenchOutput> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["bench", "-A", "--json", file],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`deno bench ${file} fails`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** What disturbs a run only adds to it, so the shortest counts. */
function nanoseconds(bench: BenchOutput["benches"][number]): string {
  const minimum = bench.results[0].ok?.min ?? NaN;
  return Math.round(minimum).toLocaleString("en");
}

console.log(`${circumstances()}\n`);
for (const file of Deno.args) {
  const { benches } = await measure(file);
  const groups = Map.groupBy(benches, ({ group }) => group ?? file);
  for (const [title, members] of groups) {
    const rows = members.map((bench) => [bench.name, nanoseconds(bench)]);
    console.log(
      `${asMarkdown({ title, headings: ["", "ns"], rows, notes: [] })}\n`,
    );
  }
}
