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

/** Counts of errors, at least, before those of ended registrations are dropped. */
const MANY_COUNTS = 64;

/** Calls the callbacks of one loop, and reports the errors that they throw. */
export class Dispatcher {
  /** Events that were dispatched so far. */
  events = 0;
  /** Called around each callback; null while diagnosis is off. */
  observer: Observer | null = null;
  readonly #selector: LoopSelector<Callback>;
  readonly #reports: Reports;
  readonly #endFailing: (fileobj: FileObject) => boolean;
  readonly #failures: Failures;

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
    this.#failures = new Failures(selector);
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

  /**
   * Gives a function of this package the name of the program's that it calls, by which
   * diagnosis reports a stall. While that is off, this costs nothing.
   */
  named(
    callback: () => void,
    program: { readonly name: string } | null | undefined,
  ): () => void {
    if (this.observer !== null && program?.name) {
      Object.defineProperty(callback, "name", { value: program.name });
    }
    return callback;
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
  readonly #selector: LoopSelector<Callback>;
  readonly #counts = new Map<FileObject, number>();
  /** How many counts there may be: at most twice as many as failing registrations. */
  #most = MANY_COUNTS;

  constructor(selector: LoopSelector<Callback>) {
    this.#selector = selector;
  }

  /** Callbacks whose last call threw; while there are none, success need not be noted. */
  get size(): number {
    return this.#counts.size;
  }

  /** Counts an error. Returns whether the callback has thrown too often. */
  note(fileobj: FileObject): boolean {
    const count = (this.#counts.get(fileobj) ?? 0) + 1;
    if (count === MOST_FAILURES) return this.#counts.delete(fileobj);
    if (count === 1 && this.#counts.size >= this.#most) this.#dropEnded();
    this.#counts.set(fileobj, count);
    return false;
  }

  /** Drops the counts of file objects that are not registered, or are closed. */
  #dropEnded(): void {
    const map = this.#selector.getMap();
    for (const fileobj of this.#counts.keys()) {
      // A search for a closed object would look at each registration.
      const closed = typeof fileobj === "object" && !(fileobj.fd >= 0);
      const registered = !closed && map.get(fileobj)?.fileobj === fileobj;
      if (!registered) this.#counts.delete(fileobj);
    }
    this.#most = Math.max(2 * this.#counts.size, MANY_COUNTS);
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
