/**
 * Signals as callbacks of the loop, also during `run()`.
 *
 * @module
 */

import { SignalPipe } from "../backends/signal_pipe.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";

/**
 * A watch of a signal, which `onSignal()` returns.
 *
 * @example
 * ```ts ignore
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * const server = reactor.listen({ port: 8001 }, (peer) => peer.close());
 * reactor.onSignal("SIGINT", () => server.close());
 * reactor.run(); // until Ctrl-C
 * ```
 */
export interface SignalWatch extends Disposable {
  /** Ends the watch. Returns false if it has ended already. */
  cancel(): boolean;
}

/** The signals that one reactor watches, by one worker and one pipe. */
export class Signals implements Owned {
  [PLACE] = -1;
  readonly #loop: Loop;
  readonly #pipe = new SignalPipe();
  /** The callbacks of each signal, by its byte in the pipe. */
  readonly #callbacks: Set<() => void>[] = [];
  readonly #bytes = new Map<Deno.Signal, number>();

  constructor(loop: Loop) {
    this.#loop = loop;
    try {
      loop.own(this);
      loop.watch(this, () => this.#dispatch());
    } catch (error) {
      loop.disown(this);
      this.#pipe.close();
      throw error;
    }
  }

  /** The descriptor that is readable after a signal. */
  get fd(): number {
    return this.#pipe.fd;
  }

  /** Watches a signal. A signal that arrives after the return is not missed. */
  watch(signal: Deno.Signal, callback: () => void): SignalWatch {
    const byte = this.#byteOf(signal);
    const watchers = this.#callbacks[byte]!;
    if (watchers.size === 0) this.#toggle(signal, byte);
    // A function of its own for each watch: a callback may have two. It may be called
    // after another watch of the same signal has cancelled this one.
    const watcher = (): void => {
      if (watchers.has(watcher)) callback();
    };
    // Diagnosis reports a stall by the name of the function that is called.
    Object.defineProperty(watcher, "name", { value: callback.name });
    watchers.add(watcher);
    const cancel = (): boolean => {
      if (!watchers.delete(watcher)) return false;
      if (watchers.size === 0) this.#toggle(signal, byte);
      return true;
    };
    return { cancel, [Symbol.dispose]: () => void cancel() };
  }

  /** Ends all watches. */
  [DESTROY](): void {
    for (const [signal, byte] of this.#bytes) {
      const watchers = this.#callbacks[byte]!;
      if (watchers.size === 0) continue;
      watchers.clear();
      this.#toggle(signal, byte);
    }
    this.#loop.unwatch(this);
    this.#pipe.close();
  }

  #dispatch(): void {
    for (const byte of this.#pipe.read()) {
      for (const watcher of [...this.#callbacks[byte] ?? []]) {
        this.#loop.guard(watcher);
      }
    }
  }

  /** Returns the byte of a signal, from 1: the pipe uses 0. */
  #byteOf(signal: Deno.Signal): number {
    const known = this.#bytes.get(signal);
    if (known !== undefined) return known;
    const byte = this.#bytes.size + 1;
    this.#bytes.set(signal, byte);
    this.#callbacks[byte] = new Set();
    return byte;
  }

  #toggle(signal: Deno.Signal, byte: number): void {
    for (const early of this.#pipe.toggle(signal, byte)) {
      for (const watcher of this.#callbacks[early] ?? []) {
        this.#loop.callSoon(watcher);
      }
    }
  }
}

/**
 * Checks that a signal can be watched: Deno adds a listener, which is removed at once.
 *
 * @throws {TypeError} if there is no such signal, or it cannot be caught
 */
export function checkSignal(signal: Deno.Signal): void {
  const nothing = (): void => {};
  Deno.addSignalListener(signal, nothing);
  Deno.removeSignalListener(signal, nothing);
}
