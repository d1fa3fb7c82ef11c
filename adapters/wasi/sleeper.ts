/**
 * The two ways in which a guest can wait: with its thread, or suspended.
 *
 * @module
 */

import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import type { Interest, Readiness } from "./readiness.ts";
import type { Waiter } from "./waiter.ts";

/** Waits for what was asked for in this round. */
export interface Sleeper {
  /**
   * Whether a wait is under way. A guest has one stack: on a second one, which
   * only its host could start, it may do anything but wait.
   */
  readonly busy: boolean;

  /**
   * @param timeout Milliseconds; `Infinity` is for ever
   * @returns how many files are ready, at once or later
   */
  sleep(readiness: Readiness, timeout: number): number | Promise<number>;
}

/** The guest keeps its thread while it waits: nothing else in Deno moves. */
export const blockingSleeper: Sleeper = {
  busy: false,
  sleep: (readiness, timeout) => readiness.wait(timeout),
};

/** The guest is taken off its thread while it waits (JSPI): Deno's loop goes on. */
export class SuspendingSleeper implements Sleeper {
  readonly #waiter: Waiter;
  #sleep: AbortController | undefined;
  #stopped: { readonly reason: unknown } | undefined;

  constructor(waiter: Waiter) {
    this.#waiter = waiter;
  }

  get busy(): boolean {
    return this.#sleep !== undefined;
  }

  /** Ends the wait that is under way, and every later one, with an error. */
  stop(reason: unknown): void {
    this.#stopped = { reason };
    this.#sleep?.abort(reason);
  }

  /** @throws {unknown} the reason that `stop` was given */
  throwIfStopped(): void {
    if (this.#stopped !== undefined) throw this.#stopped.reason;
  }

  sleep(readiness: Readiness, timeout: number): number | Promise<number> {
    const count = readiness.wait(0);
    return count > 0 || timeout === 0
      ? count
      : this.#suspend(readiness, timeout);
  }

  async #suspend(readiness: Readiness, timeout: number): Promise<number> {
    const deadline = performance.now() + timeout;
    for (let left = timeout; left > 0; left = deadline - performance.now()) {
      await this.#untilReady(readiness.interests(), left);
      const count = readiness.wait(0);
      if (count > 0) return count;
    }
    return 0;
  }

  /** Until one of the files is ready, or the time is over. */
  async #untilReady(
    interests: readonly Interest[],
    timeout: number,
  ): Promise<void> {
    this.throwIfStopped();
    const sleep = this.#sleep = new AbortController();
    const { signal } = sleep;
    const waits = interests.map((interest) => this.#ready(interest, signal));
    if (timeout < Infinity) waits.push(delay(timeout, signal));
    try {
      await Promise.race(waits);
    } finally {
      this.#sleep = undefined;
      sleep.abort();
    }
  }

  #ready(
    { fileobj, events }: Interest,
    signal: AbortSignal,
  ): PromiseLike<unknown> {
    const waits: PromiseLike<unknown>[] = [];
    if ((events & EVENT_READ) !== 0) {
      waits.push(this.#waiter.readable(fileobj, { signal }));
    }
    if ((events & EVENT_WRITE) !== 0) {
      waits.push(this.#waiter.writable(fileobj, { signal }));
    }
    return waits.length === 1 ? waits[0]! : Promise.race(waits);
  }
}

/** The most that `setTimeout` takes; who waits longer comes back and waits again. */
const LONGEST_TIMER = 2 ** 31 - 1;

function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.min(milliseconds, LONGEST_TIMER));
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
