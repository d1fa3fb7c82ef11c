/**
 * The descriptors that Deno's event loop opens for itself. Deno ends the process if it
 * cannot open them.
 *
 * @module
 */

import { requireDescriptors } from "../../backends/ffi/descriptor.ts";

/**
 * Free descriptors that `serve()` needs at its start: for Deno's signals, the modules
 * and caches that are loaded then, and the reactor.
 */
const STARTING_DESCRIPTORS = 12;

let opened = false;

/**
 * Makes Deno open the pipe of its signals now, while a descriptor is free. It would
 * open it half a second after its start, when it looks for a newer version.
 *
 * @throws {SystemError} `EMFILE`, `ENFILE`: too few descriptors are free
 */
export function openDenoDescriptors(): void {
  requireDescriptors(STARTING_DESCRIPTORS);
  if (opened) return;
  opened = true;
  // The default action of SIGWINCH is to ignore it. Deno keeps the pipe after the
  // listener is removed.
  const nothing = (): void => {};
  try {
    Deno.addSignalListener("SIGWINCH", nothing);
    Deno.removeSignalListener("SIGWINCH", nothing);
  } catch (error) {
    // A system without this signal has no pipe for it either.
    if (!(error instanceof TypeError)) throw error;
  }
}
