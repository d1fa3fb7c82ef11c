/**
 * Callbacks that throw again and again.
 *
 * @module
 */

import type { FileObject } from "../backends/selector.ts";

/** Errors in a row after which a callback is unregistered: it would go on for ever. */
export const MOST_FAILURES = 100;

/** File objects whose errors are counted; then all counts are dropped. */
const MOST_COUNTS = 64;

/** Counts how often the callback of a file object has thrown in a row. */
export class Failures {
  readonly #counts = new Map<FileObject, number>();

  /** Callbacks whose last call threw; while there are none, success need not be noted. */
  get size(): number {
    return this.#counts.size;
  }

  /** Counts an error. Returns whether the callback has thrown too often. */
  note(fileobj: FileObject): boolean {
    const count = (this.#counts.get(fileobj) ?? 0) + 1;
    if (count === MOST_FAILURES) return this.#counts.delete(fileobj);
    if (count === 1 && this.#counts.size === MOST_COUNTS) this.#counts.clear();
    this.#counts.set(fileobj, count);
    return false;
  }

  /** Drops the count of a callback that has returned. */
  forget(fileobj: FileObject): void {
    this.#counts.delete(fileobj);
  }
}

/** Creates the report of a callback that is unregistered; `cause` is its last error. */
export function tooManyFailures(cause: unknown): Error {
  return new Error(
    `Callback was unregistered: it has thrown ${MOST_FAILURES} times in a row`,
    { cause },
  );
}
