/**
 * Work of a loop that depends on promises.
 *
 * @module
 */

/** Most promises that are resolved between two turns without a turn. */
const MOST_WITHOUT_TURN = 128;

/** An operation that waits for a promise of Deno, which cannot settle during `run()`. */
export interface PromiseBound {
  /** Called when `run()` has the thread: the promise would not settle. */
  blocked(): void;
}

/** The promises that a loop waits for, and those that it resolves without a turn. */
export class PromiseWaits {
  /** Promises that were resolved without a turn since the last one. */
  resolvedWithoutTurn = 0;
  readonly #waiting = new Set<PromiseBound>();
  /** Whether `run()` has the thread, from its first turn to its last. */
  #blocked = false;
  readonly #onEmpty: () => void;

  /** @param onEmpty Called when no operation waits any more */
  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** How many operations wait for a promise. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Adds an operation, or calls its `blocked()` at once during `run()`.
   *
   * @returns whether it waits
   */
  add(operation: PromiseBound): boolean {
    if (this.#blocked) operation.blocked();
    else this.#waiting.add(operation);
    return !this.#blocked;
  }

  /** Removes an operation whose promise has settled. */
  remove(operation: PromiseBound): void {
    const removed = this.#waiting.delete(operation);
    if (removed && this.#waiting.size === 0) this.#onEmpty();
  }

  /** Begins `run()`: calls `blocked()` of all operations. */
  block(): void {
    this.#blocked = true;
    for (const operation of this.#waiting) operation.blocked();
  }

  /** Ends `run()`. */
  unblock(): void {
    this.#blocked = false;
  }

  /**
   * Returns whether a promise may be resolved without a turn, and counts it. Microtasks
   * run before any turn: a connection that always has data would starve the reactor and
   * Deno's timers.
   */
  mayResolve(): boolean {
    if (this.resolvedWithoutTurn === MOST_WITHOUT_TURN) return false;
    this.resolvedWithoutTurn++;
    return true;
  }
}
