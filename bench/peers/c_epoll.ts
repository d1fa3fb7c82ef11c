/**
 * Raw epoll in C, the yardstick of all other servers.
 *
 * @module
 */

import { compile, compiled, compilerVersion } from "../compile.ts";
import type { Mode, Peer } from "./peer.ts";

const sources: Readonly<Record<Mode, string>> = {
  "echo": "peers/c_epoll_echo.c",
  "datagram": "peers/c_epoll_datagram.c",
  "fan-out": "peers/c_epoll_fan_out.c",
};

/** Raw epoll in C. */
export const cEpoll: Peer = {
  name: "C epoll",
  modes: ["echo", "datagram", "fan-out"],
  async available(): Promise<true | string> {
    for (const mode of cEpoll.modes) {
      const result = await compile(sources[mode]);
      if (result !== true) return result;
    }
    return true;
  },
  version: compilerVersion,
  command: (mode, port) => [compiled(sources[mode]), String(port)],
};
