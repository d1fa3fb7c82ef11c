/**
 * The part of `reactor.describe()` that comes from the endpoint.
 *
 * @module
 */

/**
 * Describes an endpoint: a symbol, because programs hold these objects. Its method
 * returns the name of the callback for input, the queued bytes, and whether it is paused.
 */
export const DESCRIBE: unique symbol = Symbol("describe");

/** Returns the name of a callback: that of the function, or else of its property. */
export function callbackName(
  callback: { readonly name: string } | null | undefined,
  property: string,
): string {
  return callback ? callback.name || property : "";
}
