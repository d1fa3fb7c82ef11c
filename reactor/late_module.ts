/**
 * Modules that are loaded when they are first needed: each takes 0.2 ms of a start.
 *
 * Deno opens files to load a module, and ends the process if it cannot: its check of the
 * stack reads /proc/self/maps, and panics after `EMFILE`. So the descriptors are counted
 * before.
 *
 * @module
 */

import { requireDescriptors } from "../backends/ffi/descriptor.ts";

/** Descriptors for modules that are loaded together, and for Deno's caches. */
const LOADING_DESCRIPTORS = 12;

/**
 * Returns a function that loads a module at its first call. It rejects with a
 * `SystemError`, `EMFILE` or `ENFILE`, if too few descriptors are free; a later call
 * tries again.
 */
export function lateModule<Module>(
  load: () => Promise<Module>,
): () => Promise<Module> {
  let loaded: Promise<Module> | null = null;
  return async () => {
    if (loaded === null) {
      requireDescriptors(LOADING_DESCRIPTORS);
      loaded = load();
    }
    return await loaded;
  };
}
