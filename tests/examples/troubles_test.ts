/** Failures that do not end a server, and those that end a program with one line. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { system } from "../../backends/ffi/current_system.ts";
import { Socket } from "../../mod.ts";
import { assertFailed, type Program } from "../program.ts";
import { bytesOf } from "../util.ts";
import { connectNarrowly, MOST_TAKEN, sendUntilStopped } from "./flood.ts";
import {
  absence,
  assertIdle,
  assertInterrupted,
  assertPortInUse,
  freePort,
  servers,
  startExample,
  startInConsole,
  startServer,
  testExamples,
  textOfSystem,
} from "./start.ts";

const HOST = "127.0.0.1";

async function connectTo(server: Program): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: HOST, port: await server.port() });
}

async function writeUntil(
  client: Deno.TcpConn,
  condition: () => boolean,
): Promise<void> {
  const chunk = bytesOf("x".repeat(65536));
  while (!condition()) await client.write(chunk);
  await client.closeWrite();
}

async function readToEnd(client: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024 * 1024);
  while (await client.read(buffer) !== null);
}

/** Sends a message, and asserts that it is answered. */
async function assertServes(server: Program): Promise<void> {
  using client = await connectTo(server);
  await client.write(bytesOf("still there?"));
  const reply = `Server received b'still there?'`;
  const buffer = new Uint8Array(reply.length);
  for (let count = 0; count < buffer.length;) {
    const more = await client.read(buffer.subarray(count));
    assert(more !== null, "the server has closed the connection");
    count += more;
  }
  assertEquals(new TextDecoder().decode(buffer), reply);
}

for (const server of servers) {
  const { title, name, args, absent } = server;

  testExamples(
    `${title}: a port in use is one line, and status 1`,
    async () => {
      using holder = Deno.listen({ hostname: HOST, port: 0 });
      const { port } = holder.addr;
      await using program = startExample(name, [...args, "--port", `${port}`]);
      assertPortInUse(await program.ending(), port);
    },
    absent,
  );

  testExamples(`${title}: Ctrl-C ends it without a message`, async () => {
    const options = { hasConsole: true };
    await using program = startServer(server, undefined, options);
    await assertServes(program);
    await program.interrupt();
    assertInterrupted(await program.ending());
  }, absent);

  testExamples(
    `${title}: continues after a client resets its connection`,
    async () => {
      await using program = startServer(server);
      const port = await program.port();
      // Before and after the server has read the message.
      for (const waits of [false, true]) {
        using client = Socket.create();
        client.setBlocking(true);
        client.connect({ hostname: HOST, port });
        client.send(bytesOf(`goodbye ${waits}`));
        if (waits) await program.line(/goodbye true/);
        client.resetOnClose();
      }
      await assertServes(program);
    },
    absent,
  );

  testExamples(
    `${title}: continues after a client closes without reading its replies`,
    async () => {
      await using program = startServer(server);
      using client = connectNarrowly(await program.port());
      await sendUntilStopped(client, MOST_TAKEN);
      client.resetOnClose();
      client.close();
      await assertServes(program);
    },
    absent,
  );

  testExamples(
    `${title}: answers other clients while one sends without end`,
    async () => {
      await using program = startServer(server);
      using loud = await connectTo(program);
      let isOver = false;
      const flood = Promise.all([
        writeUntil(loud, () => isOver),
        readToEnd(loud),
      ]);
      await program.until(() => program.lines.length > 1000);
      await assertServes(program);
      isOver = true;
      await flood;
    },
    absent,
  );

  testExamples(`${title}: continues after urgent data`, async () => {
    await using program = startServer(server);
    using client = Socket.create();
    client.setBlocking(true);
    client.connect({ hostname: HOST, port: await program.port() });
    client.send(bytesOf("!"), 1, system().constants.MSG_OOB);
    await assertServes(program);
    // Select and poll report it, and the server closes. The unread byte causes a reset.
    if (["select_server", "poll_server"].includes(name)) {
      const read = (): number => client.recv(new Uint8Array(1));
      assertThrows(read, Deno.errors.ConnectionReset);
    }
  }, absent);

  testExamples(
    `${title}: bad arguments are one line, and status 2`,
    async () => {
      await using program = startExample(name, [...args, "--port", "70000"]);
      const line = /^Cannot use port "70000": it must be 0 to 65535\n$/;
      assertFailed(await program.ending(), 2, line);
    },
    absent,
  );
}

