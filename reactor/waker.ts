/**
 * Ends a wait from outside: from another thread, or from this one while its
 * wait is parked.
 *
 * @module
 */

import { close, pipe, read, write } from "../backends/ffi/descriptor.ts";

const ONE_BYTE = new Uint8Array(new ArrayBuffer(1));

/**
 * Wakes the reactor to which a waker's descriptor belongs. Descriptors are the
 * same in all threads of a process, so a `Worker` that was sent the number of
 * `reactor.wakeFd` may call this. Waking twice before the reactor looks is
 * waking once.
 *
 * @param wakeFd The number, as it was while the reactor was open
 * @throws {SystemError} `Deno.errors.BadResource` if the reactor is closed, and its
 *   number nobody else's yet
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
  // A full pipe wakes as well as one more byte would.
  write(wakeFd, ONE_BYTE);
}

/** A pipe with one end to watch and one end to poke. */
export class Waker {
  /** The end that is watched. */
  readonly fd: number;
  /** The end whose number other threads are given. */
  readonly wakeFd: number;
  readonly #scratch = new Uint8Array(new ArrayBuffer(512));

  constructor() {
    [this.fd, this.wakeFd] = pipe();
  }

  /** Empties the pipe: any number of pokes are one. */
  drain(): void {
    while (read(this.fd, this.#scratch) === this.#scratch.length);
  }

  /** Closes both ends. */
  close(): void {
    close(this.fd);
    close(this.wakeFd);
  }
}
