/**
 * Watches Deno's epoll instance by the reactor's selector. A wait then ends for Deno's
 * I/O, too.
 *
 * @module
 */

import { denoTurn } from "./deno_turn.ts";
import type { InternalWatches } from "./shared_loop.ts";

/** Watches Deno's epoll instance by the reactor's selector. */
export class DenoWatch {
  /** Whether Deno's epoll instance was ready at the last wait. */
  ready = false;
  fd = -1;
  readonly #watches: InternalWatches;
  readonly #onReady = (): void => {
    this.ready = true;
  };

  constructor(watches: InternalWatches) {
    this.#watches = watches;
  }

  /** Starts or ends the watch. A parked wait leaves Deno's I/O to Deno's own loop. */
  watch(watching: boolean): void {
    const fd = watching ? denoTurn.epoll?.fd ?? -1 : -1;
    if (fd === this.fd) return;
    if (this.fd !== -1) this.#watches.unwatch(this);
    this.fd = fd;
    if (fd !== -1) this.#start();
  }

  #start(): void {
    try {
      this.#watches.watch(this, this.#onReady);
    } catch {
      // A limit of watches (ENOSPC) or of the selector: Deno's I/O then waits for the
      // end of a slice.
      this.fd = -1;
    }
  }
}
