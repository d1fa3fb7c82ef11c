/**
 * Calls that a host offers in addition to those of preview 1.
 *
 * @module
 */

import type { GuestCalls } from "./guest.ts";

/**
 * Calls in addition to those of preview 1, for `WasiHostOptions.extensions`.
 * `wasmEdge()` of `@pollux/reactor/wasmedge` creates one.
 */
export interface WasiExtension {
  /** The name, as in "wasmedge". */
  readonly name: string;
}

/** The calls of an extension. */
interface ExtensionCalls {
  readonly calls: GuestCalls;
  /** The names of those that may wait. */
  readonly waiting: readonly string[];
}

/** Kept apart from the objects, so that no user has to know what a call takes. */
const known = new WeakMap<WasiExtension, ExtensionCalls>();

/** Creates an extension. */
export function defineExtension(
  name: string,
  calls: GuestCalls,
  waiting: readonly string[],
): WasiExtension {
  const extension = { name };
  known.set(extension, { calls, waiting });
  return extension;
}

/**
 * Returns the calls of an extension.
 *
 * @throws {TypeError} if the object is no extension
 */
export function callsOf(extension: WasiExtension): ExtensionCalls {
  const calls = known.get(extension);
  if (calls === undefined) {
    throw new TypeError(`Cannot use ${String(extension)} as an extension`);
  }
  return calls;
}
