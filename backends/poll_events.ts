/**
 * Between `EVENT_*` and `POLL*`, for the selectors that speak in `struct pollfd`.
 *
 * @module
 */

import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI } from "./poll.ts";
import { EVENT_PRIORITY, EVENT_READ, EVENT_WRITE } from "./selector.ts";

/** From our events to poll's. */
export function pollEvents(events: number): number {
  return (events & EVENT_READ ? POLLIN : 0) |
    (events & EVENT_WRITE ? POLLOUT : 0) |
    (events & EVENT_PRIORITY ? POLLPRI : 0);
}

/** From poll's events to ours, but for hang-ups and errors. */
export function selectorEvents(bits: number): number {
  return (bits & POLLIN ? EVENT_READ : 0) |
    (bits & POLLOUT ? EVENT_WRITE : 0) |
    (bits & POLLPRI ? EVENT_PRIORITY : 0);
}

/** Whether a file hung up or has an error. */
export function isHangUp(bits: number): boolean {
  return (bits & (POLLERR | POLLHUP)) !== 0;
}
