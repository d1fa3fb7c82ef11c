/** The page of the chat, used by its keyboard. */

import type { Chromium, Page } from "./chromium.ts";
import type { WebChat } from "./web_chat.ts";

/** Opens the page, and waits until it asks for a name. */
export async function openPage(
  browser: Chromium,
  { webPort }: WebChat,
  width: number = 800,
): Promise<Page> {
  const url = `http://127.0.0.1:${webPort}/`;
  const page = await browser.open(url, width, 500);
  await page.until("document.activeElement?.id === 'name'");
  return page;
}

/** Enters by the keyboard alone. */
export async function enter(page: Page, name: string): Promise<void> {
  await page.type(name);
  await page.press("Enter");
  await page.shows(`Connected as ${name}`);
  await page.until("document.activeElement?.id === 'text'");
}

/** Types a line, and sends it. */
export async function say(page: Page, line: string): Promise<void> {
  await page.type(line);
  await page.press("Enter");
}
