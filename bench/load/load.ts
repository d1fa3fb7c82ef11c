/**
 * The contract of all loads.
 *
 * @module
 */

import type { Latencies } from "./latencies.ts";

/** A load on one server, with open connections. */
export interface Load extends Disposable {
  /** The number of open connections. */
  readonly connections: number;
  /** How many messages were never answered, if the load counts them. */
  readonly lost?: number;

  /**
   * Loads the server for a while, then waits for the last answers. So the server has
   * worked for exactly the counted messages.
   *
   * @returns the number of answered messages
   * @throws {LoadError} if the server stops answering, or closes a connection
   */
  run(milliseconds: number, latencies: Latencies): number;
}

/** After this time without an answer a load fails, in milliseconds. */
export const PATIENCE = 3000;

/** The server does not do its work. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}
