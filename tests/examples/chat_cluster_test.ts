/** One room of three processes, by a real NATS: processes and the broker are killed. */

import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { assert, assertEquals } from "@std/assert";
import { Log } from "../../examples/chat_cluster/log.ts";
import { fetchOnce } from "../fetch.ts";
import { assertFailed } from "../program.ts";
import { eventually } from "../util.ts";
import { joinCluster, startChatProcess } from "./chat_cluster.ts";
import { natsAbsence, NatsServer } from "./nats_server.ts";
import { type Heard, RegularPage, RegularTerminal } from "./regular.ts";
import { absence, freePort, testExamples } from "./start.ts";
import { startNetcat } from "./user.ts";
import { Visitor } from "./visitor.ts";
import type { WebChat } from "./web_chat.ts";

const HOST = "127.0.0.1";

/** Lines that each page says in each part of the test under load. */
const LINES = 60;

/** How many processes create the log at once, and how often: its broker seldom errs. */
const CREATORS = 5;
const CREATIONS = 1000;

/** The texts of a page's lines, of which each is its place. */
function texts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

/** Asserts that a guest was sent each line at most once, in the order of the log. */
function assertOnce(name: string, heard: readonly Heard[]): void {
  for (const [index, { number }] of heard.entries()) {
    const before = heard[index - 1]?.number ?? 0;
    assert(number > before, `${name} was sent ${number} after ${before}`);
  }
}

/** The guests that a new guest finds. */
async function othersIn(server: WebChat): Promise<string[]> {
  const name = `visitor${Math.random().toString(36).slice(2, 8)}`;
  await using visitor = await Visitor.enter(server, name);
  const [welcome] = visitor.messages;
  return welcome?.kind === "welcome" ? [...welcome.others].sort() : [];
}

