/**
 * A WASI program on our host: the echo server of `examples/wasi_echo`, in both
 * ways of running.
 *
 * @module
 */

import { build } from "../../examples/wasi_echo/build.ts";
import { type Peer, program } from "./peer.ts";

let output: string | undefined;

/** Where the program is, once it is compiled; it goes away with the benchmark. */
function compiled(): string {
  if (output !== undefined) return output;
  output = Deno.makeTempFileSync({ suffix: ".wasm" });
  globalThis.addEventListener("unload", () => Deno.removeSync(output!));
  return output;
}

function guest(mode: "run" | "serve"): Peer {
  return {
    name: `WASI guest in C, ${mode}()`,
    modes: ["echo"],
    available: () => build(compiled()),
    command: (_mode, port) => [
      Deno.execPath(),
      "run",
      "--allow-ffi",
      "--allow-read",
      program("../../examples/wasi_echo/run.ts"),
      ...["--mode", mode, "--port", String(port), compiled()],
    ],
  };
}

/** The program that keeps its thread while it waits. */
export const wasiRun: Peer = guest("run");
/** The program that is suspended while it waits. */
export const wasiServe: Peer = guest("serve");
