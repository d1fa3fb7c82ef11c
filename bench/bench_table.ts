/**
 * Prints the results of `deno bench` as tables in Markdown.
 *
 *     deno run -A bench/bench_table.ts bench/ffi_bench.ts
 *
 * @module
 */

import { circumstances } from "./circumstances.ts";
import { print } from "./table.ts";

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

/** The shortest run, since disturbances only add to it. */
function nanoseconds(bench: BenchOutput["benches"][number]): string {
  const minimum = bench.results[0].ok?.min ?? NaN;
  return Math.round(minimum).toLocaleString("en");
}

for (const file of Deno.args) {
  const where = circumstances();
  const { benches } = await measure(file);
  const groups = Map.groupBy(benches, ({ group }) => group ?? file);
  for (const [title, members] of groups) {
    const rows = members.map((bench) => [bench.name, nanoseconds(bench)]);
    const headings = ["", "ns"];
    print({ title, circumstances: where, headings, rows, notes: [] }, true);
  }
}
