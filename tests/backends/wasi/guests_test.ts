/**
 * Real guests, as their compilers make them, under the very command of the
 * documentation.
 */

import { assertEquals } from "@std/assert";
import { build } from "../../../examples/wasi_echo/build.ts";
import { bytesOf, denoProgram, test } from "../../util.ts";

const RUN = new URL("../../../examples/wasi_echo/run.ts", import.meta.url);
const RUST = new URL("../../../examples/wasi_echo/echo.rs", import.meta.url);

const directory = await Deno.makeTempDir();
globalThis.addEventListener(
  "unload",
  () => Deno.removeSync(directory, { recursive: true }),
);

/** Compiles the server in Rust, or says why it cannot be done. */
async function buildRust(output: string): Promise<true | string> {
  const rustc = Deno.env.get("RUSTC") ?? "rustc";
  let reason = "";
  for (const target of ["wasm32-wasip1", "wasm32-wasi"]) {
    try {
      const args = ["--target", target, "-O", "-o", output, RUST.pathname];
      const { success, stderr } = await new Deno.Command(rustc, { args })
        .output();
      if (success) return true;
      reason = new TextDecoder().decode(stderr);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return `no ${rustc}`;
    }
  }
  return reason;
}

/** Starts a program on a port of the system's choice, and says hello to it. */
async function greet(program: string, mode: string): Promise<string[]> {
  const child = new Deno.Command(denoProgram(), {
    args: [
      ...["run", "--no-check", "--allow-ffi", "--allow-read", RUN.pathname],
      ...["--port", "0", "--mode", mode, program],
    ],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    const port = await portOf(child.stderr);
    const answers: string[] = [];
    for (const greeting of ["hello", "and again"]) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(bytesOf(greeting));
      const buffer = new Uint8Array(64);
      const count = await connection.read(buffer);
      answers.push(new TextDecoder().decode(buffer.slice(0, count ?? 0)));
    }
    return answers;
  } finally {
    child.kill("SIGKILL");
    await child.stderr.cancel();
    await child.status;
  }
}

/** The port that a program says it serves. */
async function portOf(stderr: ReadableStream<Uint8Array>): Promise<number> {
  let text = "";
  // Deno has more to say there later: that WASI is experimental.
  for await (const chunk of stderr.values({ preventCancel: true })) {
    text += new TextDecoder().decode(chunk);
    const match = /127\.0\.0\.1:(\d+)/.exec(text);
    if (match !== null) return Number(match[1]);
  }
  throw new Error(`The program said: ${text}`);
}

for (
  const [language, compile] of [["C", build], ["Rust", buildRust]] as const
) {
  const program = `${directory}/${language}.wasm`;
  const result = await compile(program);
  const reason = result === true
    ? ""
    : ` (ignored: ${result.split("\n")[0]!.slice(0, 80)})`;
  for (const mode of ["run", "serve"]) {
    test(
      `an echo server in ${language} serves under ${mode}()${reason}`,
      async () => {
        assertEquals(await greet(program, mode), ["hello", "and again"]);
      },
      { ignore: result !== true },
    );
  }
}
