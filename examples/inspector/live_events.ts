/**
 * Server-sent events: the samples and faults of a history, for each open page.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { History } from "./history.ts";

/** A page with more unsent bytes is disconnected. It connects again. */
const MAXIMUM_QUEUED = 1024 * 1024;

/** Sends each new sample and fault to all open pages. */
export class LiveEvents {
  readonly #history: History;
  readonly #pages = new Set<ServerResponse>();

  /** Subscribes to a history. */
  constructor(history: History) {
    this.#history = history;
    history.onSample = (sample) => this.#sendAll("sample", sample);
    history.onFault = (fault) => this.#sendAll("fault", fault);
  }

  /** Answers the request of a page: the history first. */
  serve(_request: IncomingMessage, response: ServerResponse): void {
    const { samples, faults } = this.#history;
    response.setHeader("Content-Type", "text/event-stream");
    response.write(eventOf("history", { samples, faults }));
    this.#pages.add(response);
    response.once("close", () => this.#pages.delete(response));
  }

  /** Ends the answers. */
  close(): void {
    for (const page of this.#pages) page.end();
  }

  #sendAll(name: string, data: unknown): void {
    if (this.#pages.size === 0) return;
    const event = eventOf(name, data);
    for (const page of this.#pages) {
      if (page.writableLength > MAXIMUM_QUEUED) page.destroy();
      else page.write(event);
    }
  }
}

/** JSON has no line break, so the data is one line. */
function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
