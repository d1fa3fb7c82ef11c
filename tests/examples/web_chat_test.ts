/** One room for browsers and terminals: with WebSocket clients and with `nc`. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { bytesOf, eventually } from "../util.ts";
import { testExamples } from "./start.ts";
import { startNetcat } from "./user.ts";
import { Visitor } from "./visitor.ts";
import { startWebChat, type WebChat } from "./web_chat.ts";

const HOST = "127.0.0.1";
const QUESTION = "What is your name?";

/** Sends a request as it is, and returns the first line and the head of the answer. */
async function request(webPort: number, head: string): Promise<string> {
  using connection = await Deno.connect({ hostname: HOST, port: webPort });
  await connection.write(bytesOf(`${head}\r\nConnection: close\r\n\r\n`));
  return await new Response(connection.readable).text();
}

/** The request of a WebSocket, which another program may send from anywhere. */
function upgrade(webPort: number, origin: string): string {
  return [
    "GET /room HTTP/1.1",
    `Host: ${HOST}:${webPort}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    `Origin: ${origin}`,
  ].join("\r\n");
}

/** Connects a WebSocket that enters, and whose peer reads nothing more. */
async function enterAndIgnore(
  { webPort }: WebChat,
  name: string,
): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: HOST, port: webPort });
  const head = upgrade(webPort, `http://${HOST}:${webPort}`);
  await connection.write(bytesOf(`${head}\r\n\r\n`));
  // A text frame with the mask 0 (RFC 6455, section 5.2).
  const text = bytesOf(JSON.stringify({ name, key: name }));
  const frame = [0x81, 0x80 | text.length, 0, 0, 0, 0, ...text];
  await connection.write(new Uint8Array(frame));
  return connection;
}

testExamples(
  "web_chat: browsers and terminals are in one room",
  async () => {
    await using server = await startWebChat();
    await using ann = await Visitor.enter(server, "ann");
    await using bob = startNetcat("-N", HOST, server.port);
    await bob.shows(QUESTION);
    await bob.type("bob\n");
    await bob.shows("Welcome, bob. You are with ann.\n");
    await ann.receives({ kind: "joined", name: "bob" });
    await bob.type("hello, ann\n");
    await ann.receives({ kind: "said", name: "bob", text: "hello, ann" });
    ann.say("hello, <b>bob</b>");
    await bob.shows("ann: hello, <b>bob</b>\n");
    await using zoe = await Visitor.enter(server, "zoë");
    assertEquals(zoe.messages, [
      { kind: "welcome", name: "zoë", others: ["ann", "bob"] },
    ]);
    await ann.close();
    await bob.shows("ann has left\n");
    await bob.endInput();
    await zoe.receives({ kind: "left", name: "bob" });
    // Its own line comes back to a page, but not to a terminal.
    await ann.receives({
      kind: "said",
      name: "ann",
      text: "hello, <b>bob</b>",
    });
    assert(!bob.text.includes("bob: hello"), bob.text);
  },
);

testExamples(
  "web_chat: Ctrl-C says goodbye to browsers and terminals, and ends with status 0",
  async () => {
    await using server = await startWebChat(0, 0, { hasConsole: true });
    await using ann = await Visitor.enter(server, "ann");
    await using bob = startNetcat("-N", HOST, server.port);
    await bob.type("bob\n");
    await bob.shows("Welcome, bob. You are with ann.\n");
    await server.program.interrupt();
    // "Going away".
    assertEquals(await ann.closed, 1001);
    await bob.shows("The server has ended the chat.\n");
    await bob.endInput();
    const { code, errors, lines } = await server.program.ending();
    assertEquals({ code, errors, last: lines.at(-1) }, {
      code: 0,
      errors: "",
      last: "Goodbye",
    });
  },
);

testExamples(
  "web_chat: Ctrl-C ends it without an error while a terminal stays open",
  async () => {
    await using server = await startWebChat(0, 0, { hasConsole: true });
    const options = { hostname: HOST, port: server.port };
    using guest = await Deno.connect(options);
    using nameless = await Deno.connect(options);
    const buffer = new Uint8Array(100);
    // Both are accepted: they have the question.
    for (const terminal of [guest, nameless]) await terminal.read(buffer);
    await guest.write(bytesOf("bob\n"));
    await server.program.line(/^bob has joined$/);
    await server.program.interrupt();
    const { code, errors } = await server.program.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
  },
);

testExamples(
  "web_chat: names are unique and plain, and lines are cut",
  async () => {
    await using server = await startWebChat();
    await using ann = await Visitor.enter(server, "ann");
    for (
      const [name, reason] of [
        ["ann", "There is a ann here already."],
        ["", "A name is 1 to 20 letters and digits."],
        ["<b>ann</b>", "A name is 1 to 20 letters and digits."],
        ["x".repeat(21), "A name is 1 to 20 letters and digits."],
      ] as const
    ) {
      await using other = await Visitor.connect(server);
      other.enter(name);
      await other.receives({ kind: "refused", reason });
      await other.closed;
    }
    ann.say(" \x1b[2J\u0000 ");
    ann.say("\n");
    ann.say(`${"x".repeat(499)}😀`);
    ann.say("end");
    await ann.receives({ kind: "said", name: "ann", text: "end" });
    const texts = ann.messages.flatMap((message) =>
      message.kind === "said" ? [message.text] : []
    );
    // Half of a character is replaced.
    assertEquals(texts, ["[2J", `${"x".repeat(499)}\uFFFD`, "end"]);
  },
);

testExamples(
  "web_chat: a page takes the place of its own earlier connection",
  async () => {
    await using server = await startWebChat();
    await using bob = await Visitor.enter(server, "bob");
    await using early = await Visitor.enter(server, "ann");
    await using late = await Visitor.connect(server);
    late.enter("ann", early.key);
    await late.receives({ kind: "welcome", name: "ann", others: ["bob"] });
    await early.closed;
    late.say("I am back");
    await bob.receives({ kind: "said", name: "ann", text: "I am back" });
    assertEquals(bob.messages.map(({ kind }) => kind), [
      "welcome",
      "joined",
      "said",
    ]);
  },
);

testExamples(
  "web_chat: a WebSocket with unexpected messages is closed",
  async () => {
    await using server = await startWebChat();
    const malformed = ["no JSON", "null", "[]", "{}", '{"text":"x"}'];
    for (const message of malformed) {
      await using visitor = await Visitor.connect(server);
      visitor.send(message);
      assertEquals(await visitor.closed, 1008, message);
    }
    await using visitor = await Visitor.enter(server, "ann");
    visitor.say("x".repeat(5000));
    // "Message too big".
    assertEquals(await visitor.closed, 1009);
    await server.program.shows("ann has left\n");
    assertEquals(server.program.errors, "");
  },
);

testExamples(
  "web_chat: a WebSocket without a secret takes no other one's place",
  async () => {
    await using server = await startWebChat();
    await using first = await Visitor.connect(server);
    first.send('{"name":"ann"}');
    await first.receives({ kind: "welcome", name: "ann" });
    const reason = "There is a ann here already.";
    for (const name of ['"ann"', '"ann","key":null', '"ann","key":{}']) {
      await using other = await Visitor.connect(server);
      other.send(`{"name":${name}}`);
      await other.receives({ kind: "refused", reason });
    }
    first.send('{"text":"still here"}');
    await first.receives({ kind: "said", name: "ann", text: "still here" });
  },
);

testExamples(
  "web_chat: a name or a line that is no text is an unexpected message",
  async () => {
    await using server = await startWebChat();
    // An object that String() cannot convert.
    const object = '{"toString":1,"valueOf":2}';
    for (const name of [object, "1", "null", '["ann"]']) {
      await using visitor = await Visitor.connect(server);
      visitor.send(`{"name":${name}}`);
      assertEquals(await visitor.closed, 1008, name);
    }
    const texts = [object, "1", "null", '["hello"]'];
    for (const [index, text] of texts.entries()) {
      await using visitor = await Visitor.enter(server, `guest${index}`);
      visitor.send(`{"text":${text}}`);
      assertEquals(await visitor.closed, 1008, text);
    }
    assertEquals(server.program.errors, "");
  },
);

testExamples("web_chat: pages of other sites cannot connect", async () => {
  await using server = await startWebChat();
  const { webPort } = server;
  for (const origin of ["http://example.com", "null"]) {
    const answer = await request(webPort, upgrade(webPort, origin));
    assertMatch(answer, /^HTTP\/1.1 401 /);
  }
  await using _own = await Visitor.enter(server, "ann");
});

testExamples(
  "web_chat: the page has a content security policy, and nothing else is served",
  async () => {
    await using server = await startWebChat();
    const { webPort } = server;
    const page = await request(webPort, `GET / HTTP/1.1\r\nHost: ${HOST}`);
    assertMatch(page, /^HTTP\/1.1 200 OK\r\n/);
    assertStringIncludes(page, "Content-Security-Policy: default-src 'none'");
    for (
      const [line, status] of [
        ["HEAD /", 200],
        ["GET /page.js", 200],
        ["GET /room", 404],
        ["GET /web_chat.ts", 404],
        ["GET /../web_chat.ts", 404],
        ["POST /", 405],
      ] as const
    ) {
      const head = `${line} HTTP/1.1\r\nHost: ${HOST}`;
      assertMatch(
        await request(webPort, head),
        new RegExp(`^HTTP/1.1 ${status} `),
        line,
      );
    }
  },
);

testExamples(
  "web_chat: guests that do not read are disconnected, and no other guest waits",
  async () => {
    await using server = await startWebChat();
    await using ann = await Visitor.enter(server, "ann");
    using _page = await enterAndIgnore(server, "page");
    using terminal = await Deno.connect({ hostname: HOST, port: server.port });
    await terminal.write(bytesOf("terminal\n"));
    await ann.receives({ kind: "joined", name: "page" });
    await ann.receives({ kind: "joined", name: "terminal" });
    await using loud = await Visitor.enter(server, "loud");
    const isOver = (): boolean =>
      ["page", "terminal"].every((name) => ann.has({ kind: "left", name }));
    for (let round = 0; !isOver(); round++) {
      assert(round < 1000, "a guest is still there");
      for (let line = 0; line < 50; line++) loud.say("x".repeat(500));
      loud.say(`round ${round}`);
      await ann.receives({
        kind: "said",
        name: "loud",
        text: `round ${round}`,
      });
    }
    ann.say("still here");
    await loud.receives({ kind: "said", name: "ann", text: "still here" });
    assertEquals(server.program.errors, "");
  },
);

testExamples("web_chat: the room has room for 100 guests", async () => {
  await using server = await startWebChat();
  await using guests = new AsyncDisposableStack();
  const enter = async (index: number): Promise<void> => {
    guests.use(await Visitor.enter(server, `guest${index}`));
  };
  await Promise.all(Array.from({ length: 100 }, (_, index) => enter(index)));
  await using last = await Visitor.connect(server);
  last.enter("last");
  await last.receives({ kind: "refused", reason: "The room is full." });
  await last.closed;
  const left = (): number =>
    server.program.lines.filter((line) => line.endsWith("has joined")).length;
  await eventually(() => left() === 100, "100 guests");
});
