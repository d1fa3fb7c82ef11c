/** A shell in a terminal, in an example that itself runs in a terminal. */

import { assertEquals, assertMatch } from "@std/assert";
import { type Child, spawn } from "../../adapters/process/mod.ts";
import { Reactor } from "../../reactor/mod.ts";
import { assertFailed } from "../program.ts";
import { denoProgram } from "../util.ts";
import { Shell } from "../adapters/process/stage.ts";
import { absence, startExample, testExamples } from "./start.ts";

const EXAMPLE = new URL("../../examples/terminal.ts", import.meta.url).pathname;

/** Runs a body with the example, in a terminal of 30 rows and 90 columns. */
async function withExample(
  command: readonly string[],
  body: (outer: Shell, child: Child) => Promise<void>,
): Promise<void> {
  await using reactor = new Reactor();
  reactor.serve();
  const deno = [denoProgram(), "run", "--no-prompt", "--allow-ffi", EXAMPLE];
  // The shell outside shows the settings of its terminal afterwards.
  const script = 'stty -a >&3; "$@"; echo code=$?; stty -a >&4; echo e""nd';
  const directory = await Deno.makeTempDir();
  const shell = `exec 3>${directory}/before 4>${directory}/after; ${script}`;
  const child = spawn(reactor, "sh", {
    args: ["-c", shell, "sh", ...deno, ...command],
    env: { NO_COLOR: "1" },
    terminal: { rows: 30, columns: 90 },
  });
  const outer = new Shell(child);
  try {
    await body(outer, child);
    await outer.shows("end");
    const settings = (name: string): Promise<string> =>
      Deno.readTextFile(`${directory}/${name}`);
    const withoutSize = (text: string): string =>
      text.replace(/rows \d+; columns \d+/, "");
    assertEquals(
      withoutSize(await settings("after")),
      withoutSize(await settings("before")),
    );
  } finally {
    child.close();
    await Deno.remove(directory, { recursive: true });
  }
  await child.status;
}

function onLinux(name: string, body: () => Promise<void>): void {
  testExamples(name, body, absence.proc);
}

onLinux(
  "terminal: a shell works, and its exit code is the example's",
  () =>
    withExample(["bash", "--norc", "-i"], async (outer) => {
      await outer.run("stty size", "30 90");
      await outer.run("sh -c 'echo st\"\"art; exec sleep 60'", "start");
      outer.type("\x03");
      await outer.run("echo code=$?", "code=130");
      outer.type("exit 7\n");
      await outer.shows("code=7");
    }),
);

onLinux(
  "terminal: the shell sees a change of the window's size",
  () =>
    withExample(["bash", "--norc", "-i"], async (outer, child) => {
      await outer.run("trap 'echo ch''anged' WINCH; echo re''ady", "ready");
      child.terminal.resize(20, 60);
      await outer.run("", "changed");
      await outer.run("stty size", "20 60");
      outer.type("exit\n");
      await outer.shows("code=0");
    }),
);

onLinux(
  "terminal: it shows all of a long output",
  () =>
    withExample(["seq", "20000"], async (outer) => {
      await outer.shows("code=0");
      const numbers = outer.output.match(/\d+(?=\r\n)/g)!.slice(0, -1).map(
        Number,
      );
      assertEquals(numbers, Array.from({ length: 20_000 }, (_, at) => at + 1));
    }),
);

onLinux(
  "terminal: a job in the background does not hold it up",
  () =>
    withExample(["sh", "-c", "sleep 5 & echo st''arted"], async (outer) => {
      await outer.shows("started");
      await outer.shows("code=0");
    }),
);

onLinux(
  "terminal: a missing program is one line, and status 1",
  () =>
    withExample(["pollux-nosuch"], async (outer) => {
      await outer.shows("code=1");
      assertMatch(
        outer.output,
        /No such file or directory [^\n]*'pollux-nosuch'\r\n/,
      );
    }),
);

testExamples(
  "terminal: without a terminal it says so, and has status 2",
  async () => {
    await using program = startExample("terminal");
    assertFailed(
      await program.ending(),
      2,
      /^Standard input and output must be a terminal\n$/,
    );
  },
);
