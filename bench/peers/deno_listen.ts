/**
 * Servers on the network API of Deno.
 *
 * @module
 */

import { type Mode, type Peer, program } from "./peer.ts";

const programs: Readonly<Record<Mode, string>> = {
  "echo": "deno_listen_echo.ts",
  "datagram": "deno_listen_datagram.ts",
  "fan-out": "deno_listen_fan_out.ts",
};

/** `Deno.listen`, and `Deno.listenDatagram` for UDP. */
export const denoListen: Peer = {
  name: "Deno.listen",
  modes: ["echo", "fan-out"],
  available: () => Promise.resolve(true),
  command: (mode, port) => [
    Deno.execPath(),
    "run",
    "--allow-net",
    "--unstable-net",
    program(programs[mode]),
    String(port),
  ],
};
