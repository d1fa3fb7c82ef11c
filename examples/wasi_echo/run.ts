/**
 * Runs a WASI program that serves a listener, such as the echo server in C
 * beside this file:
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
 * With `--mode run` the program has the thread for itself; with `--mode serve`,
 * which is the default, it shares it with Deno. With `--nonblocking` the listener
 * has NONBLOCK from the start, for programs that count on it.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { type InternetAddress, Socket } from "../../backends/ffi/mod.ts";
import { WasiHost } from "../../backends/wasi/mod.ts";
import { main } from "../command_line.ts";

const { values, positionals: args } = parseArgs({
  options: {
    port: { type: "string", default: "8001" },
    mode: { type: "string", default: "serve" },
    nonblocking: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const [path] = args;
if (path === undefined) {
  console.error(
    "Usage: run.ts [--port N] [--mode run|serve] [--nonblocking] PROGRAM [ARG...]",
  );
  Deno.exit(2);
}

await main(async () => {
  using listener = Socket.create("IPv4", "stream");
  listener.setOption("reuseAddress", true);
  listener.bind({ hostname: "127.0.0.1", port: Number(values.port) });
  listener.listen();
  const { hostname, port } = listener.localAddress as InternetAddress;

  const program = await WebAssembly.compile(await Deno.readFile(path));
  const { nonblocking } = values;
  const host = new WasiHost({ args, sockets: [listener], nonblocking });
  console.error(`Serving ${hostname}:${port}; try: nc ${hostname} ${port}`);
  Deno.exit(
    values.mode === "run" ? host.run(program) : await host.serve(program),
  );
});
