/**
 * Node.js's own modules, in Node.js and in Deno.
 *
 * @module
 */

import { firstLine, type Mode, type Peer, program, which } from "./peer.ts";

const programs: Readonly<Record<Mode, string>> = {
  "echo": "node_net_echo.mjs",
  "datagram": "node_net_datagram.mjs",
  "fan-out": "node_net_fan_out.mjs",
};

const modes: readonly Mode[] = ["echo", "fan-out"];

/** `node:net` and `node:dgram` in Deno. */
export const nodeNetInDeno: Peer = {
  name: "node:net in Deno",
  modes,
  available: () => Promise.resolve(true),
  command: (mode, port) => [
    Deno.execPath(),
    "run",
    "-A",
    program(programs[mode]),
    String(port),
  ],
};

/** Node.js. */
export const node: Peer = {
  name: "Node.js",
  modes,
  version: async () => `Node.js ${await firstLine("node", "--version")}`,
  available: async () => await which("node") !== null || "no node",
  command: (mode, port) => ["node", program(programs[mode]), String(port)],
};
