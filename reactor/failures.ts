/**
 * Callbacks that throw again and again.
 *
 * @module
 */

import type { FileObject } from "../backends/selector.ts";

/** How often in a row one may throw: whatever is wrong with it, it would go on for ever. */
export const MOST_FAILURES = 100;

/** Of so many it is known how often they have thrown; then all is forgotten. */
const MOST_KNOWN = 64;

/** Counts how often the callback of a file object has thrown in a row. */
export class Failures {
  readonly #counts = new Map<FileObject, number>();

  /** How many have thrown last: while there are none, a success need not be noted. */
  get size(): number {
    return this.#counts.size;
  }

  /** A callback has thrown. @returns whether that was once too often */
  note(fileobj: FileObject): boolean {
    const count = (this.#counts.get(fileobj) ?? 0) + 1;
    if (count === MOST_FAILURES) return this.#counts.delete(fileobj);
    if (count === 1 && this.#counts.size === MOST_KNOWN) this.#counts.clear();
    this.#counts.set(fileobj, count);
    return false;
  }

  /** A callback has returned. */
  forget(fileobj: FileObject): void {
    this.#counts.delete(fileobj);
  }
}

/** What is told of the last failure. */
export function tooManyFailures(cause: unknown): Error {
  return new Error(
    `Callback has thrown ${MOST_FAILURES} times in a row: it is unregistered`,
    { cause },
  );
}

/** How often the same is told, in milliseconds, of what peers can cause at will. */
const REPORT_INTERVAL = 1000;

/** Keeps peers from filling a log. */
export class ReportLimit {
  /** When each kind may be told again. */
  readonly #next = new Map<string, number>();

  /** Whether an error may be told: once a second for each kind. */
  admits(error: unknown, time: number): boolean {
    const kind = kindOf(error);
    if (time < (this.#next.get(kind) ?? 0)) return false;
    this.#next.set(kind, time + REPORT_INTERVAL);
    return true;
  }
}

/** There are few: the names of errors, of numbers in `<errno.h>` and of calls. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return `${error.constructor.name} ${code} ${syscall}`;
}
