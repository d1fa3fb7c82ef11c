/** The tests that hold the guarantees exist. */

import { assert, assertEquals } from "@std/assert";
import { readPage, withoutBlocks } from "./pages.ts";
import { testSources } from "./sources.ts";

Deno.test("guarantees: each test that the page names exists", async () => {
  const { text } = await readPage("docs/guarantees.md");
  const promises = (await readPage("docs/promises.md")).text;
  const rows = withoutBlocks(text).split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").at(-2)!.trim());
  const numbers = rows.flatMap((cell) => cell.match(/\b[A-Z]\d\d\b/g) ?? []);
  const names = rows.flatMap((cell) => [...cell.matchAll(/"([^"]+)"/g)])
    .map(([, name]) => name!);
  const sources = (await testSources()).join("\n");
  assertEquals(numbers.filter((n) => !promises.includes(`| ${n} `)), []);
  assertEquals(names.filter((name) => !sources.includes(name)), []);
  assert(numbers.length > 50 && names.length > 0);
});
