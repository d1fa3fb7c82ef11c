/** The inspector's page in a real browser, used by its keyboard. */

import { assert, assertEquals } from "@std/assert";
import { Chromium, chromiumAbsence, type Page } from "./chromium.ts";
import { Client, type Inspector, startInspector } from "./inspector.ts";
import { testExamples } from "./start.ts";

/** Opens the page, and waits until it has a sample and rows. */
async function openPage(
  browser: Chromium,
  { url }: Inspector,
  width: number = 1000,
): Promise<Page> {
  const page = await browser.open(url, width, 700);
  await page.until("document.querySelector('#registered')?.textContent > '0'");
  await page.until("document.querySelectorAll('#descriptors tbody tr').length");
  return page;
}

/** The texts of a column of the table. */
function column(index: number): string {
  return "[...document.querySelectorAll('#descriptors tbody tr')]" +
    `.map((row) => row.cells[${index}].textContent)`;
}

testExamples(
  "inspector: the page shows a load, a descriptor that spins, and a slow callback",
  async () => {
    await using inspector = await startInspector();
    await using browser = await Chromium.start();
    const page = await openPage(browser, inspector);
    using load = await Client.connect(inspector);
    using client = await Client.connect(inspector);
    const talk = load.talk();
    // The number has a comma from a thousand on.
    await page.until(
      "document.querySelector('#events').textContent.length >= '100/s'.length",
    );
    await client.say("stall");
    await page.shows("echo blocked the loop");
    await page.shows("move it to a Worker");
    await client.say("spin");
    await page.shows("callback forgetToRead");
    await page.shows("unregister it while the program cannot use it");
    // It is the busiest one, which is the first row, and red.
    await page.until(`${column(1)}[0] === "forgetToRead"`);
    await page.until(
      "document.querySelector('#descriptors tbody tr.spinning') !== null",
    );
    // Its profile names the slow function.
    await page.until(
      "[...document.querySelectorAll('.fault li')]" +
        ".some((item) => item.textContent.startsWith('stall'))",
    );
    load[Symbol.dispose]();
    await talk;
  },
  chromiumAbsence,
);

testExamples(
  "inspector: the table is sorted and filtered, and a row has its story",
  async () => {
    await using inspector = await startInspector();
    await using browser = await Chromium.start();
    const page = await openPage(browser, inspector);
    using client = await Client.connect(inspector);
    await client.say("hello");
    await page.until(`${column(1)}.includes("echo")`);
    const head = "document.querySelector('#descriptors th button')";
    await page.value(`${head}.focus()`);
    await page.press("Enter");
    const descends = await page.value<string[]>(column(0));
    await page.press("Enter");
    const ascends = await page.value<string[]>(column(0));
    assertEquals(descends.map(Number), ascends.map(Number).reverse());
    assertEquals(
      ascends.map(Number),
      ascends.map(Number).toSorted((a, b) => a - b),
    );
    assertEquals(
      await page.value(`${head}.closest("th").ariaSort`),
      "ascending",
    );
    await page.value("document.querySelector('#filter').focus()");
    await page.type("ECHO");
    await page.until(`${column(1)}.every((name) => name === "echo")`);
    await page.value(
      "document.querySelector('#descriptors tbody button').focus()",
    );
    await page.press("Enter");
    await page.until("document.querySelector('dialog').open");
    await page.shows("Bytes written");
    const fields = "document.querySelector('#story-fields').innerText";
    await page.until(`${fields}.includes("5 B")`);
    // The end of the connection ends the story.
    client[Symbol.dispose]();
    await page.shows("(closed)");
  },
  chromiumAbsence,
);

testExamples(
  "inspector: the page connects again after a restart of the program",
  async () => {
    await using browser = await Chromium.start();
    const [page, port] = await (async () => {
      await using inspector = await startInspector();
      const page = await openPage(browser, inspector);
      inspector.program.kill("SIGINT");
      await inspector.program.ending();
      return [page, Number(new URL(inspector.url).port)] as const;
    })();
    await page.shows("No connection. The page tries again.");
    await using _inspector = await startInspector(port);
    await page.until(
      "document.querySelector('#status').textContent === 'Connected'",
    );
  },
  chromiumAbsence,
);

testExamples(
  "inspector: the page fits a phone, and is dark where the system is",
  async () => {
    await using inspector = await startInspector();
    await using browser = await Chromium.start();
    const page = await openPage(browser, inspector, 320);
    assert(
      await page.value("document.documentElement.scrollWidth === 320"),
    );
    assert(
      await page.value("document.querySelector('canvas').clientWidth <= 320"),
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
