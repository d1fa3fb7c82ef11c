/** Reads the sources of all tests. */

const TESTS = new URL("../", import.meta.url);

async function* filesIn(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesIn(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

/** The texts of all files in tests/. */
export async function testSources(): Promise<string[]> {
  const files = await Array.fromAsync(filesIn(TESTS));
  return await Promise.all(files.map((file) => Deno.readTextFile(file)));
}
