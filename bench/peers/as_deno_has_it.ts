/**
 * One program on two networks: Deno's own, and `reactor.net`. Deno's own runs twice, as
 * a control.
 *
 * @module
 */

import { again, type Peer, program } from "./peer.ts";

/** The arguments of the program, with their names in tables. */
const ways = { loop: "read and write", pipe: "pipeTo" } as const;

function echo(
  name: string,
  unit: string,
  permission: string,
  file: string,
  way: string,
): Peer {
  return {
    name,
    unit,
    group: "as Deno has it",
    modes: ["echo"],
    available: () => Promise.resolve(true),
    command: (_mode, port) => [
      Deno.execPath(),
      "run",
      permission,
      program(file),
      String(port),
      way,
    ],
  };
}

/** The servers of one way. */
function servers([way, title]: [string, string]): Peer[] {
  const unit = `Deno.listen, ${title}`;
  const denos = echo(unit, unit, "--allow-net", "deno_listen_echo.ts", way);
  return [
    denos,
    again(denos),
    echo(
      `reactor.net, ${title}`,
      unit,
      "--allow-ffi",
      "reactor_net_echo.ts",
      way,
    ),
  ];
}

/** `reactor.net` among the servers without a group. */
export const reactorNet: Peer = {
  name: "reactor.net",
  modes: ["echo"],
  available: () => Promise.resolve(true),
  command: (_mode, port) => [
    ...[Deno.execPath(), "run", "--allow-ffi"],
    ...[program("reactor_net_echo.ts"), String(port), "loop"],
  ],
};

/** Each way on Deno's network, on it once more, and on the reactor's. */
export const asDenoHasIt: readonly Peer[] = Object.entries(ways).flatMap(
  servers,
);
