/** The tags of tests, as in `[A07]`, and the list of promises belong together. */

import { assertEquals } from "@std/assert";
import { readPage } from "./pages.ts";
import { testSources } from "./sources.ts";

/** The numbers at the ends of test names, by the text of a file. */
function tagsIn(source: string): string[] {
  const names = source.matchAll(/((?:\s\[[A-Z]\d\d\])+)["'`]/g);
  return [...names].flatMap(([, tags]) => tags!.match(/[A-Z]\d\d/g)!);
}

Deno.test("promises: each tag of a test has a line in docs/promises.md, and each line a test", async () => {
  const { text } = await readPage("docs/promises.md");
  const lines = [...text.matchAll(/^\| ([A-Z]\d\d) /gm)].map(([, n]) => n!);
  const tags = new Set((await testSources()).flatMap(tagsIn));
  assertEquals(new Set(lines).size, lines.length);
  assertEquals(lines, [...tags].sort());
});
