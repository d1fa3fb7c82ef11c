/**
 * Errors that listeners throw while the reactor calls them. It reports each to its
 * `onError`, and ends the connection with it.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { nodeError } from "./errors.ts";

/** Errors that were thrown; all other ones come from the connection. */
const thrown = new WeakSet<WeakKey>();

/** Notes an error that a listener has thrown, and returns it. */
export function noteThrown(error: unknown): unknown {
  if (error instanceof Object) thrown.add(error);
  return error;
}

/**
 * The error with which a stream is destroyed after its connection has ended with one.
 *
 * @returns undefined for a thrown one that no listener waits for. It is reported
 *   already, and as an "error" without a listener it would end the process
 */
export function errorToEmit(stream: Duplex, error: Error): Error | undefined {
  // The connection itself ends with objects alone.
  const isThrown = !(error instanceof Object) || thrown.has(error);
  return isThrown && stream.listenerCount("error") === 0
    ? undefined
    : nodeError(error);
}
