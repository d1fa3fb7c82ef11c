/** The server on the reactor prints the same lines as the servers without. */

import { assertEquals, assertMatch } from "@std/assert";
import { Socket } from "../../mod.ts";
import type { Program } from "../program.ts";
import { bytesOf } from "../util.ts";
import { absence, startExample, startPython, testExamples } from "./start.ts";
import { assertConversation, SERVER_LINES } from "./transcripts.ts";
import { netcat, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

function startServer(host = HOST): Program {
  return startExample("reactor_server", ["--host", host, "--port", "0"]);
}

async function converse(
  startClient: (name: string, args: readonly string[]) => Program,
  host = HOST,
): Promise<void> {
  await using server = startServer(host);
  const port = await server.port();
  const args = ["--host", host, "--port", String(port)];
  await using client = startClient("multi_client", args);
  const { code, errors, lines } = await client.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  await server.until(() => server.lines.length > SERVER_LINES);
  assertConversation({ host, port, client: lines, server: server.lines });
}

testExamples(
  "reactor_server and our client print the article's transcripts",
  () => converse(startExample),
);

testExamples(
  "reactor_server and Python's client print the article's transcripts",
  () => converse(startPython),
  absence.python,
);

testExamples(
  "reactor_server and our client over IPv6",
  () => converse(startExample, "::1"),
  absence.ipv6,
);

testExamples(`reactor_server answers ${netcat}`, async () => {
  await using server = startServer();
  await using client = startNetcat(HOST, await server.port());
  await client.type("Is it you?");
  await client.shows("Server received b'Is it you?'");
  await client.type("\n");
  await client.shows("Server received b'\\n'");
  // Its output may come later than its reply.
  await server.until(() => server.lines.length >= 4);
  const [, connected, ...received] = server.lines;
  const address = /^Connected by (\('127\.0\.0\.1', \d+\))$/;
  assertMatch(connected!, address);
  const [, peer] = address.exec(connected!)!;
  assertEquals(received, [
    `received "b'Is it you?'" from ${peer}`,
    `received "b'\\n'" from ${peer}`,
  ]);
});

testExamples("reactor_server continues after its clients", async () => {
  await using server = startServer();
  const port = await server.port();
  server.kill("SIGSTOP");
  // A connection that is reset before it is accepted has no address.
  using hasty = Socket.create();
  hasty.setBlocking(true);
  hasty.connect({ hostname: HOST, port });
  hasty.resetOnClose();
  hasty.close();
  server.kill("SIGCONT");
  for (const message of ["one", "two"]) {
    using client = await Deno.connect({ hostname: HOST, port });
    await client.write(bytesOf(message));
    await server.line(new RegExp(`received "b'${message}'"`));
  }
});
