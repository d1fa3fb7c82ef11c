// Draws docs/img/inspector.png: the page in a real browser, for a server with a load,
// a slow callback and a descriptor that spins.
//
//     deno run -A tests/examples/draw_inspector.ts

import { Chromium } from "./chromium.ts";
import { Client, startInspector } from "./inspector.ts";

const PICTURE = new URL("../../docs/img/inspector.png", import.meta.url);

/** How long each state of the server continues in the plots, in milliseconds. */
const PHASE = 4000;

const pass = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, PHASE));

await using inspector = await startInspector();
await using browser = await Chromium.start();
const page = await browser.open(inspector.url, 1180, 860);
using load = new DisposableStack();
const talks = [];
for (let count = 0; count < 6; count++) {
  const client = load.use(await Client.connect(inspector));
  talks.push(client.talk());
}
using client = await Client.connect(inspector);
await pass();
await client.say("stall");
await page.shows("echo blocked the loop");
await pass();
await client.say("spin");
await page.until("document.querySelector('tr.spinning') !== null");
await pass();
await Deno.writeFile(PICTURE, await page.picture());
load.dispose();
await Promise.all(talks);
