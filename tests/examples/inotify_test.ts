/** Changes of files, made by a shell. */

import { assert, assertEquals } from "@std/assert";
import { assertFailed, type Program } from "../program.ts";
import { absence, assertIdle, startExample, testExamples } from "./start.ts";

const PERMISSIONS = ["--allow-ffi", "--allow-read"];

/** Runs a body with a directory, and the example that watches it. */
async function withDirectory(
  body: (program: Program, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await using program = startExample("inotify", [directory], PERMISSIONS);
    await program.line(/^Watching /);
    await body(program, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function runShell(script: string, directory: string): Promise<void> {
  const command = new Deno.Command("sh", {
    args: ["-e", "-c", script],
    cwd: directory,
  });
  assert((await command.output()).success);
}

testExamples(
  "inotify: prints the changes that a shell makes, then ends on Ctrl-C",
  () =>
    withDirectory(async (program, directory) => {
      await runShell("mkdir -p a/b && echo text >a/b/file", directory);
      await program.line(/^The file .*\/a\/b\/file is new$/);
      await runShell("echo more >>a/b/file; mv a/b/file other", directory);
      await program.line(/^The file .*\/a\/b\/file was written$/);
      await program.line(/^The file .*\/a\/b\/file is now .*\/other$/);
      await runShell("rm -r a other", directory);
      await program.line(/^The directory .*\/a\/b is gone$/);
      await program.line(/^The directory .*\/a is gone$/);
      await program.line(/^The file .*\/other is gone$/);
      program.kill("SIGINT");
      const { signal, errors } = await program.ending();
      assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
    }),
  absence.epoll,
);

testExamples(
  "inotify: the control characters of a name do not reach the terminal",
  () =>
    withDirectory(async (program, directory) => {
      await Deno.writeTextFile(`${directory}/\x1b[2Jred\nThe end`, "");
      await program.line(/^The file .*\/\?\[2Jred\?The end is new$/);
    }),
  absence.epoll,
);

testExamples(
  "inotify: uses no CPU between two changes",
  () =>
    withDirectory(async (program, directory) => {
      await runShell("touch file", directory);
      await program.line(/^The file .*\/file is new$/);
      await assertIdle([program]);
    }),
  absence.proc,
);

testExamples(
  "inotify: a missing path is one line, and status 1",
  async () => {
    await using program = startExample("inotify", ["/nowhere"], PERMISSIONS);
    assertFailed(await program.ending(), 1, /^No such file .*'\/nowhere'\n$/);
  },
  absence.epoll,
);

testExamples(
  "inotify: without a path it prints its usage, and status 2",
  async () => {
    await using program = startExample("inotify");
    assertFailed(await program.ending(), 2, /^Usage: inotify.ts PATH\n$/);
  },
);
