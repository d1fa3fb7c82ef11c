/**
 * The tags of tests, as in `[A07]`, and the list of promises belong together.
 */

import { assertEquals } from "@std/assert";

const ROOT = new URL("../../", import.meta.url);

/** The numbers at the ends of test names, by the text of all tests. */
function tagsIn(source: string): Set<string> {
  const names = source.matchAll(/((?:\s\[[A-Z]\d\d\])+)["'`]/g);
  return new Set(
    [...names].flatMap(([, tags]) => tags!.match(/[A-Z]\d\d/g)!),
  );
}

async function* testFiles(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* testFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

Deno.test("promises: each tag of a test has a line in docs/promises.md, and each line a test", async () => {
  const page = await Deno.readTextFile(new URL("docs/promises.md", ROOT));
  const lines = [...page.matchAll(/^\| ([A-Z]\d\d) /gm)].map(([, n]) => n!);
  const tags = new Set<string>();
  for await (const file of testFiles(new URL("tests/", ROOT))) {
    for (const tag of tagsIn(await Deno.readTextFile(file))) tags.add(tag);
  }
  assertEquals(new Set(lines).size, lines.length);
  assertEquals(lines, [...tags].sort());
});
