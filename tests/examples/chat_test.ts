/** A chat between our client, in a terminal or with a pipe, and `nc`. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assertFailed, Program } from "../program.ts";
import { bytesOf, denoProgram } from "../util.ts";
import {
  absence,
  CHAT_CLIENT_PERMISSIONS,
  startExample,
  testExamples,
  windows,
} from "./start.ts";
import type { Typist } from "./netcat.ts";
import { startNetcat } from "./user.ts";

const HOST = "127.0.0.1";
const QUESTION = "What is your name?";

function startServer(): Program {
  return startExample("chat", ["--port", "0"]);
}

/** The command of our client. */
function clientCommand(port: number): string[] {
  return [
    denoProgram(),
    "run",
    "--no-prompt",
    ...CHAT_CLIENT_PERMISSIONS,
    "examples/chat.ts",
    "--connect",
    "--port",
    String(port),
  ];
}

/** Starts our client as the child of a program that compares the terminal before and after. */
function startTerminal(port: number): Program {
  const script = "tests/examples/python/terminal.py";
  return new Program("python3", [script, ...clientCommand(port)], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    hasInput: true,
  });
}

/** Starts our client with a pipe as its standard input. */
function startPiped(port: number): Program {
  const [program, ...args] = clientCommand(port);
  return new Program(program!, args, { hasInput: true });
}

async function enter(guest: Typist, name: string): Promise<void> {
  await guest.shows(QUESTION);
  await guest.type(`${name}\n`);
  await guest.shows(`Welcome, ${name}.`);
}

testExamples(
  "chat: each line, joining and leaving is sent to all other guests",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using ann = startPiped(port);
    await enter(ann, "ann");
    await using bob = startNetcat(HOST, port);
    await enter(bob, "bob");
    await using zoe = startNetcat(HOST, port);
    await enter(zoe, "zoë");
    await ann.shows("zoë has joined");
    await bob.shows("zoë has joined");
    await ann.type("hello\nall\n");
    await bob.shows("ann: all");
    await zoe.shows("ann: all");
    await bob.type("hello, ann\n");
    await zoe.shows("bob: hello, ann");
    await ann.shows("bob: hello, ann");
    await ann.endInput();
    const { code, errors } = await ann.ending();
    assertEquals({ code, errors }, { code: 0, errors: "" });
    await bob.shows("ann has left");
    await zoe.shows("ann has left\n");

    assertEquals(ann.text.split("\n"), [
      QUESTION,
      "Welcome, ann. You are with no other guest.",
      "bob has joined",
      "zoë has joined",
      "bob: hello, ann",
      "",
    ]);
    assertEquals(zoe.text.split("\n"), [
      QUESTION,
      "Welcome, zoë. You are with ann, bob.",
      "ann: hello",
      "ann: all",
      "bob: hello, ann",
      "ann has left",
      "",
    ]);
    await server.line(/^ann has left$/);
    assertEquals(server.lines.slice(1), [
      "ann has joined",
      "bob has joined",
      "zoë has joined",
      "ann has left",
    ]);
  },
);

for (
  const [key, typed, status] of [
    ["Ctrl-D", "\x04", "0"],
    ["Ctrl-C", "\x03", "-2"],
  ] as const
) {
  testExamples(
    `chat: ${key} leaves, and the terminal is restored`,
    async () => {
      await using server = startServer();
      const port = await server.port();
      await using ann = startTerminal(port);
      await enter(ann, "ann");
      await using bob = startPiped(port);
      await enter(bob, "bob");
      // Lines are shown while nothing is typed, and do not end a line that is being typed.
      await ann.shows("bob has joined");
      await ann.type("hello, ");
      await bob.type("is ann there?\n");
      await ann.shows("bob: is ann there?");
      await ann.type("bob\n");
      await bob.shows("ann: hello, bob");
      await ann.type(typed);
      await ann.shows(`status ${status}, terminal as it was`);
      await bob.shows("ann has left");
    },
    absence.python,
  );
}

testExamples(
  "chat: when the server ends, the terminal is restored",
  async () => {
    await using server = startServer();
    await using ann = startTerminal(await server.port());
    await enter(ann, "ann");
    server.kill("SIGINT");
    await ann.shows("The server has ended the chat.");
    await ann.shows("status 0, terminal as it was");
    const { signal, errors } = await server.ending();
    assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  },
  absence.python,
);

testExamples(
  "chat: standard input from a file is sent up to its end",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using bob = startPiped(port);
    await enter(bob, "bob");
    const file = await Deno.makeTempFile();
    try {
      // The last line has no line feed.
      await Deno.writeTextFile(
        file,
        "ann\n" + "hello\n".repeat(5000) + "goodbye",
      );
      const command = clientCommand(port).join(" ");
      const shell = windows ? ["cmd", "/c"] as const : ["sh", "-c"] as const;
      await using ann = new Program(shell[0], [
        shell[1],
        `${command} < ${file}`,
      ]);
      const { code, errors } = await ann.ending();
      assertEquals({ code, errors }, { code: 0, errors: "" });
    } finally {
      await Deno.remove(file);
    }
    await bob.shows("ann: goodbye\nann has left\n");
    assertEquals(bob.text.split("ann: hello\n").length, 5001);
  },
);

testExamples(
  "chat: names are unique, and a message cannot imitate another guest",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using ann = startPiped(port);
    await enter(ann, "ann");
    await using bob = startPiped(port);
    await bob.shows(QUESTION);
    await bob.type("ann\n");
    await bob.shows(`There is a ann here already. ${QUESTION}\n`);
    await bob.type("ann: hello\n");
    await bob.shows(
      `A name is up to 20 letters and digits. ${QUESTION}\n`,
    );
    await enter(bob, "bob");
    await bob.type("\x1b[2Jclear\r\n\n" + "x".repeat(5000) + "\nend\n");
    await ann.shows("bob: end\n");
    assertStringIncludes(
      ann.text,
      `bob has joined\nbob: [2Jclear\nbob: ${"x".repeat(1000)}\nbob: end\n`,
    );
  },
);

testExamples(
  "chat: a guest that does not read is disconnected, and no other guest waits",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using ann = startPiped(port);
    await enter(ann, "ann");
    using slow = await Deno.connect({ hostname: HOST, port });
    await slow.write(bytesOf("slow\n"));
    await ann.shows("slow has joined");
    using loud = await Deno.connect({ hostname: HOST, port });
    await loud.write(bytesOf("loud\n"));
    await ann.shows("loud has joined");
    // Guests that read can keep up with so many bytes at once.
    const text = `${"x".repeat(990)}\n`.repeat(30);
    for (let round = 0; !ann.text.includes("slow has left"); round++) {
      assert(round < 1000, "the guest is still there");
      await writeAll(loud, bytesOf(`${text}round ${round} is over\n`));
      await ann.shows(`loud: round ${round} is over\n`);
    }
    await ann.type("still here\n");
    await ann.endInput();
    assertEquals((await ann.ending()).code, 0);
    await server.line(/^ann has left$/);
    assertEquals(server.lines.slice(-2), ["slow has left", "ann has left"]);
  },
);

async function writeAll(
  connection: Deno.Conn,
  data: Uint8Array<ArrayBuffer>,
): Promise<void> {
  while (data.length > 0) data = data.subarray(await connection.write(data));
}

testExamples(
  "chat: a client refuses port 0 with one line, and status 2",
  async () => {
    const args = ["--connect", "--port", "0"];
    await using client = startExample("chat", args, CHAT_CLIENT_PERMISSIONS);
    const line = /^Cannot connect to port 0\n$/;
    assertFailed(await client.ending(), 2, line);
  },
);
