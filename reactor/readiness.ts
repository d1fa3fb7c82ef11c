/**
 * Readiness as promises: for who would rather wait than be called.
 *
 * @module
 */

import { fileDescriptor, type FileObject } from "../backends/ffi/descriptor.ts";
import type { EVENT_READ, EVENT_WRITE } from "../backends/selector.ts";
import type { HandlerPairs } from "./handler_pairs.ts";
import type { Owned } from "./loop.ts";

/** How to wait. */
export interface ReadinessOptions {
  /** Ends the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * What `readable()` and `writable()` return: a promise of being ready once, and
 * an iterable of being ready again and again, for which nothing is registered
 * until it is awaited or iterated.
 */
export class Readiness implements PromiseLike<void>, AsyncIterable<void> {
  readonly #pairs: HandlerPairs;
  readonly #fileobj: FileObject;
  readonly #event: number;
  readonly #signal: AbortSignal | undefined;

  /** Made by `readable()` and `writable()`. */
  constructor(
    pairs: HandlerPairs,
    fileobj: FileObject,
    event: typeof EVENT_READ | typeof EVENT_WRITE,
    signal: AbortSignal | undefined,
  ) {
    fileDescriptor(fileobj);
    this.#pairs = pairs;
    this.#fileobj = fileobj;
    this.#event = event;
    this.#signal = signal;
  }

  /** Waits until the file object is ready. */
  then<Result = void, Failure = never>(
    onReady?: ((value: void) => Result | PromiseLike<Result>) | null,
    onFailure?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    return this.#once().then(onReady, onFailure);
  }

  /** Waits until the file object is ready, then again, until the loop over it ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<void> {
    for (;;) {
      await this.#once();
      yield;
    }
  }

  /** Registers for one event. Whatever ends the wait ends the registration. */
  #once(): Promise<void> {
    const signal = this.#signal;
    const { loop } = this.#pairs;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const end = (): void => {
        this.#pairs.removeWait(this.#fileobj, this.#event, ready);
        loop.disown(wait);
        signal?.removeEventListener("abort", abort);
      };
      const fail = (reason: unknown): void => {
        end();
        reject(reason);
      };
      const abort = (): void => fail(signal!.reason);
      const wait: Owned = { place: -1, destroy: () => fail(closedMeanwhile()) };
      const ready = (): void => {
        end();
        resolve();
      };
      this.#pairs.addWait(this.#fileobj, this.#event, ready, fail);
      loop.own(wait);
      signal?.addEventListener("abort", abort);
    });
  }
}

function closedMeanwhile(): Error {
  return new Deno.errors.Interrupted("Reactor was closed");
}
