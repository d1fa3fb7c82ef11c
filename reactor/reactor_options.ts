/**
 * Options of a reactor, and of `serve()`.
 *
 * @module
 */

import {
  checkAbortSignal,
  checkOptions,
  type OptionNames,
} from "../backends/ffi/options.ts";
import type { LoopSelector } from "../backends/selector.ts";
import type { Callback } from "./callback.ts";

/** How a reactor works. */
export interface ReactorOptions {
  /** The selector to wait with, which is closed with the reactor. Default: `createSelector()`. */
  readonly selector?: LoopSelector<Callback>;
  /**
   * Called with each error that a callback throws; the loop continues. Errors that a peer
   * can cause at will, as on a refused answer, are reported once a second for each kind.
   *
   * An error that `onError` itself throws ends `run()` or `serve()` after the turn.
   *
   * Default: prints to standard error, one error a second of those with the same stack.
   */
  readonly onError?: (error: unknown) => void;
  /**
   * Milliseconds of `serve()` between two turns of Deno's loop, while busy. While Deno
   * has neither timers nor I/O, the time may be twice as long, and 50 ms while nothing
   * of Deno keeps the process alive. Default: 1.
   */
  readonly yieldInterval?: number;
  /**
   * Most bytes of memory that all connections and datagram sockets may queue together.
   * Each chunk and message counts 256 bytes more than its length. Above the maximum, a
   * write that would have to be queued aborts its connection, and a message is refused,
   * with a `RangeError`. Default: no limit.
   */
  readonly maximumQueued?: number;
}

const REACTOR_OPTIONS: OptionNames<ReactorOptions> = {
  selector: true,
  onError: true,
  yieldInterval: true,
  maximumQueued: true,
};

/**
 * Checks the names of the options, and returns the yield interval.
 *
 * @throws {TypeError} if an option is unknown
 * @throws {RangeError} if the interval is not positive
 */
export function yieldIntervalOf(options: ReactorOptions): number {
  checkOptions(options, REACTOR_OPTIONS);
  const { yieldInterval = 1 } = options;
  if (yieldInterval > 0) return yieldInterval;
  throw new RangeError(`Cannot yield every ${yieldInterval} milliseconds`);
}

/** How `serve()` ends. */
export interface ServeOptions {
  /** Stops the reactor when it is aborted, as `stop()` does. */
  readonly signal?: AbortSignal;
  /**
   * Ends when nothing is left to wait for, as `run()` does, rather than waiting for
   * later registrations. Default: false.
   */
  readonly untilIdle?: boolean;
}

const SERVE_OPTIONS: OptionNames<ServeOptions> = {
  signal: true,
  untilIdle: true,
};

/**
 * Checks the options, and returns `untilIdle`.
 *
 * @throws {TypeError} if an option is unknown, or the signal none
 */
export function untilIdleOf(options: ServeOptions): boolean {
  checkOptions(options, SERVE_OPTIONS);
  checkAbortSignal(options.signal);
  return options.untilIdle ?? false;
}
