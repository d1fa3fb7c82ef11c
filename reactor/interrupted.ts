/**
 * The error of operations that are pending at a close.
 *
 * @module
 */

/** Creates the error that Deno itself rejects with, including its code. */
export function interrupted(): Error {
  const error = new Deno.errors.Interrupted("operation canceled");
  return Object.assign(error, { code: "EINTR" });
}
