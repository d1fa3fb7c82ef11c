/** The page of the chat, in a real browser, whose process is killed. */

import { assertEquals } from "@std/assert";
import { joinCluster } from "./chat_cluster.ts";
import { Chromium, chromiumAbsence, type Page } from "./chromium.ts";
import { natsAbsence, NatsServer } from "./nats_server.ts";
import { absence, testExamples } from "./start.ts";
import { Visitor } from "./visitor.ts";
import type { WebChat } from "./web_chat.ts";

/** The texts of the conversation, also those of notices. */
const LINES = "[...document.querySelectorAll('#lines li')]" +
  ".map((item) => item.textContent)";

async function enter(
  browser: Chromium,
  { webPort }: WebChat,
  name: string,
): Promise<Page> {
  const page = await browser.open(`http://127.0.0.1:${webPort}/`, 800, 500);
  await page.until("document.activeElement?.id === 'name'");
  await page.type(name);
  await page.press("Enter");
  await page.shows(`Connected as ${name}`);
  return page;
}

async function say(page: Page, line: string): Promise<void> {
  await page.type(line);
  await page.press("Enter");
}

testExamples(
  "chat_cluster: a page whose process was killed comes back on the same port by another, and misses no line",
  async () => {
    await using broker = await NatsServer.start();
    await using victim = await joinCluster(broker);
    await using elsewhere = await joinCluster(broker);
    await using bob = await Visitor.enter(elsewhere, "bob");
    await using browser = await Chromium.start();
    // The only process on its port up to now.
    const page = await enter(browser, victim, "ann");
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
    const page = await enter(browser, server, "ann");
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
