/**
 * Promises that only an iteration of the loop can settle. Without `serve()` they would
 * stay pending without an error, so the loop checks that it runs.
 *
 * @module
 */

/** How long a promise may wait for `serve()` to begin, in milliseconds. */
const PATIENCE = 1000;

/** Fails an operation: a symbol, because programs hold some of these objects. */
export const UNSERVED: unique symbol = Symbol("unserved");

/** An operation whose promise only an iteration of the loop can settle. */
export interface TurnBound {
  /** Called with the error if nothing runs the loop. */
  [UNSERVED](error: Error): void;
}

/** The operations of a loop that wait while it does not run. */
export class TurnWaits {
  /** Each with an error that was created by the call, so that its stack shows it. */
  readonly #waiting = new Map<TurnBound, Error>();
  /**
   * Keeps the process alive: with nothing else to wait for it would end before the check,
   * often with status 0.
   */
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Adds an operation, while the loop does not run. */
  add(operation: TurnBound): void {
    if (this.#waiting.has(operation)) return;
    const why = "Promise cannot settle while the reactor is not running: " +
      "call serve()";
    this.#waiting.set(operation, new Deno.errors.NotSupported(why));
    this.#timer ??= setTimeout(() => this.#expire(), PATIENCE);
  }

  /** Removes an operation whose promise has settled. */
  remove(operation: TurnBound): void {
    if (this.#waiting.size === 0) return;
    this.#waiting.delete(operation);
    if (this.#waiting.size === 0) this.clear();
  }

  /** Removes all operations: the loop begins to run. */
  clear(): void {
    // The first `clearTimeout()` of a program loads Node's timers, in 5 ms.
    if (this.#timer === undefined) return;
    this.#waiting.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    const waiting = [...this.#waiting];
    this.clear();
    for (const [operation, error] of waiting) operation[UNSERVED](error);
  }
}
