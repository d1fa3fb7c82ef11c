/**
 * The rows of `reactor.describe()`, one line of JSON each.
 *
 * @module
 */

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Reactor } from "../../mod.ts";

/** Rows in one piece of the answer, which takes well below a millisecond. */
const ROWS = 32;

/** Sends a row for each descriptor and timer; other callbacks run in between. */
export async function sendRows(
  reactor: Reactor,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("Content-Type", "application/x-ndjson");
  // The rows have times of this clock.
  let text = `${
    JSON.stringify({ subject: "clock", now: performance.now() })
  }\n`;
  let rows = 0;
  for await (const row of reactor.describe()) {
    text += `${JSON.stringify(row)}\n`;
    if (++rows % ROWS !== 0) continue;
    const hasRoom = response.write(text);
    text = "";
    if (!hasRoom) await untilRoom(response);
    if (response.destroyed) return;
  }
  response.end(text);
}

/** Waits until the page has read, or has gone. */
async function untilRoom(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const either = new AbortController();
  const { signal } = either;
  const events = ["drain", "close"].map((name) =>
    once(response, name, { signal }).catch(() => {})
  );
  await Promise.race(events);
  either.abort();
}
