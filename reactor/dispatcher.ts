/**
 * Calls callbacks: of events, and of everything else that a loop calls.
 *
 * @module
 */

import type { FileObject, LoopSelector } from "../backends/selector.ts";
import type { Callback } from "./callback.ts";
import type { Observer } from "./observer.ts";
import type { Reports } from "./reports.ts";

/** Errors in a row after which a callback is unregistered: it would go on for ever. */
const MOST_FAILURES = 100;

/** File objects whose errors are counted; then all counts are dropped. */
const MOST_COUNTS = 64;

/** Calls the callbacks of one loop, and reports the errors that they throw. */
export class Dispatcher {
  /** Events that were dispatched so far. */
  events = 0;
  /** Called around each callback; null while diagnosis is off. */
  observer: Observer | null = null;
  readonly #selector: LoopSelector<Callback>;
  readonly #reports: Reports;
  readonly #endFailing: (fileobj: FileObject) => boolean;
  readonly #failures = new Failures();

  /**
   * @param endFailing Unregisters a file object whose callback keeps throwing: it would
   *   be ready again at once. Returns whether it was registered
   */
  constructor(
    selector: LoopSelector<Callback>,
    reports: Reports,
    endFailing: (fileobj: FileObject) => boolean,
  ) {
    this.#selector = selector;
    this.#reports = reports;
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
    if (this.observer !== null) return this.#dispatchObserved(count);
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

  #dispatchObserved(count: number): void {
    const observer = this.observer!;
    for (let index = 0; index < count; index++) {
      const events = this.#selector.readyEvents(index);
      if (events === 0) continue;
      this.events++;
      const callback = this.#selector.readyData(index)!;
      const fileobj = this.#selector.readyFileobj(index)!;
      observer.beforeEvent(fileobj);
      try {
        callback(fileobj, events);
        this.#failures.forget(fileobj);
      } catch (error) {
        this.#failed(fileobj, error);
      }
      observer.afterEvent(fileobj, events, callback);
    }
  }

  #failed(fileobj: FileObject, error: unknown): void {
    const ends = this.#failures.note(fileobj) && this.#endFailing(fileobj);
    this.#reports.report(ends ? tooManyFailures(error) : error);
  }

  /** Calls one callback, of a timer or the like. */
  call(callback: () => void): void {
    const { observer } = this;
    const started = observer === null ? 0 : observer.beforeCall();
    try {
      callback();
    } catch (error) {
      this.#reports.report(error);
    }
    observer?.afterCall(callback, started);
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
