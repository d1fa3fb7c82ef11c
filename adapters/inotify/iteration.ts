/**
 * One iteration over events.
 *
 * @module
 */

import type { InotifyEvent } from "./events.ts";

/** The events of an iteration. */
export interface EventSource {
  /** Whether there are no more events. */
  isClosed(): boolean;
  /** Takes the next event; undefined if none was read. */
  take(): InotifyEvent | undefined;
  /** Waits for events, and reads them. */
  fetch(): Promise<void>;
  /** Ends the wait of `fetch()`, which then resolves. */
  interrupt(): void;
}

/** Not a generator: its `return()` would wait for the pending `next()`. */
export class EventIteration
  implements AsyncIterableIterator<InotifyEvent, void> {
  readonly #source: EventSource;
  #over = false;
  /** Resolves when the calls before are done. */
  #previous: Promise<unknown> = Promise.resolve();

  constructor(source: EventSource) {
    this.#source = source;
  }

  next(): Promise<IteratorResult<InotifyEvent, void>> {
    const result = this.#previous.then(() => this.#next());
    this.#previous = result.catch(() => {});
    return result;
  }

  async #next(): Promise<IteratorResult<InotifyEvent, void>> {
    try {
      while (!this.#over && !this.#source.isClosed()) {
        const event = this.#source.take();
        if (event !== undefined) return { value: event, done: false };
        await this.#source.fetch();
      }
    } catch (error) {
      this.#over = true;
      throw error;
    }
    this.#over = true;
    return { value: undefined, done: true };
  }

  /** Ends the wait under way. An event that comes later is for the next iteration. */
  // deno-lint-ignore require-await -- as the interface has it
  async return(): Promise<IteratorResult<InotifyEvent, void>> {
    if (!this.#over) this.#source.interrupt();
    this.#over = true;
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
