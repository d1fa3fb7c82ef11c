/**
 * `poll_oneoff`: one call that waits for descriptors and clocks together.
 *
 * The rules, and who learned them the hard way:
 *
 * - More than 16,384 subscriptions are EINVAL: a call looks at every one before
 *   anything else has its turn, and 2.5 million held the thread for half a second.
 * - No subscription is EINVAL: nothing would end the wait (wasmer#6073).
 * - All descriptors and clocks are waited for at once, with one deadline
 *   (wazero#1500, wazero#2481).
 * - A mistake in a subscription is an event with its error, and the others are
 *   still looked at.
 * - A ready descriptor silences the clocks (zwasm#305): a timeout is what
 *   happens when nothing else does.
 * - The end of a file is readable: no bytes, and the flag HANGUP.
 * - Regular files are always ready, as for poll(2).
 * - The number of events goes to the fourth pointer, the result is an error
 *   number (browser_wasi_shim#14).
 *
 * @module
 */

import { EVENT_READ, EVENT_WRITE } from "../../backends/selector.ts";
import {
  EVENTRWFLAGS_FD_READWRITE_HANGUP,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
} from "../../backends/wasi/abi.ts";
import { EBUSY, EINVAL, ESUCCESS } from "../../backends/wasi/errno.ts";
import { EVENT } from "../../backends/wasi/event.ts";
import type { Guest } from "./guest.ts";
import { END, type GuestStream } from "./guest_file.ts";
import { PollRequest } from "./poll_request.ts";
import type { Sleeper } from "./sleeper.ts";
import { SUBSCRIPTION } from "../../backends/wasi/subscription.ts";

/** The most subscriptions of one call: they take some 3 ms. */
const MOST_SUBSCRIPTIONS = 16384;

/** The call for one guest. */
export class PollOneoff {
  readonly #guest: Guest;
  readonly #sleeper: Sleeper;
  readonly #request = new PollRequest();

  constructor(guest: Guest, sleeper: Sleeper) {
    this.#guest = guest;
    this.#sleeper = sleeper;
  }

  /**
   * @param subscriptions Where they are
   * @param events Where their events go
   * @param count How many there are
   * @param stored Where the number of events goes
   * @returns an error number, later if the guest is suspended meanwhile
   */
  call(
    subscriptions: number,
    events: number,
    count: number,
    stored: number,
  ): number | Promise<number> {
    count >>>= 0;
    if (count === 0) return EINVAL;
    if (this.#sleeper.busy) return EBUSY;
    const { memory, table, now } = this.#guest;
    const request = this.#request;
    memory.check(subscriptions, count * SUBSCRIPTION.size);
    memory.check(events, count * EVENT.size);
    memory.check(stored, 4);
    if (count > MOST_SUBSCRIPTIONS) return EINVAL;
    request.read(memory.view, subscriptions >>> 0, count, table, now);
    this.#ask(request);
    const timeout = request.immediate ? 0 : request.timeout;
    const start = timeout > 0 && timeout < Infinity ? performance.now() : 0;
    const sleep = this.#sleeper.sleep(this.#guest.readiness, timeout);
    return typeof sleep === "number"
      ? this.#finish(start, events >>> 0, stored)
      : sleep.then(() => this.#finish(start, events >>> 0, stored));
  }

  #ask(request: PollRequest): void {
    const { readiness } = this.#guest;
    readiness.begin();
    for (let index = 0; index < request.count; index++) {
      const stream = request.streams[index];
      if (stream === undefined) continue;
      const events = eventsOf(request.types[index]!);
      const errno = readiness.ask(stream.fileobj, events);
      if (errno !== 0) request.fail(index, errno);
    }
  }

  #finish(start: number, events: number, stored: number): number {
    const request = this.#request;
    const { view } = this.#guest.memory;
    const elapsed = start === 0 ? 0 : performance.now() - start;
    const found = this.#writeFdEvents(view, events) ||
      this.#writeClockEvents(view, events, elapsed);
    view.setUint32(stored >>> 0, found, true);
    request.clear();
    return ESUCCESS;
  }

  #writeFdEvents(view: DataView, at: number): number {
    const request = this.#request;
    const { readiness } = this.#guest;
    let found = 0;
    for (let index = 0; index < request.count; index++) {
      const type = request.types[index]!;
      const stream = request.streams[index];
      if (request.errors[index] !== 0) {
        writeEvent(view, at, request, index, 0, 0);
      } else if (type === EVENTTYPE_CLOCK) {
        continue;
      } else if (stream === undefined) {
        writeEvent(view, at, request, index, 1, 0);
      } else if ((readiness.found(stream.fileobj) & eventsOf(type)) !== 0) {
        writeStreamEvent(view, at, request, index, stream);
      } else {
        continue;
      }
      at += EVENT.size;
      found++;
    }
    return found;
  }

  /** Those whose time has come: the first in any case, since it is what ended the wait. */
  #writeClockEvents(view: DataView, at: number, elapsed: number): number {
    const request = this.#request;
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
}

function eventsOf(type: number): number {
  return type === EVENTTYPE_FD_READ ? EVENT_READ : EVENT_WRITE;
}

function writeStreamEvent(
  view: DataView,
  at: number,
  request: PollRequest,
  index: number,
  stream: GuestStream,
): void {
  if (request.types[index] !== EVENTTYPE_FD_READ) {
    writeEvent(view, at, request, index, 1, 0);
    return;
  }
  const bytes = stream.available();
  if (bytes !== END) writeEvent(view, at, request, index, bytes, 0);
  else {
    const flags = EVENTRWFLAGS_FD_READWRITE_HANGUP;
    writeEvent(view, at, request, index, 0, flags);
  }
}

/** Every byte of the struct is written: what was there before is the guest's business. */
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
