/**
 * The calls of the server in C, from TypeScript, without Pollux.
 *
 * @module
 */

import { type Peer, program } from "./peer.ts";

/** A loop over the C library in TypeScript. */
export const bareFfi: Peer = {
  name: "bare FFI",
  modes: ["echo"],
  available: () =>
    Promise.resolve(Deno.build.os === "linux" || "only Linux has epoll"),
  command: (_mode, port) => [
    Deno.execPath(),
    "run",
    "--allow-ffi",
    program("bare_ffi_echo.ts"),
    String(port),
  ],
};
