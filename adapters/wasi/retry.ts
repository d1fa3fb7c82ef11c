/**
 * Calls of a guest that wait, on descriptors of the host that never block.
 *
 * @module
 */

import { EAGAIN, EBUSY } from "../../backends/wasi/errno.ts";
import type { Guest } from "./guest.ts";
import type { GuestStream } from "./guest_file.ts";

/**
 * Repeats a call that returns EAGAIN until it succeeds or fails, unless the stream
 * has NONBLOCK.
 *
 * @param events Awaited between two attempts
 * @param attempt Returns an error number
 */
export function retryUntilReady(
  guest: Guest,
  stream: GuestStream,
  events: number,
  attempt: () => number,
): number | Promise<number> {
  const { readiness, waiting } = guest;
  for (;;) {
    const errno = attempt();
    if (errno !== EAGAIN || stream.nonblocking) return errno;
    if (waiting.busy) return EBUSY;
    readiness.begin();
    const refused = readiness.ask(stream.fileobj, events);
    if (refused !== 0) return refused;
    const count = waiting.wait(readiness, Infinity);
    if (typeof count !== "number") {
      return count.then(() => retryUntilReady(guest, stream, events, attempt));
    }
  }
}
