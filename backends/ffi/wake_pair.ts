/**
 * Two connected descriptors for wake-ups.
 *
 * @module
 */

import { hasPipes, pipe } from "./descriptor.ts";
import { socketPair } from "./socket.ts";

/**
 * Creates a pipe or, on Windows, whose pipes have no readiness, a pair of sockets. One
 * end is read, the other is written, by the calls of `descriptor.ts`.
 *
 * @throws {SystemError} `EMFILE`: no descriptors left
 */
export function wakePair(): [reader: number, writer: number] {
  if (hasPipes) return pipe();
  const [reader, writer] = socketPair();
  return [reader.detach(), writer.detach()];
}
