/**
 * The C compiler of this machine, which knows the numbers of its own headers.
 */

import { assert } from "@std/assert";
import { emulated } from "../../util.ts";

/** Its command; undefined if there is none, or if it compiles for another processor. */
export const compiler: string | undefined = findCompiler();

function findCompiler(): string | undefined {
  if (Deno.build.os !== "linux" || emulated) return undefined;
  return ["cc", "gcc", "clang"].find((compiler) => {
    try {
      return new Deno.Command(compiler, { args: ["--version"] })
        .outputSync().success;
    } catch {
      return false;
    }
  });
}

/** The reason to ignore a test, for its name; "" if there is a compiler. */
export const reason: string = Deno.build.os !== "linux"
  ? " (ignored: this is not Linux)"
  : emulated
  ? " (ignored: the compiler is for another processor than the emulated)"
  : compiler === undefined
  ? " (ignored: there is no C compiler here)"
  : "";

/** Compiles a source, calls a body with the path of the file, and removes it. */
export async function withCompiled(
  source: string,
  options: readonly string[],
  body: (path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "pollux-" });
  try {
    const file = `${directory}/source.c`;
    const path = `${directory}/compiled`;
    await Deno.writeTextFile(file, source);
    const { success, stderr } = await new Deno.Command(compiler!, {
      args: [...options, "-o", path, file],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    await body(path);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The values of C expressions, as `name value` lines in the order of the alphabet. */
export async function printedByC(
  headers: readonly string[],
  expressions: readonly (readonly [name: string, expression: string])[],
): Promise<string[]> {
  const source = `#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
${headers.map((header) => `#include <${header}>`).join("\n")}
int main(void) {
${
    expressions.map(([name, expression]) =>
      `  printf("${name} %lld\\n", (long long) (${expression}));`
    ).join("\n")
  }
  return 0;
}
`;
  let lines: string[] = [];
  await withCompiled(source, [], async (path) => {
    const { stdout } = await new Deno.Command(path).output();
    lines = new TextDecoder().decode(stdout).trimEnd().split("\n").toSorted();
  });
  return lines;
}
