/**
 * Turns for Deno's loop beside a guest that never has to wait.
 *
 * @module
 */

/** How long a guest may keep the thread, in milliseconds. */
const LONGEST_RUN = 2;

/** One `setImmediate` turns Deno's timers; that many in a row also turn its I/O. */
const IMMEDIATES = 64;

/** Says when Deno's loop is due for a turn, and gives it one. */
export class Turns {
  #last = performance.now();

  /** Whether the guest has had the thread for long enough. */
  get due(): boolean {
    return performance.now() - this.#last > LONGEST_RUN;
  }

  /** Lets Deno's loop turn. */
  async take(): Promise<void> {
    for (let count = 0; count < IMMEDIATES; count++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#last = performance.now();
  }
}
