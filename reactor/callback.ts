/**
 * The callback of a registered file object.
 *
 * @module
 */

import type { FileObject } from "../backends/selector.ts";

/**
 * Called when a registered file object is ready.
 *
 * @typeParam F Type of the file object
 * @param fileobj The file object as it was registered
 * @param events Those of its `EVENT_*` that are ready
 */
export type Callback<F extends FileObject = FileObject> = (
  fileobj: F,
  events: number,
) => void;

/**
 * Checks that a callback is a function, while the stack still shows the caller.
 *
 * @throws {TypeError} if it is not a function
 */
export function checkCallback(callback: unknown): void {
  if (typeof callback !== "function") {
    throw new TypeError(`Cannot call ${String(callback)}`);
  }
}
