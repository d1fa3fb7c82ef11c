/**
 * Event loops of C programs.
 *
 * @module
 */

import { compile, compiled } from "../compile.ts";
import type { Peer } from "./peer.ts";

function library(name: string, source: string, flag: string): Peer {
  return {
    name,
    modes: ["echo"],
    available: () => compile(source, flag),
    command: (_mode, port) => [compiled(source), String(port)],
  };
}

/** libuv, the loop of Node.js. */
export const libuv: Peer = library("C libuv", "peers/libuv_echo.c", "-luv");

/** libevent, with its buffers. */
export const libevent: Peer = library(
  "C libevent",
  "peers/libevent_echo.c",
  "-levent",
);
