/**
 * C programs, compiled when they are needed into a directory that goes away
 * with the benchmark.
 *
 * @module
 */

import { firstLine } from "./peers/peer.ts";

let directory: string | undefined;

function outputs(): string {
  if (directory !== undefined) return directory;
  directory = Deno.makeTempDirSync({ prefix: "pollux-bench-" });
  globalThis.addEventListener("unload", () => {
    Deno.removeSync(directory!, { recursive: true });
  });
  return directory;
}

/** Where the program of a source file is, once it is compiled. */
export function compiled(source: string): string {
  return `${outputs()}/${source.replace(/^.*\//, "").replace(/\.c$/, "")}`;
}

/**
 * Compiles a source file of this folder.
 *
 * @param source Its path from here, such as "peers/libuv_echo.c"
 * @param flags What else the compiler is told, such as "-luv"
 * @returns true, or why it cannot be done
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

/** The compiler, as it names itself. */
export function compilerVersion(): Promise<string> {
  return firstLine("cc", "--version");
}

/** "file.c:12:10: fatal error: uv.h: No such file or directory" without its place. */
function firstError(output: string): string {
  return /error: (.*)/.exec(output)?.[1] ?? "cc fails";
}
