/**
 * Runs `refusals/refusals.ts`, with a library beneath it that has calls fail.
 */

import { assertEquals } from "@std/assert";
import { denoProgram, emulated, test } from "./util.ts";

/** Why the calls cannot be refused here; undefined if they can. */
function whyNot(): string | undefined {
  if (Deno.build.os !== "linux") return "needs the dlsym of glibc";
  if (emulated) return "the compiler is for another processor";
  try {
    const { code } = new Deno.Command("gcc", {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return code === 0 ? undefined : "gcc does not run";
  } catch {
    return "gcc is missing";
  }
}

function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): void {
  const { code, stdout, stderr } = new Deno.Command(program, { args, env })
    .outputSync();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, said.join("\n"));
}

const reason = whyNot();

test(
  `every call of a loop may be refused${reason ? ` (ignored: ${reason})` : ""}`,
  () => {
    const here = new URL("refusals/", import.meta.url);
    const path = (name: string): string => new URL(name, here).pathname;
    const directory = Deno.makeTempDirSync();
    try {
      const library = `${directory}/refuse.so`;
      const flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Werror"];
      run("gcc", [...flags, "-o", library, path("refuse.c"), "-ldl"]);
      run(denoProgram(), ["test", "-A", "--no-check", path("refusals.ts")], {
        NO_COLOR: "1",
        LD_PRELOAD: library,
        POLLUX_REFUSE: library,
      });
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
  { ignore: reason !== undefined },
);
