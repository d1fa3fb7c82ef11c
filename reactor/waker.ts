/**
 * Ends a wait from another thread, or a parked wait from this one.
 *
 * @module
 */

import { close, read, write } from "../backends/ffi/descriptor.ts";
import { wakePair } from "../backends/ffi/wake_pair.ts";
import { EVENT_READ, type Selector } from "../backends/selector.ts";
import type { Callback } from "./callback.ts";

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/**
 * Wakes a reactor. All threads of a process share its descriptors, so a `Worker` may
 * call this with the number of `reactor.wakeFd`. Two calls before the reactor takes a
 * turn wake it once.
 *
 * @param wakeFd `reactor.wakeFd`, read while the reactor was open
 * @throws {SystemError} `Deno.errors.BadResource` if the reactor is closed, and its
 *   descriptor not reused yet
 *
 * @example
 * ```ts
 * import { Reactor, wake } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * wake(reactor.wakeFd); // often called in a Worker
 * reactor.runOnce();
 * ```
 */
export function wake(wakeFd: number): void {
  // A full pipe is readable, too: EAGAIN is no failure.
  write(wakeFd, ONE_BYTE);
}

/** A pipe, or a pair of sockets, whose reading end is watched. */
export class Waker {
  /** The end to watch. */
  readonly fd: number;
  /** The end to write to, from any thread. */
  readonly wakeFd: number;
  readonly #scratch = new Uint8Array(new ArrayBuffer(512));

  /** @throws {SystemError} `EMFILE`: no descriptors left */
  constructor() {
    [this.fd, this.wakeFd] = wakePair();
  }

  /**
   * Creates a waker that ends the waits of a selector, and drains itself.
   *
   * @param counts Counted each event before its callback; a wake-up is none
   */
  static registeredWith(
    selector: Selector<Callback>,
    counts: { events: number },
  ): Waker {
    const waker = new Waker();
    try {
      selector.register(waker, EVENT_READ, () => {
        counts.events--;
        waker.drain();
      });
      return waker;
    } catch (error) {
      waker.close();
      throw error;
    }
  }

  /** Empties the pipe: any number of bytes is one wake-up. */
  drain(): void {
    while (read(this.fd, this.#scratch) === this.#scratch.length);
  }

  /** Closes both ends. */
  close(): void {
    close(this.fd);
    close(this.wakeFd);
  }
}
