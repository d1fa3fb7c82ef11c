/** The page of the chat, in a real browser, whose process is killed. */

import { assertEquals } from "@std/assert";
import { joinCluster } from "./chat_cluster.ts";
import { enter, openPage, say } from "./chat_page.ts";
import { Chromium, chromiumAbsence } from "./chromium.ts";
import { natsAbsence, NatsServer } from "./nats_server.ts";
import { absence, testExamples } from "./start.ts";
import { Visitor } from "./visitor.ts";

/** The texts of the conversation, also those of notices. */
const LINES = "[...document.querySelectorAll('#lines li')]" +
  ".map((item) => item.textContent)";

testExamples(
  "chat_cluster: a page whose process was killed comes back on the same port by another, and misses no line",
  async () => {
    await using broker = await NatsServer.start();
    await using victim = await joinCluster(broker);
    await using elsewhere = await joinCluster(broker);
    await using bob = await Visitor.enter(elsewhere, "bob");
    await using browser = await Chromium.start();
    // The only process on its port up to now.
    const page = await openPage(browser, victim);
    await enter(page, "ann");
    await say(page, "before");
    await bob.receives({ kind: "said", name: "ann", text: "before" });
    await page.shows("before");
    const { port, webPort } = victim;
    await using _other = await joinCluster(broker, port, webPort);

    victim.program.kill("SIGKILL");
    await page.shows("No connection. Next try in ");
    bob.say("meanwhile");
    await bob.receives({ kind: "said", name: "bob", text: "meanwhile" });
    await page.shows("You are back.");
    await say(page, "after");
    await bob.receives({ kind: "said", name: "ann", text: "after" });
    await page.shows("after");
    const lines = await page.value<string[]>(LINES);
    assertEquals(
      lines.filter((line) => line !== "You are back."),
      ["annbefore", "bobmeanwhile", "annafter"],
    );
  },
  chromiumAbsence,
  natsAbsence,
  absence.task,
);

testExamples(
  "chat_cluster: a page says that its line waits for the broker, and sends it once",
  async () => {
    await using broker = await NatsServer.start();
    await using server = await joinCluster(broker);
    await using browser = await Chromium.start();
    const page = await openPage(browser, server);
    await enter(page, "ann");
    await broker.kill();
    await say(page, "meanwhile");
    await page.shows("The room does not answer. Your line waits.");
    await broker.start();
    await page.shows("meanwhile");
    await page.shows("Connected as ann");
    await say(page, "after");
    await page.shows("after");
    const lines = await page.value<string[]>(LINES);
    assertEquals(lines, ["annmeanwhile", "annafter"]);
  },
  chromiumAbsence,
  natsAbsence,
  absence.task,
);
