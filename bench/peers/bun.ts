/**
 * Bun. With `--install` npm installs it into the user's cache, outside the repository.
 *
 * @module
 */

import {
  firstLine,
  type Mode,
  type Peer,
  program,
  userCache,
  which,
} from "./peer.ts";

const programs: Readonly<Record<Mode, string>> = {
  "echo": "bun_echo.mjs",
  "datagram": "bun_datagram.mjs",
  "fan-out": "bun_fan_out.mjs",
};

/** The command that works; `available` sets it. */
let command = "bun";

function installed(): string {
  return `${userCache()}/node_modules/bun/bin/bun.exe`;
}

async function works(candidate: string): Promise<boolean> {
  return await firstLine(candidate, "--version") !== "";
}

/** `Bun.listen`, and `Bun.udpSocket` for UDP. */
export const bun: Peer = {
  name: "Bun",
  modes: ["echo", "fan-out"],
  async available(): Promise<true | string> {
    for (const candidate of ["bun", installed()]) {
      if (!await works(candidate)) continue;
      command = candidate;
      return true;
    }
    return "no bun (--install installs it from npm)";
  },
  async install(): Promise<void> {
    if (await works("bun") || await works(installed())) return;
    if (await which("npm") === null) return;
    await Deno.mkdir(userCache(), { recursive: true });
    await new Deno.Command("npm", {
      args: [
        "install",
        "--no-fund",
        "--no-audit",
        "--prefix",
        userCache(),
        "bun",
      ],
      stdout: "null",
    }).output();
  },
  version: async () => `Bun ${await firstLine(command, "--version")}`,
  command: (mode, port) => [command, program(programs[mode]), String(port)],
};
