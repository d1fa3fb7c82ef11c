/**
 * A callback that is none would fail far from who gave it.
 *
 * @module
 */

/**
 * Checks what a caller gives as a callback.
 *
 * @throws {TypeError} if it is not a function
 */
export function checkCallback(callback: unknown): void {
  if (typeof callback !== "function") {
    throw new TypeError(`Cannot call ${String(callback)}`);
  }
}
