/**
 * One program on two networks: Deno's own, and the reactor's `reactor.net`. Deno's
 * own runs twice: how far the second is from the first is what the machine adds.
 *
 * @module
 */

import { type Peer, program } from "./peer.ts";

/** The argument of the program, and what tables call it. */
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
  const denos = `Deno.listen, ${title}`;
  const onDeno = (name: string): Peer =>
    echo(name, denos, "--allow-net", "deno_listen_echo.ts", way);
  return [
    onDeno(denos),
    onDeno(`${denos}, again`),
    echo(
      `reactor.net, ${title}`,
      denos,
      "--allow-ffi",
      "reactor_net_echo.ts",
      way,
    ),
  ];
}

/** All of them: each way on Deno's network, on it once more, and on the reactor's. */
export const asDenoHasIt: readonly Peer[] = Object.entries(ways).flatMap(
  servers,
);
