/**
 * Calls that wait although the files underneath never do.
 *
 * @module
 */

import { EAGAIN, EBUSY } from "../../backends/wasi/errno.ts";
import type { GuestStream } from "./guest_file.ts";
import type { Readiness } from "./readiness.ts";
import type { Sleeper } from "./sleeper.ts";

/** Tries again, for a guest that wants to wait. */
export class Patience {
  readonly #readiness: Readiness;
  readonly #sleeper: Sleeper;

  constructor(readiness: Readiness, sleeper: Sleeper) {
    this.#readiness = readiness;
    this.#sleeper = sleeper;
  }

  /**
   * Attempts something until it does not have to wait any more.
   *
   * @param events What to wait for in between
   * @param attempt Returns an error number: EAGAIN if it would have to wait
   */
  persist(
    stream: GuestStream,
    events: number,
    attempt: () => number,
  ): number | Promise<number> {
    for (;;) {
      const errno = attempt();
      if (errno !== EAGAIN || stream.nonblocking) return errno;
      if (this.#sleeper.busy) return EBUSY;
      this.#readiness.begin();
      const refused = this.#readiness.ask(stream.fileobj, events);
      if (refused !== 0) return refused;
      const sleep = this.#sleeper.sleep(this.#readiness, Infinity);
      if (typeof sleep !== "number") {
        return sleep.then(() => this.persist(stream, events, attempt));
      }
    }
  }
}
