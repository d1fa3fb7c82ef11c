/**
 * What all loads have in common.
 *
 * @module
 */

import type { Latencies } from "./latencies.ts";

/** A load on one server: its connections stand, and it can be switched on. */
export interface Load extends Disposable {
  /** How many connections stand. */
  readonly connections: number;

  /**
   * Loads the server for a while, then waits for what is still under way, so
   * that the server has worked for exactly the messages that are counted.
   *
   * @returns how many messages it has answered
   * @throws if the server falls silent or hangs up
   */
  run(milliseconds: number, latencies: Latencies): number;
}

/** How long a server may be silent, in milliseconds, before a load gives up. */
export const PATIENCE = 3000;

/** The server is not what it should be. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}
