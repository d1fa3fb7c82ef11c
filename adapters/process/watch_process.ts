/**
 * Waits for the end of any process.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import { openProcess } from "./process_descriptor.ts";

/** Options of `watchProcess()`. */
export interface WatchProcessOptions {
  /** Cancels the wait: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

const WATCH_OPTIONS: OptionNames<WatchProcessOptions> = { signal: true };

/**
 * Waits until a process has ended, which need not be a child. Only its parent can get
 * its status.
 *
 * @param reactor The reactor that waits; it has to be serving
 * @param pid The number of the process
 * @throws {TypeError} if an option is unknown
 * @throws {RangeError} if the number is not a positive integer of 31 bits
 * @throws {SystemError} `ESRCH` if there is no such process, and others
 *
 * @example
 * ```ts
 * import { spawn, watchProcess } from "@pollux/reactor/process";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const child = spawn(reactor, "true"); // or any other process
 * await watchProcess(reactor, child.pid);
 * ```
 */
export async function watchProcess(
  reactor: Reactor,
  pid: number,
  options: WatchProcessOptions = {},
): Promise<void> {
  checkOptions(options, WATCH_OPTIONS);
  if (!Number.isInteger(pid) || pid < 1 || pid > 0x7fff_ffff) {
    throw new RangeError(`Cannot watch process ${pid}`);
  }
  using process = openProcess(pid);
  await reactor.readable(process, options);
}
