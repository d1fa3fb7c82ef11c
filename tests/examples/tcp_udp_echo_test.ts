/** An echo server over TCP and UDP, which does not answer other servers. */

import { assertEquals } from "@std/assert";
import { type InternetAddress, Socket } from "../../mod.ts";
import type { Program } from "../program.ts";
import { bytesOf, eventually } from "../util.ts";
import {
  absence,
  assertPortInUse,
  startExample,
  testExamples,
} from "./start.ts";
import { ask, language, netcat, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

function startServer(): Program {
  return startExample("tcp_udp_echo", ["--port", "0"]);
}

testExamples(
  `tcp_udp_echo answers ${netcat} over TCP and UDP at once`,
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using stream = startNetcat(HOST, port);
    await using datagrams = startNetcat("-u", HOST, port);
    for (const round of ["first", "second"]) {
      await stream.type(`${round} of the stream\n`);
      await datagrams.type(`${round} message\n`);
      await stream.shows(`${round} of the stream\n`);
      await datagrams.shows(`${round} message\n`);
    }
  },
);

for (const protocol of ["tcp", "udp"] as const) {
  testExamples(
    `tcp_udp_echo answers ${language} over ${protocol}`,
    async () => {
      await using server = startServer();
      const port = await server.port();
      // Over UDP: a message of nearly the maximum size, and an empty one.
      const message = "0123456789".repeat(6500);
      for (const text of protocol === "udp" ? [message, ""] : [message]) {
        assertEquals(await ask(protocol, port, text), bytesOf(text));
      }
    },
  );
}

testExamples("tcp_udp_echo does not answer another echo server", async () => {
  await using server = startServer();
  const port = await server.port();
  using forged = Socket.create("IPv4", "datagram");
  forged.bind({ hostname: "127.0.0.2", port });
  forged.sendTo(bytesOf("answer me for ever"), { hostname: HOST, port });
  using client = Socket.create("IPv4", "datagram");
  client.sendTo(bytesOf("answer me"), { hostname: HOST, port });
  const buffer = new Uint8Array(100);
  await eventually(() => client.recvFrom(buffer) !== null, "the answer");
  // An answer to this one would have come first.
  assertEquals(forged.recvFrom(buffer), null);
}, absence.proc && "only Linux has 127.0.0.2");

testExamples(
  "tcp_udp_echo: a UDP port in use is one line, and status 1",
  async () => {
    using holder = Socket.create("IPv4", "datagram");
    holder.bind({ hostname: HOST, port: 0 });
    const { port } = holder.localAddress as InternetAddress;
    await using program = startExample("tcp_udp_echo", ["--port", `${port}`]);
    assertPortInUse(await program.ending(), port);
  },
);

const rawAbsence = await runPortZero()
  ? undefined
  : "raw sockets need CAP_NET_RAW";

testExamples(
  "tcp_udp_echo reports no error for a datagram from port 0",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await runPortZero(port);
    assertEquals(await ask("udp", port, "?"), bytesOf("?"));
    server.kill("SIGKILL");
    assertEquals((await server.ending()).errors, "");
  },
  absence.python ?? rawAbsence,
);

/** Sends datagrams from port 0. Returns whether that is permitted. */
async function runPortZero(...ports: number[]): Promise<boolean> {
  if (absence.python !== undefined) return false;
  const script = new URL("python/port_zero.py", import.meta.url).pathname;
  const args = [script, ...ports.map(String)];
  const { success } = await new Deno.Command("python3", { args }).output();
  return success;
}
