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
  /** The index in the list of the loop; -1 without a loop. */
  [PLACE]: number;
  /**
   * Closes the resource at once and discards its pending work.
   *
   * @param error The cause, which the resource reports
   */
  [DESTROY](error?: Error): void;
}

/** The resources of one loop. */
export class OwnedResources {
  /** Called after a resource has left; null while no `shutdown()` waits for it. */
  onLeave: (() => void) | null = null;
  readonly #resources: Owned[] = [];

  /** Adds a resource. */
  add(resource: Owned): void {
    resource[PLACE] = this.#resources.length;
    this.#resources.push(resource);
  }

  /** Removes a resource that has closed itself; a second call does nothing. */
  remove(resource: Owned): void {
    const resources = this.#resources;
    if (resources[resource[PLACE]] !== resource) return;
    // The last one moves into the gap: a Set takes five times the memory.
    const last = resources.pop()!;
    if (last !== resource) {
      resources[resource[PLACE]] = last;
      last[PLACE] = resource[PLACE];
    }
    this.onLeave?.();
  }

  /** Returns a copy of the list, to iterate while resources leave. */
  list(): Owned[] {
    return [...this.#resources];
  }

  /**
   * Destroys all resources.
   *
   * @param report Called with each error of a `destroy()`
   */
  destroyAll(report: (error: unknown) => void): void {
    for (const resource of this.list()) {
      try {
        resource[DESTROY]();
      } catch (error) {
        report(error);
      }
    }
    this.#resources.length = 0;
  }
}
