/**
 * Compiles the echo server in C for WASI:
 *
 * ```sh
 * deno run --allow-read --allow-run=clang examples/wasi_echo/build.ts echo.wasm
 * ```
 *
 * It needs clang, its linker and a libc for WASI. On Debian:
 *
 * ```sh
 * apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
 * ```
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("echo.c", import.meta.url));

/** The options of clang, for the paths of Debian's libc. */
const FLAGS = ["--target=wasm32-wasi", "--sysroot=/usr", "-O2", "-Wall"];

/**
 * Compiles the server.
 *
 * @param output The path of the program
 * @returns true, or the reason why it failed
 */
export async function build(output: string): Promise<true | string> {
  try {
    const { success, stderr } = await new Deno.Command("clang", {
      args: [...FLAGS, "-o", output, SOURCE],
    }).output();
    return success || new TextDecoder().decode(stderr).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no clang";
    throw error;
  }
}

if (import.meta.main) {
  const result = await build(Deno.args[0] ?? "echo.wasm");
  if (result !== true) {
    console.error(result);
    Deno.exit(1);
  }
}
