/**
 * Ends a reactor in good order: nothing more is accepted, and what is there is
 * finished.
 *
 * @module
 */

import { Acceptor } from "./acceptor.ts";
import { Connection } from "./connection.ts";
import { Listener } from "./deno_net/listener.ts";
import type { Loop } from "./loop.ts";
import type { OptionNames } from "../backends/options.ts";
import type { Timer } from "./timers.ts";

/** How long what is there may take. */
export interface ShutdownOptions {
  /** Milliseconds after which connections are aborted: never, if left out. */
  readonly timeout?: number;
}

/** Their names. */
export const SHUTDOWN_OPTIONS: OptionNames<ShutdownOptions> = { timeout: true };

/** The shutdown of a reactor. */
export class Shutdown {
  /** Resolves when no connection is left, and the reactor stops. */
  readonly done: Promise<void>;
  readonly #loop: Loop;
  readonly #resolve: () => void;
  readonly #onEnd: () => void;
  #over = false;
  #timer: Timer | null = null;

  /** @param onEnd Called when it is over */
  constructor(loop: Loop, onEnd: () => void) {
    this.#loop = loop;
    this.#onEnd = onEnd;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
  }

  /** Begins, or sets another timeout. */
  begin(timeout: number): void {
    for (const resource of [...this.#loop.resources()]) {
      if (resource instanceof Acceptor || resource instanceof Listener) {
        resource.close();
      }
    }
    this.#timer?.cancel();
    this.#timer = timeout === Infinity
      ? null
      : this.#loop.callLater(timeout, () => this.#abortAll());
    // Methods never call back: the end comes from the loop.
    this.#loop.callSoon(() => this.check());
  }

  /** Ends it if no connection is left. */
  check(): void {
    if (this.#over || countConnections(this.#loop) > 0) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#onEnd();
    this.#resolve();
    if (!this.#loop.closed) this.#loop.stop();
  }

  #abortAll(): void {
    for (const resource of [...this.#loop.resources()]) {
      if (!(resource instanceof Connection)) continue;
      const message = "Connection was aborted by the shutdown of its reactor";
      resource.abort(new Deno.errors.TimedOut(message));
    }
  }
}

/** How many connections of a loop are open, or being made. */
export function countConnections(loop: Loop): number {
  let count = 0;
  for (const resource of loop.resources()) {
    if (resource instanceof Connection) count++;
  }
  return count;
}
