// Draws docs/img/web_chat.png: the page of the chat in a real browser.
//
//     deno run -A tests/examples/draw_web_chat.ts

import { Chromium } from "./chromium.ts";
import { startNetcat } from "./user.ts";
import { startWebChat } from "./web_chat.ts";

const PICTURE = new URL("../../docs/img/web_chat.png", import.meta.url);

await using server = await startWebChat();
await using browser = await Chromium.start();
const url = `http://127.0.0.1:${server.webPort}/`;
const page = await browser.open(url, 640, 300);
await page.until("document.activeElement?.id === 'name'");
await page.type("ann");
await page.press("Enter");
await page.shows("Connected as ann");

await using bob = startNetcat("127.0.0.1", server.port);
await bob.type("bob\n");
await page.shows("bob has joined");
await bob.type("hello from nc, in a terminal\n");
await page.shows("hello from nc");
await page.type("And from a browser: <b>lines are text</b>");
await page.press("Enter");
await page.shows("lines are text");
await bob.shows("lines are text");
await bob.type("One reactor serves both.\n");
await page.shows("One reactor");
await Deno.writeFile(PICTURE, await page.picture());
