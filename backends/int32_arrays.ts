/**
 * Growth of `Int32Array`, the columns of registrations and ready lists.
 *
 * @module
 */

/** Copies an array into a longer one. */
export function grown(
  array: Int32Array<ArrayBuffer>,
  length: number,
): Int32Array<ArrayBuffer> {
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
