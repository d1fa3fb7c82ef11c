/**
 * Between `EVENT_*` and `POLL*`, for the selectors that use `struct pollfd`.
 *
 * @module
 */

import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI } from "./poll.ts";
import { EVENT_PRIORITY, EVENT_READ, EVENT_WRITE } from "./selector.ts";

/** From `EVENT_*` to `POLL*`. */
export function pollEvents(events: number): number {
  return (events & EVENT_READ ? POLLIN : 0) |
    (events & EVENT_WRITE ? POLLOUT : 0) |
    (events & EVENT_PRIORITY ? POLLPRI : 0);
}

/** From `POLL*` to `EVENT_*`, except hang-ups and errors. */
export function selectorEvents(bits: number): number {
  return (bits & POLLIN ? EVENT_READ : 0) |
    (bits & POLLOUT ? EVENT_WRITE : 0) |
    (bits & POLLPRI ? EVENT_PRIORITY : 0);
}

/** Whether there is a hang-up or an error. */
export function isHangUp(bits: number): boolean {
  return (bits & (POLLERR | POLLHUP)) !== 0;
}