testExamples("an idle server uses no CPU", async () => {
  await using stack = new AsyncDisposableStack();
  const present = servers.filter(({ absent }) => absent === undefined);
  const programs = present.map((server) => stack.use(startServer(server)));
  for (const program of programs) {
    const silent = stack.use(await connectTo(program));
    await silent.write(bytesOf("this is all"));
    await silent.read(new Uint8Array(100));
  }
  await assertIdle(programs);
}, absence.proc);

testExamples(
  "multi_client: a refused connection is one line, and status 1",
  async () => {
    const port = freePort();
    await using client = startExample("multi_client", ["--port", `${port}`]);
    const ending = await client.ending();
    const text = textOfSystem("Connection refused");
    const line = `^${text} \\(os error \\d+\\): connect ${HOST}:${port}\n$`;
    assertFailed(ending, 1, new RegExp(line));
    assertEquals(ending.lines, [`connecting to ${HOST} port ${port}`]);
  },
);

testExamples("multi_client: Ctrl-C ends it while it waits", async () => {
  using silent = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = silent.addr;
  await using client = startInConsole("multi_client", ["--port", `${port}`]);
  await client.until(() => client.lines.length === 2);
  await client.interrupt();
  assertInterrupted(await client.ending());
});

testExamples(
  "multi_client: continues with the other socket if one is closed",
  async () => {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const { port } = listener.addr;
    await using client = startExample("multi_client", ["--port", `${port}`]);
    const closed = await listener.accept();
    using open = await listener.accept();
    await closed.read(new Uint8Array(100));
    closed.close();
    for (let count = 0; count < 2; count++) {
      await open.read(new Uint8Array(100));
      await open.write(bytesOf("yes"));
    }
    const { code, lines, errors } = await client.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
    const [a, b] = [closed, open].map(({ remoteAddr }) =>
      `('${HOST}', ${(remoteAddr as Deno.NetAddr).port})`
    );
    assertEquals(lines.slice(1), [
      `${a}: sending b'This is '`,
      `${a}: received b''`,
      `${b}: sending b'the message. '`,
      `${b}: received b'yes'`,
      `${b}: sending b'in parts.'`,
      `${b}: received b'yes'`,
    ]);
  },
);

const BAD_ARGUMENTS: readonly (readonly [args: string[], line: RegExp])[] = [
  [["--port", "eighty"], /^Cannot use port "eighty"/],
  [["--port", "-1"], /--port/],
  [["--port"], /--port/],
  [["--host", "999.1.1.1"], /^Cannot use host "999.1.1.1"/],
  [["--host", ""], /^Cannot use host ""/],
  [["--edge"], /--edge/],
  [["8001"], /8001/],
];

for (const [args, line] of BAD_ARGUMENTS) {
  const title = JSON.stringify(args.join(" "));
  testExamples(`multi_client: ${title} is one line, and status 2`, async () => {
    await using client = startExample("multi_client", args);
    assertFailed(await client.ending(), 2, line);
  });
}

testExamples(
  "without its permission an example names it, in one line",
  async () => {
    await using program = startExample("callback_server", [], []);
    const ending = await program.ending();
    assertFailed(ending, 1, /--allow-ffi/);
    assertStringIncludes(ending.errors, "ffi access");
  },
);

const BAD_ECHOES: typeof BAD_ARGUMENTS = [
  [["--port", "eighty"], /^Cannot use port "eighty"/],
  [["--mode", "walk"], /^Cannot use "walk"/],
  [["--selector", "best"], /^Cannot use "best"/],
];

for (const [args, line] of BAD_ECHOES) {
  const title = JSON.stringify(args.join(" "));
  testExamples(`echo: ${title} is one line, and status 2`, async () => {
    await using program = startExample("echo", args);
    assertFailed(await program.ending(), 2, line);
  });
}

testExamples("echo: a port in use is one line, and status 1", async () => {
  using holder = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = holder.addr;
  await using program = startExample("echo", ["--port", `${port}`]);
  assertPortInUse(await program.ending(), port);
});
