/** The first program of the README runs as the README says. */

import { assertEquals, assertMatch } from "@std/assert";
import { startDeno } from "../program.ts";
import { testExamples } from "../examples/start.ts";
import { readPage } from "./pages.ts";

const ROOT = new URL("../../", import.meta.url);

testExamples(
  "README: its server echoes, and ends on Ctrl-C with status 0",
  async () => {
    const { text } = await readPage("README.md");
    const program = text.match(/```ts ignore\n([^]*?)```/)![1]!
      .replace("@pollux/reactor", new URL("mod.ts", ROOT).href)
      .replace("port: 8001", "port: 0");
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, program);
      await using server = startDeno([
        "run",
        "--no-prompt",
        "--allow-ffi",
        file,
      ]);
      const line = await server.line(/^Listening on port \d+$/);
      await echo(Number(line.match(/\d+$/)![0]));
      server.kill("SIGINT");
      const { code, errors, lines } = await server.ending();
      assertEquals({ code, errors, last: lines.at(-1) }, {
        code: 0,
        errors: "",
        last: "Goodbye",
      });
    } finally {
      await Deno.remove(file);
    }
  },
);

/** Sends more than the buffers of the kernel hold, and reads it back. */
async function echo(port: number): Promise<void> {
  const sent = new Uint8Array(8 * 1024 * 1024).map((_, index) => index % 251);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const writing = (async () => {
    for (let at = 0; at < sent.length;) {
      at += await connection.write(sent.subarray(at));
    }
    await connection.closeWrite();
  })();
  const received = await new Response(connection.readable).bytes();
  await writing;
  assertEquals(received, sent);
}

Deno.test("README: it has the program, its output and the commands of a new machine", async () => {
  const { text } = await readPage("README.md");
  assertMatch(text, /^Listening on port 8001$/m);
  assertMatch(text, /^\^CGoodbye$/m);
  assertMatch(text, /^npx --yes deno@[\d.]+ run .* examples\/demo.ts$/m);
  assertMatch(text, /^npx --yes deno@[\d.]+ task test/m);
});
