/**
 * Calls callbacks: of events, and of everything else that a loop calls.
 *
 * @module
 */

import type { FileObject, LoopSelector } from "../backends/selector.ts";
import type { Callback } from "./callback.ts";
import { now } from "./clock.ts";
import type { Reports } from "./reports.ts";
import type { Stopwatch } from "./statistics.ts";

/** Errors in a row after which a callback is unregistered: it would go on for ever. */
const MOST_FAILURES = 100;

/** File objects whose errors are counted; then all counts are dropped. */
const MOST_COUNTS = 64;

/** Calls the callbacks of one loop, measures them, and reports the errors that they throw. */
export class Dispatcher {
  /** Events that were dispatched so far. */
  events = 0;
  readonly #selector: LoopSelector<Callback>;
  readonly #reports: Reports;
  readonly #stopwatch: Stopwatch | null;
  readonly #endFailing: (fileobj: FileObject) => boolean;
  readonly #failures = new Failures();

  /**
   * @param stopwatch Null to call without a reading of the clock
   * @param endFailing Unregisters a file object whose callback keeps throwing: it would
   *   be ready again at once. Returns whether it was registered
   */
  constructor(
    selector: LoopSelector<Callback>,
    reports: Reports,
    stopwatch: Stopwatch | null,
    endFailing: (fileobj: FileObject) => boolean,
  ) {
    this.#selector = selector;
    this.#reports = reports;
    this.#stopwatch = stopwatch;
    this.#endFailing = endFailing;
  }

  /**
   * Dispatches the events of a wait. It is the hot path: one mask and one call for each
   * event; it allocates nothing and reads no key. One `try` covers all events, and is
   * entered again after an error.
   *
   * @param count How many entries the wait found
   */
  dispatch(count: number): void {
    const selector = this.#selector;
    const failures = this.#failures;
    let fileobj: FileObject = -1;
    if (this.#stopwatch !== null) return this.#dispatchMeasured(count);
    for (let index = 0; index < count;) {
      try {
        while (index < count) {
          const current = index++;
          const events = selector.readyEvents(current);
          // An earlier callback of this turn ended the registration, or changed it.
          if (events === 0) continue;
          this.events++;
          const callback = selector.readyData(current)!;
          fileobj = selector.readyFileobj(current)!;
          callback(fileobj, events);
          if (failures.size > 0) failures.forget(fileobj);
        }
      } catch (error) {
        this.#failed(fileobj, error);
      }
    }
  }

  #dispatchMeasured(count: number): void {
    for (let index = 0; index < count; index++) {
      const events = this.#selector.readyEvents(index);
      if (events === 0) continue;
      this.events++;
      const callback = this.#selector.readyData(index)!;
      const fileobj = this.#selector.readyFileobj(index)!;
      const started = now();
      try {
        callback(fileobj, events);
        this.#failures.forget(fileobj);
      } catch (error) {
        this.#failed(fileobj, error);
      }
      this.#stopwatch!.note(callback.name, now() - started);
    }
  }

  #failed(fileobj: FileObject, error: unknown): void {
    const ends = this.#failures.note(fileobj) && this.#endFailing(fileobj);
    this.#reports.report(ends ? tooManyFailures(error) : error);
  }

  /**
   * Calls one callback, of a timer or the like.
   *
   * @param name The name in statistics
   */
  call(callback: () => void, name: string): void {
    const started = this.#stopwatch === null ? 0 : now();
    try {
      callback();
    } catch (error) {
      this.#reports.report(error);
    }
    this.#stopwatch?.note(name, now() - started);
  }
}

/** Counts how often the callback of a file object has thrown in a row. */
class Failures {
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
function tooManyFailures(cause: unknown): Error {
  return new Error(
    `Callback was unregistered: it has thrown ${MOST_FAILURES} times in a row`,
    { cause },
  );
}
