/** Reads the pages of documentation as their tests need them. */

const ROOT = new URL("../../", import.meta.url);

/** A page: its path in the tree, and its text. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** Reads one page. */
export async function readPage(path: string): Promise<Page> {
  return { path, text: await Deno.readTextFile(new URL(path, ROOT)) };
}

/** Reads all pages: those of the root, and those of docs/. */
export async function readPages(): Promise<Page[]> {
  const paths: string[] = [];
  for (const folder of ["", "docs/"]) {
    for await (const { name } of Deno.readDir(new URL(folder || ".", ROOT))) {
      if (name.endsWith(".md")) paths.push(folder + name);
    }
  }
  return await Promise.all(paths.sort().map(readPage));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf({ text }: Page): Set<string> {
  const headings = withoutBlocks(text).matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-")
    ),
  );
}

/** The targets of a page's links, except those to other sites. */
export function linksOf({ text }: Page): string[] {
  return [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** A page's text without its code blocks. */
export function withoutBlocks(text: string): string {
  return text.replace(/^( *)```[^]*?^\1```$/gm, "");
}
