/** `Reactor.open(0)`: standard input of each kind, shared with a shell. */

import { assertEquals } from "@std/assert";
import { close, openFile, write } from "../../backends/ffi/mod.ts";
import { openMaster } from "../descriptors.ts";
import { Program } from "../program.ts";
import { bytesOf, denoProgram, ONLY_LINUX, test } from "../util.ts";

const MODULE = new URL("../../mod.ts", import.meta.url).href;

/** Reads standard input to its end, and prints it. */
const READER = `
import { createSelector, Reactor } from ${JSON.stringify(MODULE)};
using reactor = new Reactor({ selector: createSelector(Deno.args[0]) });
const stream = reactor.open(0);
const decoder = new TextDecoder();
let text = "";
stream.onData = (chunk) => {
  text += decoder.decode(chunk, { stream: true });
  if (text.endsWith("until here")) stream.close();
};
stream.onClose = (error) => console.log(JSON.stringify([text, error?.message]));
reactor.run();`;

/** A kind of standard input. */
interface Kind {
  /** A script in which \`"$@"\` is the program, and "$0" a path. */
  readonly script: string;
  readonly text: string;
  /** Bytes of a terminal's other side. */
  readonly typed?: string;
}

/** Then prints the flags of the open file that the shell shared with the program. */
const FLAGS = "grep -a ^flags: /proc/self/fdinfo/0";

const KINDS: Readonly<Record<string, Kind>> = {
  "a pipe": {
    script: `printf 'some text' | { "$@"; ${FLAGS}; }`,
    text: "some text",
  },
  "a regular file": {
    script: `printf 'some text' > "$0"; { "$@"; ${FLAGS}; } < "$0"`,
    text: "some text",
  },
  "an empty file": { script: `{ "$@"; ${FLAGS}; } < "$0"`, text: "" },
  "/dev/null": { script: `{ "$@"; ${FLAGS}; } < /dev/null`, text: "" },
  "a FIFO": {
    script: `rm "$0" && mkfifo "$0" && { printf 'some text' > "$0" & } &&
      { "$@"; ${FLAGS}; } < "$0"`,
    text: "some text",
  },
  "a terminal": {
    script: `{ "$@"; ${FLAGS}; } < "$0"`,
    text: "a line\n",
    typed: "a line\n\x04",
  },
};

/** Runs a body with a path: a file, or a terminal with typed bytes. */
async function withPath(
  { typed }: Kind,
  body: (path: string) => Promise<void>,
): Promise<void> {
  if (typed === undefined) {
    const path = await Deno.makeTempFile();
    try {
      return await body(path);
    } finally {
      await Deno.remove(path);
    }
  }
  const [master, path] = openMaster();
  const slave = openFile(path, "r+");
  try {
    write(master, bytesOf(typed));
    await body(path);
  } finally {
    close(slave);
    close(master);
  }
}

/** Runs a script with the reader as its arguments, and returns the printed lines. */
async function linesOf(
  script: string,
  path: string,
  selector: string,
): Promise<readonly string[]> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, READER);
  const reader = [denoProgram(), "run", "--no-check", "--allow-ffi", file];
  await using program = new Program(
    "sh",
    ["-c", script, path, ...reader, selector],
  );
  const { lines, errors } = await program.ending();
  await Deno.remove(file);
  assertEquals(errors, "");
  return lines;
}

/** Whether the flags of /proc/…/fdinfo, in octal digits, have O_NONBLOCK. */
function isNonBlocking(line: string): boolean {
  return (parseInt(line.slice("flags:".length), 8) & 0x800) !== 0;
}

for (const selector of ["epoll", "poll", "select"]) {
  for (const [name, kind] of Object.entries(KINDS)) {
    test(
      `Reactor.open: ${name} as standard input is read to its end by ${selector}, and stays blocking`,
      () =>
        withPath(kind, async (path) => {
          const lines = await linesOf(kind.script, path, selector);
          assertEquals(JSON.parse(lines[0]!), [kind.text, null]);
          assertEquals(isNonBlocking(lines[1]!), false);
        }),
      ONLY_LINUX,
    );
  }
}

test(
  "Reactor.open: a closed standard input is at its end",
  async () => {
    const lines = await linesOf('exec "$@" <&-', "sh", "epoll");
    assertEquals(lines, ['["",null]']);
  },
);

test(
  "Reactor.open: a shell reads on where the stream was closed",
  async () => {
    const script = `rm "$0"
      { printf 'until here'; until [ -e "$0" ]; do sleep 0.01; done; echo rest; } |
      { "$@"; touch "$0"; cat; }`;
    const path = await Deno.makeTempFile();
    const lines = await linesOf(script, path, "epoll");
    await Deno.remove(path);
    assertEquals(lines, ['["until here",null]', "rest"]);
  },
);
