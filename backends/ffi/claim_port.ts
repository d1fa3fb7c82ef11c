/**
 * The port of a listener, which a later server can have at once, and no other program
 * meanwhile.
 *
 * SO_REUSEADDR says so on POSIX systems: connections of an earlier listener may linger.
 * On Windows, which ignores such connections, the same option lets any program take the
 * port over. There SO_EXCLUSIVEADDRUSE keeps others off.
 *
 * Source: "Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE" of the Windows Sockets 2 reference.
 *
 * @module
 */

import { system } from "./current_system.ts";

/** Sets the option of this system, before the bind. */
export function claimPort(
  socket: { setRawOption(level: number, number: number, value: number): void },
): void {
  const { SOL_SOCKET, SO_REUSEADDR, SO_EXCLUSIVEADDRUSE } = system().constants;
  socket.setRawOption(SOL_SOCKET, SO_EXCLUSIVEADDRUSE ?? SO_REUSEADDR, 1);
}
