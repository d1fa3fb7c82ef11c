/**
 * The bookkeeping of a `WasiSelector`, on `poll_oneoff`. The head of
 * `../wasi_selector.ts` explains preview 1.
 *
 * @module
 */

import { BaseSelector } from "../base_selector.ts";
import { EVENT_READ, EVENT_WRITE, type FileObject } from "../selector.ts";
import {
  EVENTRWFLAGS_FD_READWRITE_HANGUP,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
} from "./abi.ts";
import { EBADF, ESUCCESS, wasiErrnoName } from "./errno.ts";
import { EVENT } from "./layout.ts";
import { SubscriptionList } from "./subscription_list.ts";

/** `poll_oneoff` as a program imports it: three pointers, a count, an error number. */
export type PollOneoffImport = (
  subscriptions: number,
  events: number,
  count: number,
  stored: number,
) => number;

/** `poll_oneoff` that may return before its wait has ended. */
export type PollOneoffPromise = (
  subscriptions: number,
  events: number,
  count: number,
  stored: number,
) => Promise<number> | number;

/** The options of a `WasiSelector`. */
export interface WasiSelectorOptions {
  /** The functions of preview 1: an import object, or `wasiImport` of `node:wasi`. */
  readonly imports: { readonly poll_oneoff: PollOneoffImport };
  /** The memory that they read and write. The selector adds pages of its own. */
  readonly memory: WebAssembly.Memory;
  /** The same call without blocking the thread, for `park()`. Default: none */
  readonly parked?: PollOneoffPromise;
}

/** The bookkeeping of a selector, on `poll_oneoff`. */
export class WasiSelector<T, F extends FileObject = FileObject>
  extends BaseSelector<T, F> {
  /** A wait passes the subscriptions of the moment when it began. */
  override readonly seesChangesWhileParked = false;
  readonly #poll: PollOneoffImport;
  readonly #parked: PollOneoffPromise | undefined;
  readonly #subscriptions: SubscriptionList;
  /** Descriptors that a wait found closed; empty between waits. */
  readonly #invalid: number[] = [];

  constructor({ imports, memory, parked }: WasiSelectorOptions) {
    super(0);
    this.#poll = imports.poll_oneoff;
    this.#parked = parked;
    this.#subscriptions = new SubscriptionList(memory);
  }

  /** Starts to watch a descriptor. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#subscriptions.set(fd, events, generation);
  }

  /** Changes the events of a descriptor. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#subscriptions.set(fd, events, generation);
  }

  /** Stops watching a descriptor. */
  protected override unwatch(fd: number): void {
    this.#subscriptions.set(fd, 0, 0);
  }

  /** Waits once, and fills `ready`. */
  protected override fill(timeout: number): void {
    const list = this.#subscriptions;
    const count = list.encode(timeout);
    this.#decode(this.#poll(list.at, list.events, count, list.stored));
  }

  /** Waits once without blocking the thread, and fills `ready`. */
  protected override async fillParked(timeout: number): Promise<void> {
    if (this.#parked === undefined) {
      throw new Deno.errors.NotSupported(
        "WasiSelector cannot park: poll_oneoff blocks its thread",
      );
    }
    const list = this.#subscriptions;
    const count = list.encode(timeout);
    this.#decode(await this.#parked(list.at, list.events, count, list.stored));
  }

  /** Removes all subscriptions. */
  protected override release(): void {
    this.#subscriptions.clear();
  }

  #decode(errno: number): void {
    if (errno !== ESUCCESS) throw pollError(errno);
    const { view, events, stored } = this.#subscriptions;
    const count = view.getUint32(stored, true);
    this.ready.reserve(count);
    for (let index = 0; index < count; index++) {
      this.#decodeEvent(view, events + index * EVENT.size);
    }
    const invalid = this.#invalid;
    for (const fd of invalid) this.lose(fd);
    invalid.length = 0;
  }

  #decodeEvent(view: DataView, at: number): void {
    const type = view.getUint8(at + EVENT.type);
    if (type === EVENTTYPE_CLOCK) return;
    const fd = view.getInt32(at + EVENT.userdata, true);
    const generation = view.getInt32(at + EVENT.userdata + 4, true);
    if (this.registrations.generation(fd) !== generation) return;
    const errno = view.getUint16(at + EVENT.error, true);
    if (errno === EBADF || this.isGone(fd)) {
      // Both directions report it, and lose() applies once.
      if (!this.#invalid.includes(fd)) this.#invalid.push(fd);
      return;
    }
    const hungUp = view.getUint16(at + EVENT.flags, true) &
      EVENTRWFLAGS_FD_READWRITE_HANGUP;
    const events = type === EVENTTYPE_FD_READ ? EVENT_READ : EVENT_WRITE;
    this.ready.merge(
      fd,
      generation,
      events | (hungUp ? this.hangUpEvents(fd) : 0),
    );
  }
}

function pollError(errno: number): Error {
  const code = wasiErrnoName(errno);
  const error = new Error(`poll_oneoff failed (wasi error ${errno}: ${code})`);
  return Object.assign(error, { code, errno, syscall: "poll_oneoff" });
}
