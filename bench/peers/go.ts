/**
 * Go, and the compilation of its server.
 *
 * @module
 */

import { outputs } from "../compile.ts";
import { firstLine, program, userCache } from "./peer.ts";

/** The command that works, if one was found. */
let go: string | null | undefined;

/** The `go` in PATH, else the newest of Debian's, which are not. */
async function findGo(): Promise<string | null> {
  const debians = "ls -d /usr/lib/go-1.*/bin/go | sort -rV";
  for (const candidate of ["go", await firstLine("sh", "-c", debians)]) {
    if (await firstLine(candidate, "version") !== "") return candidate;
  }
  return null;
}

/** The path of the program that `compileGo()` makes of a source file in this folder. */
export function compiledGo(source: string): string {
  return `${outputs()}/${source.replace(/\.go$/, "")}`;
}

/**
 * Compiles a source file of this folder.
 *
 * @returns true, or why it cannot be compiled
 */
export async function compileGo(source: string): Promise<true | string> {
  go = await findGo();
  if (go === null) return "no go";
  const { success } = await new Deno.Command(go, {
    args: ["build", "-o", compiledGo(source), program(source)],
    env: {
      GOCACHE: `${userCache()}/go`,
      GOTOOLCHAIN: "local",
      GO111MODULE: "off",
      GOFLAGS: "",
    },
    stderr: "null",
  }).output();
  return success || "go build fails";
}

/** Its version, such as "go1.23.4". */
export async function goVersion(): Promise<string> {
  const words = await firstLine(go ?? "go", "version");
  return words.split(" ")[2] ?? "";
}
