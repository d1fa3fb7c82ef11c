/**
 * Checks the modules of a start, and the list that makes it earlier.
 */

import { assert, assertEquals } from "@std/assert";
import { importsByValue, LIST, moduleList, modulesOf } from "./module_list.ts";
import { readSources } from "./structure.ts";

/**
 * The most that `mod.ts` may load: each module of a start costs it 0.1 ms, and each
 * kilobyte of code 0.03 ms. Raise a limit only for a feature of most programs. Modules that
 * an asynchronous call needs can come by `lateModule()`.
 */
const MAXIMUM_MODULES = 165;
const MAXIMUM_KILOBYTES = 830;

Deno.test("start: imports of types alone load no module", () => {
  const source = `
import { type A, b } from "./a.ts";
import type { B } from "./b.ts";
import { type C, type D } from "./c.ts";
export type { E } from "./e.ts";
export * from "../f.ts";
export { g } from "./g.ts";
import { assert } from "@std/assert";
const h = await import("./h.ts");
/**
 * import { no } from "./comment.ts";
 */
`;
  assertEquals(importsByValue("x/y.ts", source), ["x/a.ts", "f.ts", "x/g.ts"]);
});

Deno.test("start: the list has all modules of the reactor", async () => {
  const sources = await readSources();
  assertEquals(sources.get(LIST), moduleList(sources));
});

Deno.test("start: mod.ts loads few modules, and small ones", async () => {
  const sources = await readSources();
  const modules = modulesOf("mod.ts", sources);
  const sizes = modules.map((file) => sources.get(file)!.length);
  const kilobytes = sizes.reduce((sum, size) => sum + size, 0) / 1000;
  assert(modules.length <= MAXIMUM_MODULES, `${modules.length} modules`);
  assert(kilobytes <= MAXIMUM_KILOBYTES, `${kilobytes} kB`);
});
