/** A failure of a program on the reactor is one line, and a status. */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { assertFailed, type Program } from "../program.ts";
import { bytesOf, nextTurn } from "../util.ts";
import {
  assertInterrupted,
  assertPortInUse,
  CHAT_CLIENT_PERMISSIONS,
  freePort,
  startExample,
  startInConsole,
  startServices,
  testExamples,
  textOfSystem,
} from "./start.ts";

const HOST = "127.0.0.1";

for (const name of ["reactor_server", "tcp_udp_echo", "chat"]) {
  testExamples(`${name}: a port in use is one line, and status 1`, async () => {
    using holder = Deno.listen({ hostname: HOST, port: 0 });
    const { port } = holder.addr;
    await using program = startExample(name, ["--port", `${port}`]);
    assertPortInUse(await program.ending(), port);
  });

  testExamples(`${name}: Ctrl-C ends it without a message`, async () => {
    await using program = startInConsole(name, ["--port", "0"]);
    using _client = await Deno.connect({ port: await program.port() });
    await endsByCtrlC(program);
  });
}

for (const leaves of [true, false]) {
  const when = leaves ? "when its client ends" : "although its client stays";
  testExamples(
    `echo --mode serve: Ctrl-C ends it with status 0, ${when}`,
    async () => {
      const args = ["--mode", "serve", "--port", "0"];
      await using program = startInConsole("echo", args);
      const port = await program.port();
      using client = await Deno.connect({ port });
      await echo(client);
      await program.interrupt();
      while (await isAccepted(port)) await nextTurn();
      if (leaves) {
        // The open connection may continue for a while.
        await echo(client);
        await client.closeWrite();
      }
      const { code, errors } = await program.ending();
      assertEquals({ code, errors }, { code: 0, errors: "" });
    },
  );
}

async function echo(client: Deno.TcpConn): Promise<void> {
  await client.write(bytesOf("still there?"));
  assertEquals(await client.read(new Uint8Array(100)), 12);
}

async function isAccepted(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ port })).close();
    return true;
  } catch (error) {
    // The close of a listener resets connections in its backlog.
    if (error instanceof Deno.errors.ConnectionReset) return false;
    assertInstanceOf(error, Deno.errors.ConnectionRefused);
    return false;
  }
}

async function endsByCtrlC(program: Program): Promise<void> {
  await program.interrupt();
  assertInterrupted(await program.ending());
}

testExamples("services: Ctrl-C ends it without a message", async () => {
  await using services = await startServices(startInConsole);
  await endsByCtrlC(services.program);
});

testExamples("services: a port in use is one line, and status 1", async () => {
  using holder = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = holder.addr;
  // The first service is echo, at the base port plus 7.
  const args = ["--base-port", `${port - 7}`];
  await using program = startExample("services", args);
  assertPortInUse(await program.ending(), port);
});

testExamples(
  "chat: a refused connection is one line, and status 1",
  async () => {
    const port = freePort();
    const args = ["--connect", "--port", `${port}`];
    await using client = startExample("chat", args, CHAT_CLIENT_PERMISSIONS);
    const text = textOfSystem("Connection refused");
    const line = `^${text} \\(os error \\d+\\): connect ${HOST}:${port}\n$`;
    assertFailed(await client.ending(), 1, new RegExp(line));
  },
);

testExamples("many_servers_client: Ctrl-C ends it while it waits", async () => {
  using silent = Deno.listen({ hostname: HOST, port: 0 });
  const args = [`${HOST}:${silent.addr.port}`];
  await using client = startInConsole("many_servers_client", args);
  using _connection = await silent.accept();
  await endsByCtrlC(client);
});

const BAD_ARGUMENTS: readonly (readonly [command: string, line: RegExp])[] = [
  ["reactor_server --port 70000", /^Cannot use port "70000"/],
  ["reactor_server 8001", /8001/],
  ["tcp_udp_echo --host nowhere", /^Cannot use host "nowhere"/],
  ["tcp_udp_echo --udp", /--udp/],
  ["demo --port 70000", /^Cannot use port "70000"/],
  ["demo 8001", /8001/],
  ["chat --port x --connect", /^Cannot use port "x"/],
  ["chat --connect=somewhere", /--connect/],
  ["services --base-port -1", /--base-port/],
  ["services --base-port 65500", /^Cannot use port "65537"/],
  ["services --host nowhere", /^Cannot use host "nowhere"/],
  ["services --port 8001", /--port/],
  ["many_servers_client", /^Cannot ask without a server/],
  ["many_servers_client nowhere", /^Cannot ask "nowhere"/],
  ["many_servers_client nowhere:80", /^Cannot use host "nowhere"/],
  ["many_servers_client 127.0.0.1:", /^Cannot use port ""/],
  ["many_servers_client 127.0.0.1:8001 --port 1", /--port/],
];

for (const [command, line] of BAD_ARGUMENTS) {
  testExamples(`${command} is one line, and status 2`, async () => {
    const [name, ...args] = command.split(" ");
    await using program = startExample(name!, args);
    assertFailed(await program.ending(), 2, line);
  });
}
