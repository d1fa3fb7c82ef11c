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

/** Runs tests above the library, which refuses as the environment says. */
function runRefused(files: string[], env: Record<string, string> = {}): void {
  const path = (name: string): string =>
    new URL(name, import.meta.url).pathname;
  const directory = Deno.makeTempDirSync();
  try {
    const library = `${directory}/refuse.so`;
    const flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Werror"];
    run("gcc", [...flags, "-o", library, path("refusals/refuse.c"), "-ldl"]);
    run(denoProgram(), ["test", "-A", "--no-check", ...files.map(path)], {
      NO_COLOR: "1",
      LD_PRELOAD: library,
      POLLUX_REFUSE: library,
      ...env,
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

test(
  `every call of a loop may be refused${reason ? ` (ignored: ${reason})` : ""}`,
  () => runRefused(["refusals/refusals.ts"]),
  { ignore: reason !== undefined },
);

test(
  "parked reactors wait on another thread where AIO is refused",
  () =>
    runRefused(
      ["parking", "wakeup", "deno_turn"].map((name) =>
        `reactor/${name}_test.ts`
      ),
      { POLLUX_REFUSE_ALWAYS: "syscall" },
    ),
  { ignore: reason !== undefined },
);
