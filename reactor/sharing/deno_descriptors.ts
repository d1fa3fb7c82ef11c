/**
 * The descriptors that Deno takes for itself while its loop turns, and ends the
 * process without.
 *
 * @module
 */

import { requireDescriptors } from "../../backends/ffi/descriptor.ts";

/**
 * How many there are to be, at least, when Deno's loop begins to turn: those of its
 * signals, of the modules and caches that are loaded then, and of the reactor.
 */
const STARTING_DESCRIPTORS = 12;

let taken = false;

/**
 * Has Deno take what it would take later, when none may be left: half a second
 * after its start it looks for a newer version of itself, which begins with its
 * signals.
 *
 * @throws {SystemError} `EMFILE` or `ENFILE` if there are too few
 */
export function takeDenoDescriptors(): void {
  requireDescriptors(STARTING_DESCRIPTORS);
  if (taken) return;
  taken = true;
  // A signal that by default does nothing. The listener is gone at once, and what
  // Deno has opened for it stays.
  const nothing = (): void => {};
  try {
    Deno.addSignalListener("SIGWINCH", nothing);
    Deno.removeSignalListener("SIGWINCH", nothing);
  } catch (error) {
    // A system without this signal has no pipe for it either.
    if (!(error instanceof TypeError)) throw error;
  }
}
