/**
 * The view that `serve()` has of its loop.
 *
 * @module
 */

import type { FileObject, LoopSelector } from "../../backends/selector.ts";

/** Watches descriptors for the reactor itself: statistics and `run()` leave them out. */
export interface InternalWatches {
  /**
   * Calls a function whenever a file object is readable.
   *
   * @throws as `Selector.register`
   */
  watch(fileobj: FileObject, onReady: () => void): void;
  /** Ends a watch. Closing the loop has ended all of them. */
  unwatch(fileobj: FileObject): void;
}

/** A loop that shares its thread with Deno's loop. */
export interface SharedLoop extends InternalWatches {
  /** Returns whether the sharing is to end. */
  ending(): boolean;
  /** Returns whether a parked wait keeps the process alive. */
  keepsAlive(): boolean;
  /** Returns the milliseconds until a timer or a `callSoon()` is due. */
  timeout(): number;
  /** Counts the events so far, except those of internal watches. */
  events(): number;
  /**
   * Waits once, and calls back.
   *
   * @param longest Longest wait, in milliseconds
   * @param most Most events of this turn, where the selector takes a limit. Default: all
   * @returns how many file objects were ready
   */
  turn(longest: number, most?: number): number;
}

/** A loop that also waits while Deno's runs. */
export interface ServedLoop extends SharedLoop {
  /** The selector of the loop. */
  readonly selector: LoopSelector<unknown>;
  /** Whether the loop is closed. */
  readonly closed: boolean;
  /** Returns whether `serve()` ends because nothing is left to wait for. */
  isDone(): boolean;
  /** Ends `serve()`. */
  stop(): void;
}

/** The parked waits of a loop, among those of the other loops of its thread. */
export interface ParkedWaits {
  /**
   * Waits while Deno's loop runs, and calls back.
   *
   * @param wakeAfter Has the selector of the loop ready after so many milliseconds;
   *   returns false if it cannot
   * @returns how long it waited, in milliseconds
   */
  park(wakeAfter: (milliseconds: number) => boolean): Promise<number>;
  /** Returns whether no other loop of this thread serves. */
  alone(): boolean;
  /** Resumes the parked loops of this thread that have ready file objects. */
  lookAfterOthers(): void;
}
