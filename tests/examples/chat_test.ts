/** A chat between people with our client, in a terminal of their own, and people with nc. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Program } from "../program.ts";
import { bytesOf, denoProgram } from "../util.ts";
import { absence, startExample, testExamples } from "./start.ts";
import { netcatAbsence, startNetcat } from "./user.ts";

const HOST = "127.0.0.1";

function startServer(): Program {
  return startExample("chat", ["--port", "0"]);
}

/** How our client is started, on a terminal or not. */
function visitCommand(port: number): string[] {
  return [
    denoProgram(),
    "run",
    "--no-prompt",
    "--allow-ffi",
    "examples/chat.ts",
    "--connect",
    "--port",
    String(port),
  ];
}

/** Our client in a terminal, beside the program that had the terminal before. */
function startTerminal(port: number): Program {
  const script = "tests/examples/python/terminal.py";
  return new Program("python3", [script, ...visitCommand(port)], {
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    hasInput: true,
  });
}

/** Our client without a terminal: its keyboard is a pipe. */
function startPiped(port: number): Program {
  const [program, ...args] = visitCommand(port);
  return new Program(program!, args, { hasInput: true });
}

async function introduce(guest: Program, name: string): Promise<void> {
  await guest.shows("What is your name?");
  await guest.type(`${name}\n`);
  await guest.shows(`Welcome, ${name}.`);
}

testExamples(
  "chat: all hear who comes, who says what, and who goes",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using ann = startPiped(port);
    await introduce(ann, "ann");
    await using bob = startNetcat(HOST, port);
    await introduce(bob, "bob");
    await using zoe = startNetcat(HOST, port);
    await introduce(zoe, "zoë");
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
    await zoe.shows("ann has left");

    assertEquals(ann.text.split("\n"), [
      "What is your name?",
      "Welcome, ann. You are with nobody.",
      "bob has joined",
      "zoë has joined",
      "bob: hello, ann",
      "",
    ]);
    assertEquals(zoe.text.split("\n"), [
      "What is your name?",
      "Welcome, zoë. You are with ann, bob.",
      "ann: hello",
      "ann: all",
      "bob: hello, ann",
      "ann has left",
      "",
    ]);
    assertEquals(server.lines.slice(1), [
      "ann has joined",
      "bob has joined",
      "zoë has joined",
      "ann has left",
    ]);
  },
  netcatAbsence,
);

for (
  const [key, typed, status] of [
    ["Ctrl-D", "\x04", "0"],
    ["Ctrl-C", "\x03", "-2"],
  ] as const
) {
  testExamples(
    `chat: ${key} leaves, and the terminal is as it was`,
    async () => {
      await using server = startServer();
      const port = await server.port();
      await using ann = startTerminal(port);
      await introduce(ann, "ann");
      await using bob = startPiped(port);
      await introduce(bob, "bob");
      // What comes is shown though nothing is typed, and a line that was begun goes on.
      await ann.shows("bob has joined");
      await ann.type("hello, ");
      await bob.type("who is there?\n");
      await ann.shows("bob: who is there?");
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
  "chat: a server that ends leaves the terminal as it was",
  async () => {
    await using server = startServer();
    await using ann = startTerminal(await server.port());
    await introduce(ann, "ann");
    server.kill("SIGINT");
    await ann.shows("The server has ended the chat.");
    await ann.shows("status 0, terminal as it was");
    const { signal, errors } = await server.ending();
    assertEquals({ signal, errors }, { signal: "SIGINT", errors: "" });
  },
  absence.python,
);

testExamples(
  "chat: what is typed is sent to its end, from a file too",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using bob = startPiped(port);
    await introduce(bob, "bob");
    const file = await Deno.makeTempFile();
    try {
      // The last line is one, though nothing ends it.
      await Deno.writeTextFile(
        file,
        "ann\n" + "hello\n".repeat(5000) + "goodbye",
      );
      const command = visitCommand(port).join(" ");
      await using ann = new Program("sh", ["-c", `${command} < ${file}`]);
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
  "chat: a name is one's own, and no message another's",
  async () => {
    await using server = startServer();
    const port = await server.port();
    await using ann = startPiped(port);
    await introduce(ann, "ann");
    await using bob = startPiped(port);
    await bob.shows("What is your name?");
    await bob.type("ann\n");
    await bob.shows("There is a ann here already. What is your name?\n");
    await bob.type("ann: hello\n");
    await bob.shows(
      "A name is up to 20 letters and digits. What is your name?\n",
    );
    await introduce(bob, "bob");
    await bob.type("\x1b[2Jclear\r\n\n" + "x".repeat(5000) + "\nend\n");
    await ann.shows("bob: end\n");
    assertStringIncludes(
      ann.text,
      `bob has joined\nbob: [2Jclear\nbob: ${"x".repeat(1000)}\nbob: end\n`,
    );
  },
);

testExamples("chat: a guest who does not read stops nobody", async () => {
  await using server = startServer();
  const port = await server.port();
  await using ann = startPiped(port);
  await introduce(ann, "ann");
  using slow = await Deno.connect({ hostname: HOST, port });
  await slow.write(bytesOf("slow\n"));
  await ann.shows("slow has joined");
  using loud = await Deno.connect({ hostname: HOST, port });
  await loud.write(bytesOf("loud\n"));
  await ann.shows("loud has joined");
  // As much at once as everybody who reads can keep up with.
  const text = `${"x".repeat(990)}\n`.repeat(30);
  for (let round = 0; !ann.text.includes("slow has left"); round++) {
    assert(round < 1000, "the guest is still there");
    await writeAll(loud, bytesOf(`${text}round ${round} is over\n`));
    await ann.shows(`loud: round ${round} is over\n`);
  }
  await ann.type("still here\n");
  await ann.endInput();
  assertEquals((await ann.ending()).code, 0);
  assertEquals(server.lines.slice(-2), ["slow has left", "ann has left"]);
});

async function writeAll(
  connection: Deno.Conn,
  data: Uint8Array<ArrayBuffer>,
): Promise<void> {
  while (data.length > 0) data = data.subarray(await connection.write(data));
}
