/**
 * `WasiSelector` on the `node:wasi` of the machine's Node.js, which supports clocks
 * and standard streams. It does not support regular files (EPERM of libuv), closed
 * numbers, and sockets.
 */

import { assertEquals } from "@std/assert";
import { test } from "../../util.ts";

/** The parts of Deno that the selector's modules use when they are loaded. */
const SHIM = `
globalThis.Deno = {
  build: { os: "linux", arch: "x86_64" },
  errors: new Proxy({}, { get: () => Error }),
};
Symbol.dispose ??= Symbol("dispose");
`;

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const directory = await Deno.makeTempDir();
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(directory, { recursive: true }),
);
const bundle = `${directory}/program.mjs`;
await Deno.writeTextFile(`${directory}/shim.cjs`, SHIM);
const program = new URL("node_program.ts", import.meta.url).pathname;

const reason = !await succeeds("node", ["--version"])
  ? " (ignored: no Node.js)"
  : !await succeeds(Deno.execPath(), ["bundle", "--output", bundle, program])
  ? " (ignored: deno bundle does not work here)"
  : "";

test(
  `WasiSelector: it waits on the node:wasi of Node.js${reason}`,
  async () => {
    const child = new Deno.Command("node", {
      args: ["--no-warnings", "--require", `${directory}/shim.cjs`, bundle],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    let text = "";
    for await (
      const chunk of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const waits = !text.includes("waiting");
      text += chunk;
      if (waits && text.includes("waiting")) {
        await input.write(new TextEncoder().encode("x"));
      }
    }
    await input.close();
    assertEquals((await child.status).code, 0);
    assertEquals(text.split("\n"), [
      "timeout: ",
      "in time: true",
      "idle: ",
      "waiting",
      "input: stdin 1",
      "output: stdout 2",
      "",
    ]);
  },
  { ignore: reason !== "" },
);
