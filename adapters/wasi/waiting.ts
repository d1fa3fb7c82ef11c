/**
 * The two ways in which a guest waits: blocking its thread, or suspended.
 *
 * @module
 */

import { close, write } from "../../backends/ffi/descriptor.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import type { Readiness } from "./readiness.ts";
import { suspending } from "./suspending.ts";

/** How long a guest may run before Deno's loop gets a turn, in milliseconds. */
const LONGEST_RUN = 2;

/** A way to wait for the files that were asked for in this round. */
export interface Waiting {
  /**
   * Whether a wait is in progress. A guest has one stack. On a second one, which
   * only its host could start, every call works except a wait.
   */
  readonly busy: boolean;

  /**
   * Waits.
   *
   * @param timeout Milliseconds; `Infinity` for no limit
   * @returns the number of ready files, at once or later
   */
  wait(readiness: Readiness, timeout: number): number | Promise<number>;
}

/** Blocks the guest's thread: nothing else in Deno runs meanwhile. */
export const blocking: Waiting = {
  busy: false,
  wait: (readiness, timeout) => readiness.wait(timeout),
};

/** Thrown through the guest's stack when the host stops it. */
export class Stopped {
  constructor(readonly reason: unknown) {}
}

/** The reason of a wait that ends without a ready file: its time, or a file, has gone. */
const OVER = new Deno.errors.TimedOut();

/**
 * Suspends the guest (JSPI) while a reactor waits in its place.
 *
 * A running guest is a chain of microtasks: each call that may suspend takes one,
 * even where it returns at once. The reactor gets its turns in between, and must not
 * sleep then. Deno's loop gets none until the guest suspends.
 */
export class Suspension implements Waiting, Disposable {
  readonly #reactor: Reactor;
  #wait: AbortController | undefined;
  #stopped: Stopped | undefined;
  /** Whether the guest runs, rather than waits. */
  #running = false;
  #staysAwake = false;
  /** When the guest was resumed last. */
  #resumed = 0;

  constructor(reactor: Reactor) {
    this.#reactor = reactor;
    this.#resume();
  }

  get busy(): boolean {
    return this.#wait !== undefined;
  }

  /** Ends the guest at its next call that may wait, or in its present wait. */
  stop(reason: unknown): void {
    this.#stopped ??= new Stopped(reason);
    this.#wait?.abort(this.#stopped);
  }

  /** A call that is an import of the guest, and may suspend it. */
  suspending(
    call: (...args: unknown[]) => number | Promise<number>,
  ): WebAssembly.ImportValue {
    const later = async (args: unknown[]): Promise<number> => {
      await this.yield();
      return call(...args);
    };
    return suspending((...args: unknown[]) => {
      this.#throwIfStopped();
      const due = performance.now() - this.#resumed > LONGEST_RUN;
      return due ? later(args) : call(...args);
    });
  }

  /** Suspends the guest for one turn of the reactor, and so of Deno's loop. */
  async yield(): Promise<void> {
    await new Promise<void>((resolve) => this.#reactor.callSoon(resolve));
    this.#resume();
    this.#throwIfStopped();
  }

  wait(readiness: Readiness, timeout: number): number | Promise<number> {
    const count = readiness.wait(0);
    return count > 0 || timeout === 0
      ? count
      : this.#suspend(readiness, timeout);
  }

  /** Lets the reactor sleep: the guest has ended. */
  [Symbol.dispose](): void {
    this.#running = false;
  }

  async #suspend(readiness: Readiness, timeout: number): Promise<number> {
    const wait = this.#wait = new AbortController();
    const { signal } = wait;
    this.#running = false;
    const timer = timeout < Infinity
      ? this.#reactor.callLater(timeout, () => wait.abort(OVER))
      : undefined;
    readiness.onClose = () => wait.abort(OVER);
    try {
      for (;;) {
        const { waitFd } = readiness;
        if (waitFd < 0) await this.#park(readiness, signal);
        else await this.#reactor.readable(waitFd, { signal });
        const count = readiness.wait(0);
        if (count > 0) return count;
      }
    } catch (error) {
      if (error !== OVER) throw error;
      return readiness.wait(0);
    } finally {
      timer?.cancel();
      readiness.onClose = undefined;
      this.#wait = undefined;
      this.#resume();
    }
  }

  /** Waits on another thread until a file is ready, or the reactor is closed. */
  async #park(readiness: Readiness, signal: AbortSignal): Promise<void> {
    const [reader, writer] = wakePair();
    const wake = (): void => void write(writer, new Uint8Array(1));
    const done = new AbortController();
    let failure: unknown;
    const ended = this.#reactor.readable(reader, { signal: done.signal })
      .then(() => {}, (error) => {
        failure = error;
        wake();
      });
    signal.addEventListener("abort", wake);
    try {
      await readiness.park(reader);
      signal.throwIfAborted();
      if (failure !== undefined) throw failure;
    } finally {
      signal.removeEventListener("abort", wake);
      done.abort();
      await ended;
      close(reader);
      close(writer);
    }
  }

  #resume(): void {
    this.#resumed = performance.now();
    this.#running = true;
    if (!this.#staysAwake) this.#stayAwake();
  }

  /** Keeps a callback queued while the guest runs, so that the reactor only looks. */
  readonly #stayAwake = (): void => {
    this.#staysAwake = this.#running && !this.#reactor.closed;
    if (this.#staysAwake) this.#reactor.callSoon(this.#stayAwake);
  };

  #throwIfStopped(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#reactor.closed) throw new Stopped(closedError());
  }
}

function closedError(): Error {
  return new Deno.errors.Interrupted("Reactor was closed");
}