testExamples(
  "chat_cluster: guests of two processes are in one room",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using two = await joinCluster(broker);
    await using ann = await Visitor.enter(one, "ann");
    await using bob = startNetcat("-N", HOST, two.port);
    await bob.type("bob\nhello, ann\n");
    await bob.shows("Welcome, bob. You are with ann.\n");
    await ann.receives({ kind: "joined", name: "bob" });
    await ann.receives({ kind: "said", name: "bob", text: "hello, ann" });
    ann.say("hello, <b>bob</b>");
    await bob.shows("ann: hello, <b>bob</b>\n");
    await using other = await Visitor.connect(two);
    other.enter("ann");
    const reason = "There is a ann here already.";
    await other.receives({ kind: "refused", reason });
    await ann.close();
    await bob.shows("ann has left\n");
    await bob.endInput();
    two.program.kill("SIGINT");
    const { code, errors, lines } = await two.program.ending();
    assertEquals([code, errors, lines.at(-1)], [0, "", "Goodbye"]);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: under load a process and the broker are killed, and each guest sees each line once, in order",
  async () => {
    await using broker = await NatsServer.start();
    await using servers = new AsyncDisposableStack();
    const ports = [0, 1, 2].map(() => [freePort(), freePort()] as const);
    const join = async (index: number): Promise<WebChat> =>
      servers.use(await joinCluster(broker, ...ports[index]!));
    const [, victim] = await Promise.all([join(0), join(1), join(2)]);
    await using guests = new AsyncDisposableStack();
    const pages = ports.map(([, webPort], index) =>
      guests.use(new RegularPage(webPort, `page${index}`))
    );
    const terminals = ports.map(([port], index) =>
      guests.use(new RegularTerminal(port, `terminal${index}`, "page0"))
    );
    const all = [...pages, ...terminals];
    await Promise.all(all.map((guest) => guest.entered(1)));
    const say = (guests: readonly RegularPage[]): Promise<unknown> =>
      Promise.all(guests.map((page) => page.say(LINES)));
    await say(pages);

    // The page of the process says its lines after its process has come back.
    const meanwhile = say(pages);
    await pages[1]!.hears("page1", `${LINES + 10}`);
    victim.program.kill("SIGKILL");
    await pages[0]!.hears("page0", `${2 * LINES - 1}`);
    const restarted = await join(1);
    await meanwhile;
    await Promise.all([pages[1]!.entered(2), terminals[1]!.entered(2)]);

    const afterwards = say(pages);
    await pages[1]!.hears("page1", `${2 * LINES + 10}`);
    await broker.kill();
    await broker.start();
    await afterwards;

    const count = 3 * LINES;
    for (const guest of all) {
      for (const { name } of pages) await guest.hears(name, `${count - 1}`);
      for (const { name } of terminals) {
        if (guest.name !== name) await guest.hears(name, `${count - 1}`);
      }
    }
    for (const guest of all) {
      assertOnce(guest.name, guest.heard);
      // It may have lost a line with its process, and has said none twice.
      const ofVictim = guest.from("terminal1").map(Number);
      assertEquals(ofVictim, [...new Set(ofVictim)].sort((a, b) => a - b));
      for (const { name } of pages) {
        assertEquals(guest.from(name), texts(count), `${name}, ${guest.name}`);
      }
      for (const { name } of terminals) {
        if (guest.name === name || name === "terminal1") continue;
        assertEquals(guest.from(name), texts(count), `${name}, ${guest.name}`);
      }
    }
    assertEquals(pages.map(({ hasGap }) => hasGap), [false, false, false]);
    // Connections to other processes have survived.
    assertEquals(all.map(({ entries }) => entries), [1, 2, 1, 1, 2, 1]);
    const names = all.map(({ name }) => name).sort();
    assertEquals(await othersIn(restarted), names);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: the guests of a killed process have left after a while, each once",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using two = await joinCluster(broker);
    await using victim = await joinCluster(broker);
    await using ann = await Visitor.enter(one, "ann");
    await using bob = await Visitor.enter(two, "bob");
    await using _cid = await Visitor.enter(victim, "cid");
    using _terminal = await Deno.connect({ hostname: HOST, port: victim.port });
    await _terminal.write(new TextEncoder().encode("dan\n"));
    const present = ["ann", "bob", "cid", "dan"];
    await ann.receives({ kind: "joined", name: "dan" });
    assertEquals(await othersIn(two), present);
    victim.program.kill("SIGKILL");
    for (const guest of [ann, bob]) {
      await guest.receives({ kind: "left", name: "cid" });
      await guest.receives({ kind: "left", name: "dan" });
    }
    assertEquals(await othersIn(two), ["ann", "bob"]);
    ann.say("end");
    await bob.receives({ kind: "said", name: "ann", text: "end" });
    const left = bob.messages.filter((message) =>
      message.kind === "left" && ["cid", "dan"].includes(message.name)
    );
    assertEquals(left.length, 2);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: after the end of all processes a new one has their lines, and not their guests",
  async () => {
    await using broker = await NatsServer.start();
    {
      await using server = await joinCluster(broker);
      await using ann = await Visitor.enter(server, "ann");
      ann.say("before");
      await ann.receives({ kind: "said", text: "before" });
      server.program.kill("SIGKILL");
      await ann.closed;
    }
    await using server = await joinCluster(broker);
    await using bob = await Visitor.connect(server);
    bob.enter("bob", "key", 0);
    await bob.receives({ kind: "said", name: "ann", text: "before" });
    await bob.receives({ kind: "welcome", name: "bob", isComplete: true });
    await bob.receives({ kind: "left", name: "ann" });
    assertEquals((await othersIn(server)).includes("ann"), false);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: a page that comes back by another process is not announced",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using two = await joinCluster(broker);
    await using bob = await Visitor.enter(two, "bob");
    await using early = await Visitor.enter(one, "ann");
    await bob.receives({ kind: "joined", name: "ann" });
    early.say("first", 1);
    await early.receives({ kind: "said", text: "first" });
    const [welcome] = early.messages;
    const after = welcome?.kind === "welcome" ? welcome.number! : null;
    await using late = await Visitor.connect(two);
    late.enter("ann", early.key, after);
    await late.receives({ kind: "welcome", name: "ann", others: ["bob"] });
    assertEquals(await early.closed, 1001);
    // The page has not seen this line come back. The room has it already.
    late.say("first", 1);
    late.say("second", 2);
    for (const guest of [late, bob]) {
      await guest.receives({ kind: "said", name: "ann", text: "second" });
    }
    assertEquals(
      late.messages.map((message) =>
        message.kind === "said" ? message.text : message.kind
      ),
      ["first", "welcome", "stored", "second"],
    );
    assertEquals(
      bob.messages.map(({ kind }) => kind),
      ["welcome", "joined", "said", "said"],
    );
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: a guest sees that it was away for more lines than the room keeps",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using page = new RegularPage(one.webPort, "page");
    await page.say(510);
    for (const server of [one, await joinCluster(broker)]) {
      await using _end = server;
      using terminal = await Deno.connect({
        hostname: HOST,
        port: server.port,
      });
      await terminal.write(new TextEncoder().encode("bob 1\n"));
      let text = "";
      const decoder = new TextDecoderStream();
      for await (const part of terminal.readable.pipeThrough(decoder)) {
        text += part;
        if (text.endsWith("Lines are missing.\n")) break;
      }
      const lines = text.split("\n").filter((line) => line.includes("page: "));
      assertEquals(lines.length, 500);
    }
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: a process joins while lines are said, of which the oldest are removed",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using page = new RegularPage(one.webPort, "page");
    await page.say(510);
    const meanwhile = page.say(800);
    await using two = await joinCluster(broker);
    await using late = new RegularPage(two.webPort, "late");
    await late.entered(1);
    await meanwhile;
    await late.hears("page", "1309");
    assertOnce("late", late.heard);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: a process that is stopped leaves, and comes back with its guests",
  async () => {
    await using broker = await NatsServer.start();
    await using one = await joinCluster(broker);
    await using two = await joinCluster(broker);
    await using ann = await Visitor.enter(one, "ann");
    await using bob = await Visitor.enter(two, "bob");
    await ann.receives({ kind: "joined", name: "bob" });
    two.program.kill("SIGSTOP");
    await ann.receives({ kind: "left", name: "bob" });
    two.program.kill("SIGCONT");
    await eventually(
      () => ann.messages.filter(({ kind }) => kind === "joined").length === 2,
      "the return",
      20_000,
    );
    bob.say("here again");
    for (const guest of [ann, bob]) {
      await guest.receives({ kind: "said", name: "bob", text: "here again" });
    }
    assertEquals(bob.messages.map(({ kind }) => kind), ["welcome", "said"]);
    assertEquals(await othersIn(one), ["ann", "bob"]);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: Ctrl-C ends a process whose broker is away, and guests that wait",
  async () => {
    await using broker = await NatsServer.start();
    await using server = await joinCluster(broker);
    await using ann = await Visitor.enter(server, "ann");
    await using bob = await Visitor.connect(server);
    await broker.kill();
    ann.say("never stored", 1);
    bob.enter("bob");
    // The process has received both when it answers a request.
    const page = await fetchOnce(`http://${HOST}:${server.webPort}/`);
    await page.text();
    server.program.kill("SIGINT");
    const { code, errors, lines } = await server.program.ending();
    assertEquals([code, errors, lines.at(-1)], [0, "", "Goodbye"]);
    assertEquals(await ann.closed, 1001);
  },
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: without a broker it ends with one line",
  async () => {
    const broker = `${HOST}:${freePort()}`;
    await using program = startChatProcess("--broker", broker, "--port", "0");
    const line = `^Cannot connect to the broker ${broker}: connection refused`;
    assertFailed(await program.ending(), 1, new RegExp(line));
  },
  absence.task,
);

testExamples(
  "chat_cluster: processes that create the log at once all open it",
  async () => {
    await using broker = await NatsServer.start();
    const creators = Array.from(
      { length: CREATORS },
      () => connect({ servers: broker.address }),
    );
    const connections = await Promise.all(creators);
    const manager = await jetstreamManager(connections[0]!);
    for (let creation = 0; creation < CREATIONS; creation++) {
      await Promise.all(connections.map((connection) => Log.open(connection)));
      await manager.streams.delete("chat");
    }
    await Promise.all(connections.map((connection) => connection.close()));
  },
  natsAbsence,
  absence.task,
);
