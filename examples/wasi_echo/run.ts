/**
 * Runs a WASI program that serves a listener, here the echo server beside this
 * file, written in C:
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
 * The program, and whatever follows its name, are the program's arguments.
 */

import { Socket } from "../../backends/ffi/mod.ts";
import { WasiHost } from "../../backends/wasi/mod.ts";

const PORT = 8001;

if (Deno.args.length === 0) {
  console.error("Usage: run.ts PROGRAM.wasm [ARGUMENT...]");
  Deno.exit(2);
}

using listener = Socket.create("IPv4", "stream");
listener.setOption("reuseAddress", true);
listener.bind({ hostname: "127.0.0.1", port: PORT });
listener.listen();
console.error(`Serving 127.0.0.1:${PORT}; try: nc 127.0.0.1 ${PORT}`);

const program = await WebAssembly.compile(await Deno.readFile(Deno.args[0]!));
const host = new WasiHost({ args: Deno.args, sockets: [listener] });
Deno.exit(await host.serve(program));
