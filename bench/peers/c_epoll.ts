/**
 * Raw epoll in C, the yardstick of all other servers.
 *
 * @module
 */

import { compile, compiled, compilerVersion } from "../compile.ts";
import type { Peer } from "./peer.ts";

const ECHO = "peers/c_epoll_echo.c";
const FAN_OUT = "peers/c_epoll_fan_out.c";

/** Raw epoll in C. */
export const cEpoll: Peer = {
  name: "C epoll",
  modes: ["echo", "fan-out"],
  async available(): Promise<true | string> {
    const result = await compile(ECHO);
    return result === true ? await compile(FAN_OUT) : result;
  },
  version: compilerVersion,
  command: (mode, port) => [
    compiled(mode === "echo" ? ECHO : FAN_OUT),
    String(port),
  ],
};
