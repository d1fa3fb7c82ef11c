/** Each server with each client, here and in Python: all print the article's transcript. */

import { type Program, startDeno } from "../program.ts";
import { ffiPermissionFlag } from "../../backends/ffi/mod.ts";
import {
  absence,
  freePort,
  servers,
  startArticle,
  startExample,
  startPython,
  startServer,
  testExamples,
} from "./start.ts";
import { assertConversation, SERVER_LINES } from "./transcripts.ts";
import { assertEquals, assertFalse, assertMatch } from "@std/assert";

type Start = (name: string, args: readonly string[]) => Program;

/** Runs the client against the server, and compares the output of both. */
async function converse(
  server: Program,
  startClient: Start,
  host = "127.0.0.1",
): Promise<void> {
  const port = await server.port();
  const before = server.lines.length;
  await using client = startClient(
    "multi_client",
    ["--host", host, "--port", String(port)],
  );
  const { code, errors, lines } = await client.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  await server.until(() => server.lines.length >= before + SERVER_LINES);
  const said = [server.lines[0]!, ...server.lines.slice(before)];
  assertConversation({ host, port, client: lines, server: said });
}

for (const server of servers) {
  const { title, name, args, absent } = server;

  testExamples(`${title} and our client`, async () => {
    await using program = startServer(server);
    await converse(program, startExample);
    // The server continues after its clients.
    await converse(program, startExample);
  }, absent);

  testExamples(`${title} and Python's client`, async () => {
    await using program = startServer(server);
    await converse(program, startPython);
  }, absent ?? absence.python);

  testExamples(`${title} and the article's own client`, async () => {
    await using program = startServer(server);
    await converse(program, startArticleClient);
  }, absent ?? absence.python);

  testExamples(`${title} in Python and our client`, async () => {
    await using program = startPython(name, [...args, "--port", "0"]);
    await converse(program, startExample);
  }, absent ?? absence.python);

  testExamples(
    `${title} needs only the permission to call the C library`,
    async () => {
      const permissions = [ffiPermissionFlag()];
      await using program = startServer(server, permissions);
      await converse(
        program,
        (name, args) => startExample(name, args, permissions),
      );
    },
    absent,
  );

  testExamples(`${title} over IPv6`, async () => {
    await using program = startExample(
      name,
      [...args, "--host", "::1", "--port", "0"],
    );
    await converse(program, startExample, "::1");
  }, absent ?? absence.ipv6);
}

for (const name of ["selectors_server", "callback_server"]) {
  for (
    const [whose, startClient] of [
      ["our", startExample],
      ["its", startArticleClient],
    ] as const
  ) {
    testExamples(`the article's ${name} and ${whose} client`, async () => {
      await using server = startArticle(name, freePort());
      await converse(server, startClient);
    }, absence.python);
  }
}

/** Starts the article's client, of whose arguments only the port can be chosen. */
function startArticleClient(_name: string, args: readonly string[]): Program {
  return startArticle("multi_client", Number(args.at(-1)));
}

testExamples("Python's client over IPv6", async () => {
  const args = ["--host", "::1", "--port", "0"];
  await using program = startExample("callback_server", args);
  await converse(program, startPython, "::1");
}, absence.python ?? absence.ipv6);

testExamples("the demo prints both sides, and ends", async () => {
  await using demo = startDeno(["task", "--quiet", "demo"]);
  const { code, errors, lines } = await demo.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
  const isServer = /^(Server start|Connected by|received)/;
  const server = lines.filter((line) => isServer.test(line));
  const client = lines.filter((line) => !isServer.test(line));
  const port = Number(server[0]!.split(":").at(-1));
  assertConversation({ host: "127.0.0.1", port, client, server });
}, absence.task);

testExamples(
  "the demo uses another port if the article's port is in use",
  async () => {
    using holder = holdArticlePort();
    await using demo = startDeno(["task", "--quiet", "demo"]);
    const { code, lines } = await demo.ending();
    assertEquals(code, 0);
    assertMatch(lines[0]!, /^Server start at: 127\.0\.0\.1:\d+$/);
    // Another program may have freed it meanwhile.
    if (holder !== null) assertFalse(lines[0]!.endsWith(":8001"));
  },
  absence.task,
);

/** Listens on the article's port; returns null if another program does so already. */
function holdArticlePort(): Disposable | null {
  try {
    return Deno.listen({ hostname: "127.0.0.1", port: 8001 });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}
