/**
 * Runs a WASI program that serves a listener, such as the echo server in C of this
 * directory:
 *
 * ```sh
 * clang --target=wasm32-wasi --sysroot=/usr -O2 -o echo.wasm examples/wasi_echo/echo.c
 * deno run --allow-ffi --allow-read examples/wasi_echo/run.ts echo.wasm
 * ```
 *
 * Then, from another terminal:
 *
 * ```sh
 * nc 127.0.0.1 8001
 * ```
 *
 * With `--mode run` the program blocks the thread while it waits. With
 * `--mode serve`, the default, it is suspended. With `--nonblocking` the listener
 * starts with NONBLOCK, which some programs expect.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { formatAddress } from "../../backends/ffi/mod.ts";
import { WasiHost } from "../../adapters/wasi/mod.ts";
import {
  main,
  onInterrupt,
  orRefuse,
  parsePort,
  refuse,
} from "../command_line.ts";
import { listen } from "../peer.ts";

const USAGE =
  "Usage: run.ts [--port N] [--mode run|serve] [--nonblocking] PROGRAM [ARG...]";

interface Arguments {
  readonly port: number;
  readonly mode: "run" | "serve";
  readonly nonblocking: boolean;
  /** The path of the program, and its arguments. */
  readonly args: readonly [path: string, ...string[]];
}

function parse(): Arguments {
  const { values: { port, mode, nonblocking }, positionals } = parseArgs({
    options: {
      port: { type: "string", default: "8001" },
      mode: { type: "string", default: "serve" },
      nonblocking: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [path, ...rest] = positionals;
  if (path === undefined) throw new TypeError(USAGE);
  if (mode !== "run" && mode !== "serve") {
    throw new TypeError(`Cannot use mode "${mode}": it must be run or serve`);
  }
  return { port: parsePort(port), mode, nonblocking, args: [path, ...rest] };
}

/** A missing file or an invalid program ends this one as a bad argument does. */
async function compile(path: string): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    refuse(`Cannot run "${path}": ${(error as Error).message}`);
  }
}

await main(async () => {
  const { port, mode, nonblocking, args } = orRefuse(parse);
  const program = await compile(args[0]);
  using listener = listen({ hostname: "127.0.0.1", port });
  const host = new WasiHost({ args, sockets: [listener], nonblocking });
  const address = formatAddress(listener.localAddress);
  // The exit status of a program that Ctrl-C has ended.
  if (mode === "serve") onInterrupt(() => Deno.exit(130));
  console.error(`Serving ${address}; try: nc ${address.replace(":", " ")}`);
  Deno.exit(mode === "run" ? host.run(program) : await host.serve(program));
});
