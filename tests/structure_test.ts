/**
 * Checks the structure of the tree, and the checks themselves.
 */

import { assertEquals } from "@std/assert";
import {
  circles,
  floorOf,
  type Imports,
  importsOf,
  picture,
  readImports,
  readSources,
  upwardImports,
} from "./structure.ts";

const ENTRIES = { "@pollux/reactor/wasi": "./adapters/wasi/mod.ts" };

Deno.test("structure: imports are found, by type, by name and by call too", () => {
  const source = `
import { a } from "./a.ts";
import type { B } from "../ffi/b.ts";
import {
  c,
} from "@pollux/reactor/wasi";
export * from "./d.ts";
import "./e.ts";
import { f } from "@std/assert";
const g = await import("./g.ts");
/**
 * import { no } from "./comment.ts";
 */
// import { no } from "./comment.ts";
`;
  assertEquals(importsOf("backends/poll/x.ts", source, ENTRIES), [
    "backends/poll/a.ts",
    "backends/ffi/b.ts",
    "adapters/wasi/mod.ts",
    "backends/poll/d.ts",
    "backends/poll/e.ts",
    "backends/poll/g.ts",
  ]);
});

Deno.test("structure: an import from a higher floor is found", () => {
  const imports: Imports = new Map([
    ["backends/ffi/a.ts", ["backends/b.ts"]],
    ["backends/b.ts", ["backends/ffi/a.ts", "backends/c.ts"]],
    ["reactor/r.ts", ["mod.ts"]],
  ]);
  assertEquals(upwardImports(imports), [
    "backends/ffi/a.ts imports backends/b.ts",
    "reactor/r.ts imports mod.ts",
  ]);
});

Deno.test("structure: a circle of imports is found", () => {
  const imports: Imports = new Map([
    ["a.ts", ["b.ts", "c.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["d.ts"]],
    ["d.ts", ["b.ts"]],
  ]);
  assertEquals(circles(imports), [["b.ts", "c.ts", "d.ts", "b.ts"]]);
  assertEquals(
    circles(
      new Map([["a.ts", ["b.ts", "c.ts"]], ["b.ts", [
        "c.ts",
      ]]]),
    ),
    [],
  );
});

Deno.test("structure: the picture has the arrows that no others imply", () => {
  const imports: Imports = new Map([
    ["backends/ffi/a.ts", []],
    ["backends/b.ts", ["backends/ffi/a.ts"]],
    ["reactor/r.ts", ["backends/b.ts", "backends/ffi/a.ts"]],
  ]);
  const arrows = picture(imports).match(/\S+ --> \S+/g);
  assertEquals(arrows, [
    "backends_ --> backends_ffi_",
    "reactor_ --> backends_",
  ]);
});

Deno.test("structure: each file of the product has a floor, and few import nothing", async () => {
  const imports = await readImports(await readSources());
  const alone = [...imports].filter(([, targets]) => targets.length === 0);
  assertEquals(alone.length < imports.size / 3, true);
  assertEquals([...imports.keys()].filter((file) => floorOf(file) === 0), []);
});
