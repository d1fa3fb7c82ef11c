/** The page of the chat in a real browser, used by its keyboard. */

import { assert, assertEquals } from "@std/assert";
import { enter, openPage, say } from "./chat_page.ts";
import { Chromium, chromiumAbsence } from "./chromium.ts";
import { freePort, testExamples } from "./start.ts";
import { startNetcat } from "./user.ts";
import { Visitor } from "./visitor.ts";
import { startWebChat } from "./web_chat.ts";

const HOST = "127.0.0.1";

/** The last line of the conversation. */
const LAST = "document.querySelector('#lines li:last-child')";

testExamples(
  "web_chat: a page shows the lines of a terminal as text, and sends its own",
  async () => {
    await using server = await startWebChat();
    await using browser = await Chromium.start();
    const page = await openPage(browser, server);
    await enter(page, "ann");
    await using bob = startNetcat(HOST, server.port);
    await bob.type("bob\n");
    await page.shows("bob has joined");
    await bob.type("<img src=x onerror=alert(1)> & <b>hello</b>\n");
    await page.shows("<img src=x onerror=alert(1)> & <b>hello</b>");
    assertEquals(await page.value("document.images.length"), 0);
    await say(page, "hello, <i>bob</i>");
    await bob.shows("ann: hello, <i>bob</i>\n");
    await page.shows("hello, <i>bob</i>");
    assertEquals(await page.value("document.getElementById('text').value"), "");
    const present = "[...document.querySelectorAll('#present li')]" +
      ".map((item) => item.textContent)";
    assertEquals(await page.value(present), ["ann", "bob"]);
    bob.kill("SIGKILL");
    await page.shows("bob has left");
    assertEquals(await page.value(present), ["ann"]);
  },
  chromiumAbsence,
);

testExamples(
  "web_chat: a page survives a restart of the server, and keeps an unsent line",
  async () => {
    const [port, webPort] = [freePort(), freePort()];
    await using browser = await Chromium.start();
    const page = await (async () => {
      await using server = await startWebChat(port, webPort);
      const page = await openPage(browser, server);
      await enter(page, "ann");
      await say(page, "before");
      await page.until(`${LAST}?.textContent === "annbefore"`);
      server.program.kill("SIGINT");
      assertEquals((await server.program.ending()).code, 0);
      return page;
    })();
    await page.shows("No connection. Next try in ");
    await say(page, "after");
    await page.shows("Not sent: there is no connection yet.");
    await using _server = await startWebChat(port, webPort);
    await page.shows("You are back. Lines may be missing.");
    await page.shows("Connected as ann");
    await page.press("Enter");
    await page.until(`${LAST}?.textContent === "annafter"`);
    await page.shows("before");
  },
  chromiumAbsence,
);

testExamples(
  "web_chat: a page shows why it cannot enter, and lets you choose another name",
  async () => {
    await using server = await startWebChat();
    await using _ann = await Visitor.enter(server, "ann");
    await using browser = await Chromium.start();
    const page = await openPage(browser, server);
    await page.type("ann");
    await page.press("Enter");
    await page.shows("There is a ann here already.");
    await page.until("document.activeElement?.id === 'name'");
    await page.value("document.activeElement.select()");
    await enter(page, "bob");
  },
  chromiumAbsence,
);

/** A node of the accessibility tree. */
interface Node {
  readonly ignored: boolean;
  readonly role?: { readonly value: string };
  readonly name?: { readonly value: string };
}

testExamples(
  "web_chat: all parts of the page have a name for screen readers",
  async () => {
    await using server = await startWebChat();
    await using browser = await Chromium.start();
    const page = await openPage(browser, server);
    await enter(page, "ann");
    await say(page, "hello");
    await page.until(LAST);
    const { nodes } = await page.send("Accessibility.getFullAXTree");
    const named = (nodes as Node[]).filter(({ ignored }) => !ignored)
      .map(({ role, name }) => `${role?.value}: ${name?.value}`);
    for (
      const wanted of [
        "heading: Web chat",
        "textbox: Message",
        "button: Send",
        "log: Conversation",
        "region: Here now",
      ]
    ) {
      assert(named.includes(wanted), `${wanted} is not in ${named.join(", ")}`);
    }
    assertEquals(
      await page.value("document.querySelector('#status').role"),
      "status",
    );
  },
  chromiumAbsence,
);

testExamples(
  "web_chat: the page fits a phone, and is dark where the system is",
  async () => {
    await using server = await startWebChat();
    await using browser = await Chromium.start();
    const page = await openPage(browser, server, 320);
    await enter(page, "ann");
    await say(page, "x".repeat(500));
    await page.until(LAST);
    const fits = "document.documentElement.scrollWidth === 320 && " +
      "document.documentElement.scrollHeight === 500";
    assert(await page.value(fits));
    assertEquals(
      await page.value(
        "[...document.querySelectorAll('input, button')]" +
          ".filter((item) => item.offsetHeight > 0)" +
          ".every((item) => item.offsetHeight >= 44)",
      ),
      true,
    );
    const back = "getComputedStyle(document.body).backgroundColor";
    assertEquals(await page.value(back), "rgb(255, 255, 255)");
    await page.send("Emulation.setEmulatedMedia", {
      features: [{ name: "prefers-color-scheme", value: "dark" }],
    });
    assertEquals(await page.value(back), "rgb(21, 25, 30)");
  },
  chromiumAbsence,
);
