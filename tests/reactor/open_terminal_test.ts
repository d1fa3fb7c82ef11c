/**
 * `Reactor.open` leaves a terminal as it was found, in whatever way the stream or the
 * program ends.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { close, openFile } from "../../backends/ffi/mod.ts";

import { openMaster } from "../descriptors.ts";
import { denoProgram, ONLY_LINUX, test } from "../util.ts";
import { Program } from "../program.ts";
import { onAnyBackend, type Stage } from "./stage.ts";

const MODULE = new URL("../../mod.ts", import.meta.url).href;

/** The settings of a terminal, as stty(1) prints them. */
async function settingsOf(path: string): Promise<string> {
  const { stdout, success } = await new Deno.Command("stty", {
    args: ["-F", path, "-g"],
  }).output();
  assert(success);
  return new TextDecoder().decode(stdout);
}

/** A terminal, of which the test holds both sides. */
function terminal(stage: Stage | AsyncDisposableStack): string {
  const [master, path] = openMaster();
  const slave = openFile(path, "r+");
  stage.defer(() => {
    close(slave);
    close(master);
  });
  return path;
}

for (const ending of ["close", "abort"] as const) {
  onAnyBackend(
    `Reactor.open: a raw terminal is as it was found after ${ending}()`,
    async (stage) => {
      const path = terminal(stage);
      const found = await settingsOf(path);
      const stream = stage.reactor.open(path, { mode: "r+", raw: true });
      assertNotEquals(await settingsOf(path), found);
      stream[ending]();
      assertEquals(await settingsOf(path), found);
    },
    ONLY_LINUX,
  );
}

onAnyBackend(
  "Reactor.open: a raw terminal is as it was found after the reactor's close()",
  async (stage) => {
    const path = terminal(stage);
    const found = await settingsOf(path);
    const reactor = stage.make();
    reactor.open(path, { raw: true });
    assertNotEquals(await settingsOf(path), found);
    reactor.close();
    assertEquals(await settingsOf(path), found);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Reactor.open: settings that others changed meanwhile are restored, too",
  async (stage) => {
    const path = terminal(stage);
    const found = await settingsOf(path);
    using _stream = stage.reactor.open(path);
    const stty = new Deno.Command("stty", { args: ["-F", path, "-echo"] });
    assert((await stty.output()).success);
    assertNotEquals(await settingsOf(path), found);
    _stream.close();
    assertEquals(await settingsOf(path), found);
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Reactor.open: two streams of one terminal restore the same settings, in any order",
  async (stage) => {
    const path = terminal(stage);
    const found = await settingsOf(path);
    for (const rawIsFirst of [true, false]) {
      const raw = stage.reactor.open(path, { raw: true });
      const plain = stage.reactor.open(path, { mode: "w" });
      const settings = await settingsOf(path);
      assertNotEquals(settings, found);
      (rawIsFirst ? raw : plain).close();
      // A raw stream that is still open stays raw.
      assertEquals(await settingsOf(path), rawIsFirst ? found : settings);
      raw.close();
      plain.close();
      assertEquals(await settingsOf(path), found);
    }
  },
  ONLY_LINUX,
);

onAnyBackend(
  "Reactor.open: a terminal that two streams made raw is restored after both",
  async (stage) => {
    const path = terminal(stage);
    const found = await settingsOf(path);
    const streams = [1, 2].map(() => stage.reactor.open(path, { raw: true }));
    streams[0]!.close();
    assertNotEquals(await settingsOf(path), found);
    streams[1]!.close();
    assertEquals(await settingsOf(path), found);
  },
  ONLY_LINUX,
);

const ENDINGS: Readonly<Record<string, string>> = {
  "Deno.exit()": "Deno.exit(0)",
  "an error that nothing catches": "throw new Error('on purpose')",
  "a promise that rejects": "Promise.reject(new Error('on purpose'))",
  "the last line of the program": "reactor.unref()",
};

for (const [name, statement] of Object.entries(ENDINGS)) {
  test(
    `Reactor.open: a raw terminal is as it was found after ${name}`,
    async () => {
      await using stack = new AsyncDisposableStack();
      const path = terminal(stack);
      const found = await settingsOf(path);
      const source = `
        import { Reactor } from ${JSON.stringify(MODULE)};
        const reactor = new Reactor();
        reactor.open(${JSON.stringify(path)}, { raw: true });
        console.log("raw");
        await new Promise((resolve) =>
          Deno.stdin.read(new Uint8Array(1)).then(resolve)
        );
        ${statement};`;
      const file = await Deno.makeTempFile({ suffix: ".ts" });
      stack.defer(() => Deno.remove(file));
      await Deno.writeTextFile(file, source);
      await using program = new Program(
        denoProgram(),
        ["run", "--no-check", "--allow-ffi", file],
        { hasInput: true },
      );
      await program.line(/^raw$/);
      assertNotEquals(await settingsOf(path), found);
      await program.endInput();
      await program.ending();
      assertEquals(await settingsOf(path), found);
    },
    ONLY_LINUX,
  );
}

const CAUGHT: Readonly<Record<string, string>> = {
  "a listener catches": `addEventListener(name, prevent);
    reactor.open(path, { raw: true });`,
  "a later listener catches": `reactor.open(path, { raw: true });
    addEventListener(name, prevent);`,
};

for (const [who, statements] of Object.entries(CAUGHT)) {
  test(
    `Reactor.open: a terminal stays raw after an error that ${who}`,
    async () => {
      await using stack = new AsyncDisposableStack();
      const path = terminal(stack);
      const source = `
        import { Reactor } from ${JSON.stringify(MODULE)};
        const path = ${JSON.stringify(path)};
        const reactor = new Reactor();
        reactor.serve();
        const name = "unhandledrejection";
        const prevent = (event) => {
          event.preventDefault();
          setTimeout(() => console.log("caught"), 0);
        };
        ${statements}
        console.log("raw");
        await Deno.stdin.read(new Uint8Array(1));
        Promise.reject(new Error("on purpose"));
        await Deno.stdin.read(new Uint8Array(1));`;
      const file = await Deno.makeTempFile({ suffix: ".ts" });
      stack.defer(() => Deno.remove(file));
      await Deno.writeTextFile(file, source);
      await using program = new Program(
        denoProgram(),
        ["run", "--no-check", "--allow-ffi", file],
        { hasInput: true },
      );
      await program.line(/^raw$/);
      const raw = await settingsOf(path);
      await program.type("x");
      await program.line(/^caught$/);
      assertEquals(await settingsOf(path), raw);
    },
    ONLY_LINUX,
  );
}
