/**
 * The error of what is pending at a close.
 *
 * @module
 */

/** As Deno's own, down to the code. */
export function interrupted(): Error {
  const error = new Deno.errors.Interrupted("operation canceled");
  return Object.assign(error, { code: "EINTR" });
}
