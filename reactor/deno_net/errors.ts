/**
 * The errors of `reactor.net` that differ from those of the reactor.
 *
 * @module
 */

import { isSystemError, systemError } from "../../backends/ffi/errors.ts";

/** The error of a call on a closed connection. */
export function connectionClosed(): Error {
  return new Deno.errors.BadResource("Connection is closed");
}

/** The error of a call on a closed listener, in Deno's words. */
export function listenerClosed(): Error {
  return new Deno.errors.BadResource("Listener has been closed");
}

/** A system error as Deno has it: its message does not name the address. */
export function withoutDetail(error: unknown): unknown {
  return isSystemError(error) && error.detail !== undefined
    ? systemError(error.syscall, error.errno)
    : error;
}
