/**
 * `poll_oneoff`: one call that waits for descriptors and clocks together.
 *
 * The rules, and the bugs elsewhere that they come from:
 *
 * - More than 16,384 subscriptions are EINVAL. A call checks each of them before any
 *   other code can run; 2.5 million blocked the thread for half a second.
 * - No subscription is EINVAL: nothing would end the wait (wasmer#6073).
 * - All descriptors and clocks share one wait and one deadline (wazero#1500,
 *   wazero#2481).
 * - A faulty subscription gives an event with its error. The others are still
 *   examined.
 * - A ready descriptor suppresses the clocks (zwasm#305): a timeout is reported only
 *   if nothing else is.
 * - The end of a file is readable: no bytes, and the flag HANGUP.
 * - Regular files are always ready, as in poll(2).
 * - The number of events is written through the fourth pointer; the result is an
 *   error number (browser_wasi_shim#14).
 *
 * @module
 */

import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import {
  EVENTRWFLAGS_FD_READWRITE_HANGUP,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
} from "../../backends/wasi/abi.ts";
import { EBADF, EBUSY, EINVAL, ESUCCESS } from "../../backends/wasi/errno.ts";
import { EVENT, SUBSCRIPTION } from "../../backends/wasi/layout.ts";
import type { Guest } from "./guest.ts";
import { END } from "./guest_file.ts";
import type { PollRequest } from "./poll_request.ts";

/** The most subscriptions of one call: they take some 3 ms. */
const MOST_SUBSCRIPTIONS = 16384;

/**
 * The call.
 *
 * @param subscriptions The address of the subscriptions
 * @param events The address of the room for events
 * @param count The number of subscriptions
 * @param stored The address for the number of events
 * @returns an error number, later if the guest is suspended
 */
export function pollOneoff(
  guest: Guest,
  subscriptions: number,
  events: number,
  count: number,
  stored: number,
): number | Promise<number> {
  count >>>= 0;
  if (count === 0) return EINVAL;
  const { memory, table, now, request, readiness, waiting } = guest;
  if (waiting.busy) return EBUSY;
  memory.check(subscriptions, count * SUBSCRIPTION.size);
  memory.check(events, count * EVENT.size);
  memory.check(stored, 4);
  if (count > MOST_SUBSCRIPTIONS) return EINVAL;
  request.read(memory.view, subscriptions >>> 0, count, table, now);
  ask(guest);
  const timeout = request.immediate ? 0 : request.timeout;
  const start = timeout > 0 && timeout < Infinity ? performance.now() : 0;
  const found = waiting.wait(readiness, timeout);
  return typeof found === "number"
    ? finish(guest, start, events >>> 0, stored)
    : found.then(() => finish(guest, start, events >>> 0, stored));
}

function ask({ request, readiness }: Guest): void {
  readiness.begin();
  for (let index = 0; index < request.count; index++) {
    const stream = request.streams[index];
    if (stream === undefined) continue;
    const events = eventsOf(request.types[index]!);
    const errno = readiness.ask(stream.fileobj, events);
    if (errno !== 0) request.fail(index, errno);
  }
}

function finish(
  guest: Guest,
  start: number,
  events: number,
  stored: number,
): number {
  const { request, memory } = guest;
  const elapsed = start === 0 ? 0 : performance.now() - start;
  const { view } = memory;
  const found = writeFdEvents(guest, view, events) ||
    writeClockEvents(request, view, events, elapsed);
  view.setUint32(stored >>> 0, found, true);
  request.clear();
  return ESUCCESS;
}

function writeFdEvents(
  { request, readiness }: Guest,
  view: DataView,
  at: number,
): number {
  let found = 0;
  for (let index = 0; index < request.count; index++) {
    const type = request.types[index]!;
    const stream = request.streams[index];
    if (stream !== undefined && readiness.isClosed(stream.fileobj)) {
      request.fail(index, EBADF);
    }
    if (request.errors[index] !== 0) {
      writeEvent(view, at, request, index, 0, 0);
    } else if (type === EVENTTYPE_CLOCK) {
      continue;
    } else if (stream === undefined) {
      writeEvent(view, at, request, index, 1, 0);
    } else if ((readiness.found(stream.fileobj) & eventsOf(type)) === 0) {
      continue;
    } else if (type === EVENTTYPE_FD_READ) {
      writeReadEvent(view, at, request, index, stream.available());
    } else {
      writeEvent(view, at, request, index, 1, 0);
    }
    at += EVENT.size;
    found++;
  }
  return found;
}

/** Reports the expired clocks, of which the first always is: it has ended the wait. */
function writeClockEvents(
  request: PollRequest,
  view: DataView,
  at: number,
  elapsed: number,
): number {
  const over = Math.max(elapsed, request.timeout);
  let found = 0;
  for (let index = 0; index < request.count; index++) {
    if (request.types[index] !== EVENTTYPE_CLOCK) continue;
    if (request.delays[index]! > over) continue;
    writeEvent(view, at, request, index, 0, 0);
    at += EVENT.size;
    found++;
  }
  return found;
}

function eventsOf(type: number): number {
  return type === EVENTTYPE_FD_READ ? EVENT_READ : EVENT_WRITE;
}

function writeReadEvent(
  view: DataView,
  at: number,
  request: PollRequest,
  index: number,
  bytes: number,
): void {
  if (bytes !== END) return writeEvent(view, at, request, index, bytes, 0);
  const flags = EVENTRWFLAGS_FD_READWRITE_HANGUP;
  writeEvent(view, at, request, index, 0, flags);
}

/** Writes every byte of the struct, padding included. */
function writeEvent(
  view: DataView,
  at: number,
  request: PollRequest,
  index: number,
  nbytes: number,
  flags: number,
): void {
  view.setInt32(at + EVENT.userdata, request.low[index]!, true);
  view.setInt32(at + EVENT.userdata + 4, request.high[index]!, true);
  view.setUint16(at + EVENT.error, request.errors[index]!, true);
  view.setUint16(at + EVENT.type, request.types[index]!, true);
  view.setUint32(at + EVENT.type + 2, 0, true);
  view.setUint32(at + EVENT.nbytes, nbytes, true);
  view.setUint32(at + EVENT.nbytes + 4, 0, true);
  view.setUint32(at + EVENT.flags, flags, true);
  view.setUint32(at + EVENT.flags + 4, 0, true);
}
