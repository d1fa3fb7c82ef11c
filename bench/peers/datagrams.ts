/**
 * Servers that send datagrams back. Their ratios refer to plain `recvfrom` and `sendto`
 * in C, which runs twice, as a control.
 *
 * @module
 */

import { compile, compiled, compilerVersion } from "../compile.ts";
import { bun } from "./bun.ts";
import { denoListen } from "./deno_listen.ts";
import { compiledGo, compileGo, goVersion } from "./go.ts";
import { node } from "./node_net.ts";
import { again, type Group, type Peer, program } from "./peer.ts";
import { uvloop } from "./python.ts";

const YARDSTICK = "C recvfrom";

/** The members that all of these servers share. */
const datagrams = {
  group: "datagrams" satisfies Group as Group,
  unit: YARDSTICK,
  modes: ["datagram"],
} as const;

function inC(name: string, source: string): Peer {
  return {
    ...datagrams,
    name,
    available: () => compile(source),
    version: compilerVersion,
    command: (_mode, port) => [compiled(source), String(port)],
  };
}

/** The reactor. @param options Those of `reactor.datagram()` that are true */
function pollux(
  how: "run" | "serve",
  name: string,
  ...options: string[]
): Peer {
  return {
    ...datagrams,
    name: `Pollux ${how}(), ${name}`,
    available: () => Promise.resolve(true),
    command: (_mode, port) => [
      ...[Deno.execPath(), "run", "--allow-ffi"],
      ...[program("pollux_datagram.ts"), how, String(port), ...options],
    ],
  };
}

const GO_SOURCE = "go_datagram.go";

const goConn: Peer = {
  ...datagrams,
  name: "Go UDPConn",
  available: () => compileGo(GO_SOURCE),
  version: goVersion,
  command: (_mode, port) => [compiledGo(GO_SOURCE), String(port)],
};

/** Another runtime's server, by the name of its API. */
function other(name: string, peer: Peer): Peer {
  return { ...peer, ...datagrams, name };
}

const cRecvfrom = inC(YARDSTICK, "peers/udp_recvfrom.c");

/** The servers, of which the first is the yardstick. */
export const datagramPeers: readonly Peer[] = [
  cRecvfrom,
  again(cRecvfrom),
  inC("C recvmmsg", "peers/udp_recvmmsg.c"),
  inC("C GRO and GSO", "peers/udp_offload.c"),
  pollux("run", "own chunks"),
  pollux("serve", "own chunks"),
  pollux("run", "reuseBuffer", "reuseBuffer"),
  pollux("serve", "reuseBuffer", "reuseBuffer"),
  pollux("run", "offload", "reuseBuffer", "offload"),
  pollux("serve", "offload", "reuseBuffer", "offload"),
  other("Deno.listenDatagram", denoListen),
  other("Node.js node:dgram", node),
  other("Bun.udpSocket", bun),
  goConn,
  other("uvloop", uvloop),
];
