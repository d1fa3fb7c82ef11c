/**
 * Readiness as promises.
 *
 * @module
 */

import { unwatchClose, watchClose } from "../backends/ffi/close_watch.ts";
import { fileDescriptor, type FileObject } from "../backends/ffi/descriptor.ts";
import type { EVENT_READ, EVENT_WRITE } from "../backends/selector.ts";
import { closedError, type HandlerPairs } from "./handler_pairs.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";
import { type TurnBound, UNSERVED } from "./turn_waits.ts";
import { checkOptions, type OptionNames } from "../backends/ffi/options.ts";

/** Options of `readable()` and `writable()`. */
export interface ReadinessOptions {
  /** Cancels the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

const READINESS_OPTIONS: OptionNames<ReadinessOptions> = { signal: true };

/**
 * The result of `readable()` and `writable()`: a promise of readiness, and an async
 * iterable of repeated readiness. Nothing is registered until it is awaited or iterated.
 *
 * @example
 * ```ts
 * import { pipe, read, write } from "@pollux/reactor/socket";
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const [reader, writer] = pipe();
 * setTimeout(() => write(writer, new TextEncoder().encode("hello")), 5);
 * await reactor.readable(reader, { signal: AbortSignal.timeout(5000) });
 * assertEquals(read(reader, new Uint8Array(16)), 5);
 * ```
 */
export interface Readiness extends PromiseLike<void>, AsyncIterable<void> {
  /** Waits until the file object is ready. */
  then<Result = void, Failure = never>(
    onReady?: ((value: void) => Result | PromiseLike<Result>) | null,
    onFailure?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure>;

  /** Waits until the file object is ready, repeatedly until the `for await` loop ends. */
  [Symbol.asyncIterator](): AsyncIterableIterator<void, void>;
}

/** The readiness of a file object for one event. */
export class EventReadiness implements Readiness {
  readonly #pairs: HandlerPairs;
  readonly #fileobj: FileObject;
  readonly #event: number;
  readonly #signal: AbortSignal | undefined;

  constructor(
    pairs: HandlerPairs,
    fileobj: FileObject,
    event: typeof EVENT_READ | typeof EVENT_WRITE,
    options: ReadinessOptions,
  ) {
    checkOptions(options, READINESS_OPTIONS);
    fileDescriptor(fileobj);
    this.#pairs = pairs;
    this.#fileobj = fileobj;
    this.#event = event;
    this.#signal = options.signal;
  }

  then<Result = void, Failure = never>(
    onReady?: ((value: void) => Result | PromiseLike<Result>) | null,
    onFailure?: ((reason: unknown) => Failure | PromiseLike<Failure>) | null,
  ): Promise<Result | Failure> {
    return this.#once().then(onReady, onFailure);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<void, void> {
    return new ReadinessIterator((wait) => this.#once(wait));
  }

  /**
   * Registers for one event until the wait ends.
   *
   * @param begun Receives a function that ends the wait as if the file object were ready
   */
  #once(begun?: Wait): Promise<void> {
    const signal = this.#signal;
    const { loop } = this.#pairs;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const fd = fileDescriptor(this.#fileobj);
      const end = (): void => {
        this.#pairs.removeWait(this.#fileobj, this.#event, ready);
        loop.disown(wait);
        loop.forgetTurn(wait);
        unwatchClose(fd, closed);
        signal?.removeEventListener("abort", abort);
      };
      const fail = (reason: unknown): void => {
        end();
        reject(reason);
      };
      const abort = (): void => fail(signal!.reason);
      const closed = (): void => fail(closedError());
      const wait: Owned & TurnBound = {
        [PLACE]: -1,
        [DESTROY]: () => fail(closedMeanwhile()),
        [UNSERVED]: fail,
      };
      const ready = (): void => {
        end();
        resolve();
      };
      this.#register(wait, ready, fail);
      loop.awaitTurn(wait);
      watchClose(fd, closed);
      signal?.addEventListener("abort", abort);
      if (begun !== undefined) begun.end = ready;
    });
  }

  #register(
    wait: Owned,
    ready: () => void,
    fail: (reason: unknown) => void,
  ): void {
    const { loop } = this.#pairs;
    loop.own(wait);
    try {
      this.#pairs.addWait(this.#fileobj, this.#event, ready, fail);
    } catch (error) {
      loop.disown(wait);
      throw error;
    }
  }
}

/** A wait under way. */
interface Wait {
  end: () => void;
}

/** Not a generator: its `return()` would wait for the pending `next()`. */
class ReadinessIterator implements AsyncIterableIterator<void, void> {
  readonly #once: (wait: Wait) => Promise<void>;
  #wait: Wait | null = null;
  #over = false;

  constructor(once: (wait: Wait) => Promise<void>) {
    this.#once = once;
  }

  async next(): Promise<IteratorResult<void, void>> {
    if (this.#over) return { value: undefined, done: true };
    const wait: Wait = { end: () => {} };
    this.#wait ??= wait;
    try {
      await this.#once(wait);
    } catch (error) {
      // A second next() is refused: the wait under way continues.
      if (this.#wait === wait) this.#over = true;
      throw error;
    } finally {
      if (this.#wait === wait) this.#wait = null;
    }
    return { value: undefined, done: this.#over };
  }

  /** Ends the wait under way. */
  // deno-lint-ignore require-await -- as the interface has it
  async return(): Promise<IteratorResult<void, void>> {
    this.#over = true;
    this.#wait?.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function closedMeanwhile(): Error {
  return new Deno.errors.Interrupted("Reactor was closed");
}
