/** The answers of the inspector, without a browser. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import type { Sample } from "../../examples/inspector/history.ts";
import type { Description } from "../../reactor/mod.ts";
import { fetchOnce } from "../fetch.ts";
import { assertFailed } from "../program.ts";
import { bytesOf } from "../util.ts";
import { Client, inspectorOf, startInspector } from "./inspector.ts";
import {
  freePort,
  startExample,
  startInConsole,
  testExamples,
  textOfSystem,
} from "./start.ts";

const IN_USE = textOfSystem("Address already in use");

/** Sends a request with a header `Host` of the test's choice. */
async function request(
  url: string,
  line: string,
  host: string = new URL(url).host,
): Promise<string> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(bytesOf(head));
  return await new Response(connection.readable).text();
}

type Row = Description | { readonly subject: "clock"; readonly now: number };

async function rowsOf(url: string): Promise<Row[]> {
  const response = await fetchOnce(`${url}/rows`);
  const lines = (await response.text()).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

testExamples(
  "inspector: the rows have each descriptor, and no byte of the data",
  async () => {
    await using inspector = await startInspector();
    using client = await Client.connect(inspector);
    await client.say("a secret line");
    const rows = await rowsOf(inspector.url);
    const echo = rows.find((row) =>
      row.subject === "descriptor" && row.callback === "echo"
    );
    assert(echo?.subject === "descriptor");
    assertEquals(echo.file.localAddress, {
      hostname: "127.0.0.1",
      port: inspector.port,
    });
    assertEquals(echo.bytesRead, 13);
    assertEquals(echo.bytesWritten, 13);
    assert(!JSON.stringify(rows).includes("secret"));
  },
);

testExamples(
  "inspector: samples come each second, after those from before",
  async () => {
    await using inspector = await startInspector();
    const response = await fetchOnce(`${inspector.url}/events`);
    const reader = response.body!.pipeThrough(new TextDecoderStream())
      .getReader();
    let text = "";
    const samples = (): Sample[] =>
      [...text.matchAll(/event: sample\ndata: (.*)\n\n/g)]
        .map(([, data]) => JSON.parse(data!));
    while (samples().length < 2) {
      const { value, done } = await reader.read();
      assert(!done, text);
      text += value;
    }
    await reader.cancel();
    assertMatch(text, /^event: history\ndata: \{"samples":\[/);
    const [first, second] = samples();
    assert(second!.time > first!.time);
    assert(first!.registered >= 2, JSON.stringify(first));
  },
);

testExamples(
  "inspector: pages of other sites and other methods are refused",
  async () => {
    await using inspector = await startInspector();
    const { url } = inspector;
    const { port } = new URL(url);
    for (
      const [line, host, status] of [
        ["GET /", `127.0.0.1:${port}`, 200],
        ["GET /", `LocalHost:${port}`, 200],
        ["GET /", `[::1]:${port}`, 200],
        // DNS rebinding: a name of another site for this address.
        ["GET /", `example.com:${port}`, 403],
        ["GET /rows", "127.0.0.1.example.com", 403],
        ["GET /events", "", 403],
        ["POST /rows", `127.0.0.1:${port}`, 405],
        ["GET /history.ts", `127.0.0.1:${port}`, 404],
        ["GET /../inspector.ts", `127.0.0.1:${port}`, 404],
      ] as const
    ) {
      const answer = await request(url, line, host);
      assertMatch(answer, new RegExp(`^HTTP/1.1 ${status} `), line + host);
      assertStringIncludes(
        answer,
        "content-security-policy: default-src 'none'",
      );
    }
  },
);

testExamples(
  "inspector: Ctrl-C ends the program while a page is open",
  async () => {
    await using inspector = await startInspector(0, startInConsole);
    const response = await fetchOnce(`${inspector.url}/events`);
    const reader = response.body!.getReader();
    await reader.read();
    await inspector.program.interrupt();
    while (!(await reader.read()).done);
    const { code, errors } = await inspector.program.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
  },
);

testExamples(
  "inspector: a line with the name of a method of each object comes back",
  async () => {
    await using inspector = await startInspector();
    using client = await Client.connect(inspector);
    for (const line of ["__defineGetter__", "constructor", "toString"]) {
      await client.say(line);
    }
    // The connection is still there: otherwise this has no answer.
    await client.say("hello");
    await client.say("hello");
    assertEquals(inspector.program.errors, "");
  },
);

testExamples("inspector: a port in use is one line", async () => {
  await using inspector = await startInspector();
  const { port } = new URL(inspector.url);
  const args = ["--port", "0", "--inspect", port];
  await using other = startExample("inspector", args);
  assertFailed(
    await other.ending(),
    1,
    new RegExp(`^${IN_USE} .*: bind 127.0.0.1:${port}\n$`),
  );
});

/** Servers that show the page. Their own permissions come first. */
const SERVERS: readonly (readonly [string, ...string[]])[] = [
  ["echo"],
  ["echo", "--mode", "serve"],
  ["reactor_server"],
  ["tcp_udp_echo"],
];

for (const [name, ...args] of SERVERS) {
  testExamples(
    `inspector: --inspect shows ${[name, ...args].join(" ")}`,
    async () => {
      const ports = ["--port", "0", "--inspect", "0"];
      const permissions = ["--allow-ffi", "--allow-read"];
      await using program = startExample(
        name,
        [...args, ...ports],
        permissions,
      );
      const url = await inspectorOf(program);
      const port = await program.port();
      const rows = await rowsOf(url);
      const isServer = (row: Row): boolean =>
        row.subject === "descriptor" && row.role === "acceptor" &&
        row.file.localAddress !== null && "port" in row.file.localAddress &&
        row.file.localAddress.port === port;
      assert(rows.some(isServer), JSON.stringify(rows));
    },
  );
}

testExamples(
  "inspector: without --allow-read, --inspect says so",
  async () => {
    const args = ["--port", `${freePort()}`, "--inspect", "0"];
    await using program = startExample("echo", args);
    assertFailed(
      await program.ending(),
      1,
      /^Cannot load the page: run again with --allow-read\n$/,
    );
  },
);
