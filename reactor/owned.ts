/**
 * Resources that a loop closes with itself. Their two members have symbols for
 * names, because the objects that programs hold are such resources.
 *
 * @module
 */

/** The index of a resource in the list of its loop. Only the loop sets it. */
export const PLACE: unique symbol = Symbol("place");

/** Closes a resource at once and discards its pending work. */
export const DESTROY: unique symbol = Symbol("destroy");

/** A resource that the loop closes with itself. */
export interface Owned {
  /**
   * The index in the list of the loop; -1 without a loop.
   *
   * @ignore
   */
  [PLACE]: number;
  /**
   * Closes the resource at once and discards its pending work.
   *
   * @param error The cause, which the resource reports
   * @ignore
   */
  [DESTROY](error?: Error): void;
}
