/** `docs/io_multiplexing.md`: its excerpts, its transcripts and its commands. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bytesOf, test } from "../util.ts";
import {
  absence,
  startExample,
  startInConsole,
  testExamples,
} from "./start.ts";
import { assertConversation, read, SERVER_LINES } from "./transcripts.ts";

const HOST = "127.0.0.1";

const ROOT = new URL("../../", import.meta.url);

const page = textOf("docs/io_multiplexing.md");

/** A command of the page: the name of a program, and its arguments. */
type Command = readonly [name: string, ...args: string[]];

const EXCERPT = /<!-- from (\S+) -->\n\n```ts ignore\n([^]*?)```/g;
const COMMAND = /^deno run --allow-ffi examples\/(.*)$/gm;
const TRANSCRIPT = /```text\n([^]*?)```/g;

const excerpts = [...page.matchAll(EXCERPT)];
const transcripts = [...page.matchAll(TRANSCRIPT)].map(([, text]) => text!);
const commands = [...page.matchAll(COMMAND)].map(([, line]): Command => {
  const [file, ...args] = line!.split(" ");
  return [file!.replace(/\.ts$/, ""), ...args];
});
const servers = commands.filter(([name]) => name.endsWith("_server"));

function textOf(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Removes the indentation, which an excerpt does not have. */
function withoutIndent(text: string): string {
  return text.replace(/^ +/gm, "");
}

test("each block of the page that does not run is an excerpt of a program", () => {
  assert(excerpts.length > 0);
  assertEquals(page.match(/```ts ignore/g)?.length, excerpts.length);
});

for (const [, file, excerpt] of excerpts) {
  const [line] = excerpt!.split("\n");
  test(`the excerpt of ${file} that begins with "${line}" is in it`, () => {
    assertStringIncludes(withoutIndent(textOf(file!)), withoutIndent(excerpt!));
  });
}

test("the page's transcripts of the client and the server are the article's", () => {
  assertEquals(transcripts.slice(0, 2), [
    read("client.txt"),
    read("server.txt"),
  ]);
});

test("every command of the page is run by a test", () => {
  const others = commands.filter((command) => !servers.includes(command));
  assertEquals(servers.length, 7);
  assertEquals(others.map(([name]) => name), [
    "multi_client",
    "many_servers_client",
    "echo",
  ]);
});

for (const [name, ...args] of servers) {
  testExamples(
    `${[name, ...args].join(" ")} and the client print the page's transcripts`,
    async () => {
      await using server = startExample(name, [...args, "--port", "0"]);
      const port = await server.port();
      await using client = startExample("multi_client", ["--port", `${port}`]);
      const { lines, errors } = await client.ending();
      assertEquals(errors, "");
      await server.until(() => server.lines.length > SERVER_LINES);
      assertConversation({
        host: HOST,
        port,
        client: lines,
        server: server.lines,
      });
    },
    name === "epoll_server" ? absence.epoll : undefined,
  );
}

testExamples("many_servers_client prints the page's transcript", async () => {
  await using first = startExample("reactor_server", ["--port", "0"]);
  await using second = startExample("tcp_udp_echo", ["--port", "0"]);
  const ports = [await first.port(), await second.port()];
  const withPorts = (text: string): string =>
    text.replaceAll(":8001", `:${ports[0]}`).replaceAll(
      ":8002",
      `:${ports[1]}`,
    );
  const [name, ...args] = commands.find(([name]) =>
    name === "many_servers_client"
  )!;
  await using client = startExample(name, args.map(withPorts));
  const { lines, errors } = await client.ending();
  assertEquals(errors, "");
  // They come in any order.
  assertEquals(
    lines.toSorted(),
    withPorts(transcripts[2]!).trimEnd().split("\n").toSorted(),
  );
});

testExamples("echo --mode serve answers, and ends at Ctrl-C", async () => {
  const [name, ...args] = commands.find(([name]) => name === "echo")!;
  await using server = startInConsole(name, [...args, "--port", "0"]);
  using client = await Deno.connect({ port: await server.port() });
  await client.write(bytesOf("hello"));
  assertEquals(await client.read(new Uint8Array(16)), 5);
  await server.interrupt();
  const { code, errors } = await server.ending();
  assertEquals({ code, errors }, { code: 0, errors: "" });
});
