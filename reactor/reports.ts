/**
 * Reports errors to `onError`, and limits how often.
 *
 * @module
 */

import { now } from "./clock.ts";

/** Milliseconds between two reports of one kind of error. */
const REPORT_INTERVAL = 1000;

/** Kinds that a limit remembers; then it forgets all of them. */
const MOST_KINDS = 1024;

/** The reports of one kind of error. */
interface Kind {
  /** Earliest time of the next report. */
  readonly next: number;
  /** Reports that were refused since the last one. */
  refused: number;
}

/** Admits one report a second for each kind of error. */
export class ReportLimit {
  /** Reports that were refused before the last admitted one, of its kind. */
  refused = 0;
  readonly #kinds = new Map<string, Kind>();

  /** Returns whether an error of a kind may be reported at a time of `now()`. */
  admits(name: string, time: number): boolean {
    const kind = this.#kinds.get(name);
    if (kind !== undefined && time < kind.next) {
      kind.refused++;
      return false;
    }
    this.refused = kind?.refused ?? 0;
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(name, { next: time + REPORT_INTERVAL, refused: 0 });
    return true;
  }
}

/** Reports the errors of one reactor. */
export class Reports {
  readonly #onError: (error: unknown) => void;
  readonly #onFailure: () => void;
  readonly #limit = new ReportLimit();
  /** The first error that `onError` itself threw. */
  #failure: { readonly error: unknown } | null = null;

  /** @param onFailure Called when `onError` itself throws */
  constructor(onError: (error: unknown) => void, onFailure: () => void) {
    this.#onError = onError;
    this.#onFailure = onFailure;
  }

  /** Calls `onError`. */
  report(error: unknown): void {
    try {
      this.#onError(error);
    } catch (thrown) {
      this.#failure ??= { error: thrown };
      this.#onFailure();
    }
  }

  /** Calls `onError` once a second for each kind of error: for those that a peer can cause. */
  reportSometimes(error: unknown): void {
    if (this.#limit.admits(kindOf(error), now())) this.report(error);
  }

  /** Throws the error that `onError` threw, if it did. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }
}

/** Sorts errors by class, error code and system call: there are few of each. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return `${error.constructor.name} ${code} ${syscall}`;
}
