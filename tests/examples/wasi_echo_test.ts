/** A failure of the WASI host is one line, and a status. */

import { assertFailed, type Program } from "../program.ts";
import {
  assertPortInUse,
  startExample,
  testExamples,
  textOfSystem,
} from "./start.ts";

const MISSING = textOfSystem("No such file or directory");

const HOST = "127.0.0.1";

const PERMISSIONS = ["--allow-ffi", "--allow-read"];

/** An empty program: the magic number, and the version. */
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

function start(...args: string[]): Program {
  return startExample("wasi_echo/run", args, PERMISSIONS);
}

const BAD_ARGUMENTS: readonly (readonly [command: string, line: RegExp])[] = [
  ["", /^Usage: run.ts /],
  ["--port 70000 echo.wasm", /^Cannot use port "70000"/],
  ["--mode fast echo.wasm", /^Cannot use mode "fast"/],
  ["--edge echo.wasm", /--edge/],
  ["nowhere.wasm", new RegExp(`^Cannot run "nowhere.wasm": ${MISSING}`)],
  ["deno.json", /^Cannot run "deno.json": WebAssembly.compile/],
];

for (const [command, line] of BAD_ARGUMENTS) {
  testExamples(
    `wasi_echo/run ${command || "alone"} is one line, and status 2`,
    async () => {
      const args = command.split(" ").filter((word) => word !== "");
      await using program = start(...args);
      assertFailed(await program.ending(), 2, line);
    },
  );
}

testExamples(
  "wasi_echo/run: a port in use is one line, and status 1",
  async () => {
    using holder = Deno.listen({ hostname: HOST, port: 0 });
    const file = await Deno.makeTempFile({ suffix: ".wasm" });
    try {
      await Deno.writeFile(file, EMPTY);
      const { port } = holder.addr;
      await using program = start("--port", `${port}`, file);
      assertPortInUse(await program.ending(), port);
    } finally {
      await Deno.remove(file);
    }
  },
);

testExamples(
  "wasi_echo/run: without a permission it names the permission, in one line",
  async () => {
    await using program = startExample("wasi_echo/run", ["deno.json"], [
      "--allow-ffi",
    ]);
    assertFailed(await program.ending(), 1, /--allow-read/);
  },
);
