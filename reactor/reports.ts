/**
 * Reports errors to `onError`, or prints them, and limits how often.
 *
 * @module
 */

import { requireDescriptors } from "../backends/ffi/descriptor.ts";
import { isSystemError } from "../backends/ffi/errors.ts";
import { now } from "./clock.ts";

/** Milliseconds between two reports of one kind of error. */
const REPORT_INTERVAL = 1000;

/** Kinds that a limit remembers; then it forgets all of them. */
const MOST_KINDS = 1024;

/** Descriptors to print a stack: Deno opens its files one by one, and a pipe has two ends. */
const STACK_DESCRIPTORS = 2;

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

/**
 * Creates a function that prints errors to standard error. Of errors with the same stack
 * it prints one a second: neither a failing callback nor a peer can fill a log.
 */
export function createErrorPrinter(): (error: unknown) => void {
  const limit = new ReportLimit();
  return (error) => {
    const withStack = canPrintStack();
    const kind = withStack ? stackOf(error) : String(error);
    if (!limit.admits(kind, now())) return;
    console.error(withStack ? error : String(error));
    if (limit.refused > 0) {
      console.error(`${limit.refused} more like it were not printed`);
    }
  };
}

/**
 * Returns whether enough descriptors are free to read the stack of an error. Deno opens
 * the files that a stack names, and ends the process if it cannot.
 */
function canPrintStack(): boolean {
  try {
    requireDescriptors(STACK_DESCRIPTORS);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** Returns the frames of an error without its message, which a peer may vary. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const frames = (error.stack ?? "").split("\n").filter(isFrame);
  return `${error.name}\n${frames.join("\n")}`;
}

function isFrame(line: string): boolean {
  return line.startsWith("    at ");
}
