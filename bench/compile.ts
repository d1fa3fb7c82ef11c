/**
 * Compiles C programs into a directory that is removed when the benchmark ends.
 *
 * @module
 */

import { firstLine } from "./peers/peer.ts";

let directory: string | undefined;

/** The directory of compiled programs. */
export function outputs(): string {
  if (directory !== undefined) return directory;
  directory = Deno.makeTempDirSync({ prefix: "pollux-bench-" });
  globalThis.addEventListener("unload", () => {
    Deno.removeSync(directory!, { recursive: true });
  });
  return directory;
}

/** The path of the program that `compile()` makes of a source file. */
export function compiled(source: string): string {
  return `${outputs()}/${source.replace(/^.*\//, "").replace(/\.c$/, "")}`;
}

/**
 * Compiles a source file of this folder.
 *
 * @param source Its path from here, such as "peers/libuv_echo.c"
 * @param flags Further arguments of the compiler, such as "-luv"
 * @returns true, or why it cannot be compiled
 */
export async function compile(
  source: string,
  ...flags: string[]
): Promise<true | string> {
  const path = new URL(source, import.meta.url).pathname;
  const args = ["-O2", "-o", compiled(source), path, ...flags];
  try {
    const { success, stderr } = await new Deno.Command("cc", { args }).output();
    return success || firstError(new TextDecoder().decode(stderr));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no C compiler (cc)";
    throw error;
  }
}

/** The name and version of the compiler. */
export function compilerVersion(): Promise<string> {
  return firstLine("cc", "--version");
}

/** The message of the first error, without the file and line. */
function firstError(output: string): string {
  return /error: (.*)/.exec(output)?.[1] ?? "cc fails";
}
