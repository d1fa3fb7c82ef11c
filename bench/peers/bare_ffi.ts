/**
 * The same calls as in C, from TypeScript, with nothing in between.
 *
 * @module
 */

import { type Peer, program } from "./peer.ts";

/** The bare loop over the C library. */
export const bareFfi: Peer = {
  name: "bare FFI",
  modes: ["echo"],
  available: () =>
    Promise.resolve(Deno.build.os === "linux" || "epoll is Linux's"),
  command: (_mode, port) => [
    Deno.execPath(),
    "run",
    "--allow-ffi",
    program("bare_ffi_echo.ts"),
    String(port),
  ],
};
