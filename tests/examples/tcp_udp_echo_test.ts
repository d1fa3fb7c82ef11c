/** One port, two protocols, and no conversation of servers with each other. */

import { assertEquals } from "@std/assert";
import { type InternetAddress, Socket } from "../../mod.ts";
import { assertFailed, type Program } from "../program.ts";
import { bytesOf, eventually } from "../util.ts";
import { absence, startExample, testExamples } from "./start.ts";
import { askInPython, netcatAbsence, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

function startServer(): Program {
  return startExample("tcp_udp_echo", ["--port", "0"]);
}

testExamples("tcp_udp_echo answers nc over TCP and UDP at once", async () => {
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
}, netcatAbsence);

for (const protocol of ["tcp", "udp"] as const) {
  testExamples(`tcp_udp_echo answers Python over ${protocol}`, async () => {
    await using server = startServer();
    const port = await server.port();
    // Over UDP the largest that fits comes back whole, and so does nothing.
    const message = "0123456789".repeat(6500);
    for (const text of protocol === "udp" ? [message, ""] : [message]) {
      assertEquals(await askInPython(protocol, port, text), bytesOf(text));
    }
  }, absence.python);
}

testExamples("tcp_udp_echo does not answer another of its kind", async () => {
  await using server = startServer();
  const port = await server.port();
  using forged = Socket.create("IPv4", "datagram");
  forged.bind({ hostname: "127.0.0.2", port });
  forged.sendTo(bytesOf("answer me for ever"), { hostname: HOST, port });
  using honest = Socket.create("IPv4", "datagram");
  honest.sendTo(bytesOf("answer me"), { hostname: HOST, port });
  const buffer = new Uint8Array(100);
  await eventually(() => honest.recvFrom(buffer) !== null, "the answer");
  // It would have come before.
  assertEquals(forged.recvFrom(buffer), null);
}, absence.proc && "only Linux has 127.0.0.2");

testExamples("tcp_udp_echo: a port that UDP lacks is one line", async () => {
  using holder = Socket.create("IPv4", "datagram");
  holder.bind({ hostname: HOST, port: 0 });
  const { port } = holder.localAddress as InternetAddress;
  await using program = startExample("tcp_udp_echo", ["--port", `${port}`]);
  const ending = await program.ending();
  const line =
    `^${HOST}:${port}: Address already in use \\(os error \\d+\\)\n$`;
  assertFailed(ending, 1, new RegExp(line));
  assertEquals(ending.lines, []);
});

const rawAbsence = await runPortZero() ? undefined : "raw sockets need a right";

testExamples(
  "tcp_udp_echo writes no line for a datagram from port 0",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await runPortZero(port);
    assertEquals(await askInPython("udp", port, "?"), bytesOf("?"));
    server.kill("SIGKILL");
    assertEquals((await server.ending()).errors, "");
  },
  absence.python ?? rawAbsence,
);

/** Returns whether it could send. */
async function runPortZero(...ports: number[]): Promise<boolean> {
  if (absence.python !== undefined) return false;
  const script = new URL("python/port_zero.py", import.meta.url).pathname;
  const args = [script, ...ports.map(String)];
  const { success } = await new Deno.Command("python3", { args }).output();
  return success;
}
