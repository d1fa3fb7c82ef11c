/** Links between the pages lead somewhere. */

import { assertEquals } from "@std/assert";
import { anchorsOf, linksOf, readPage, readPages } from "./pages.ts";

const ROOT = new URL("../../", import.meta.url);

/** Returns why a link of a page leads nowhere; undefined if it does not. */
async function problem(
  path: string,
  link: string,
): Promise<string | undefined> {
  const [file, anchor] = link.split("#");
  const target = file === ""
    ? new URL(path, ROOT)
    : new URL(file!, new URL(path, ROOT));
  const found = await Deno.stat(target).catch(() => null);
  if (found === null) return `${path}: ${link} does not exist`;
  if (anchor === undefined || !target.pathname.endsWith(".md")) return;
  const page = await readPage(target.pathname.slice(ROOT.pathname.length));
  if (!anchorsOf(page).has(anchor)) return `${path}: ${link} has no heading`;
}

Deno.test("pages: each link leads to a file and a heading", async () => {
  const pages = await readPages();
  const problems = await Promise.all(
    pages.flatMap((page) =>
      linksOf(page).map((link) => problem(page.path, link))
    ),
  );
  assertEquals(problems.filter((text) => text !== undefined), []);
  assertEquals(pages.flatMap(linksOf).length > 50, true);
});
