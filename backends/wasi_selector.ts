/**
 * The selector for a program that has nothing but WASI preview 1: its one call
 * is `poll_oneoff`.
 *
 * Some facts about preview 1:
 *
 * - There is one thread: a wait that others are to go on beside needs a second
 *   import, which returns a promise.
 * - There are no edges, no one-shot, and no urgent data.
 * - Of a hang-up only the end of what can be read is reported (mio's notes on
 *   `wasip1` say the same).
 * - A number that is not open is an event with the error EBADF.
 *
 * @module
 */

import { BaseSelector } from "./base_selector.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type LoopSelector,
} from "./selector.ts";
import {
  CLOCKID_MONOTONIC,
  EVENTRWFLAGS_FD_READWRITE_HANGUP,
  EVENTTYPE_CLOCK,
  EVENTTYPE_FD_READ,
} from "./wasi/abi.ts";
import { EBADF, ESUCCESS, wasiErrnoName } from "./wasi/errno.ts";
import { EVENT } from "./wasi/event.ts";
import { encodeSubscription, SUBSCRIPTION } from "./wasi/subscription.ts";

/** `poll_oneoff` as a program imports it: three pointers, a count, an error number. */
export type PollOneoffImport = (
  subscriptions: number,
  events: number,
  count: number,
  stored: number,
) => number;

/** `poll_oneoff` that returns before it has waited. */
export type PollOneoffPromise = (
  subscriptions: number,
  events: number,
  count: number,
  stored: number,
) => Promise<number> | number;

/** What a `WasiSelector` works with. */
export interface WasiSelectorOptions {
  /** The functions of preview 1: an import object, or `wasiImport` of `node:wasi`. */
  readonly imports: { readonly poll_oneoff: PollOneoffImport };
  /** The memory that they read and write. The selector adds pages to it for itself. */
  readonly memory: WebAssembly.Memory;
  /** For `park()`: the same call without keeping the thread. */
  readonly parked?: PollOneoffPromise;
}

const PAGE_BYTES = 65536;

/** No span of time is longer, in nanoseconds; it is some 584 years. */
const FOREVER = 2n ** 64n - 1n;

/** The userdata of the clock; a descriptor's has its number and its generation. */
const CLOCK_USERDATA = 2n ** 64n - 1n;

/**
 * A selector on `poll_oneoff`. Descriptors are those of the program, not of the
 * system it runs on.
 *
 * @example Wait with whatever preview 1 the runtime has
 * ```ts
 * import { WASI } from "node:wasi";
 * import { EVENT_WRITE } from "@pollux/reactor/selectors";
 * import { WasiSelector } from "@pollux/reactor/wasi";
 * import { assertEquals } from "@std/assert";
 *
 * const wasi = new WASI({ version: "preview1" });
 * const memory = new WebAssembly.Memory({ initial: 1 });
 * wasi.initialize({ exports: { memory } });
 * const { poll_oneoff } = wasi.wasiImport!;
 *
 * using selector = new WasiSelector<string>({ imports: { poll_oneoff }, memory });
 * selector.register(1, EVENT_WRITE, "standard output");
 * const found = selector.select(1000).map(([key, events]) => [key.data, events]);
 * assertEquals(found, [["standard output", EVENT_WRITE]]);
 * ```
 */
export interface WasiSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {}

/**
 * Creates a selector. It writes nothing to the memory before the first registration
 * or wait.
 */
export const WasiSelector: new <T, F extends FileObject = FileObject>(
  options: WasiSelectorOptions,
) => WasiSelector<T, F> = class WasiSelector<T, F extends FileObject>
  extends BaseSelector<T, F> {
  /** The subscriptions of a call are those that it was made with. */
  override readonly seesChangesWhileParked = false;
  readonly #poll: PollOneoffImport;
  readonly #parked: PollOneoffPromise | undefined;
  readonly #subscriptions: SubscriptionList;

  constructor({ imports, memory, parked }: WasiSelectorOptions) {
    super(0);
    this.#poll = imports.poll_oneoff;
    this.#parked = parked;
    this.#subscriptions = new SubscriptionList(memory);
  }

  /** Adds subscriptions, for the next call. */
  protected override watch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#subscriptions.set(fd, events, generation);
  }

  /** Replaces subscriptions, for the next call. */
  protected override rewatch(
    fd: number,
    events: number,
    generation: number,
  ): void {
    this.#subscriptions.set(fd, events, generation);
  }

  /** Removes subscriptions, from the next call on. */
  protected override unwatch(fd: number): void {
    this.#subscriptions.set(fd, 0, 0);
  }

  /** Calls `poll_oneoff`. */
  protected override fill(timeout: number): void {
    const list = this.#subscriptions;
    const count = list.write(timeout);
    const { at, events, stored } = list;
    this.#decode(this.#poll(at, events, count, stored));
  }

  /** Calls the `poll_oneoff` that returns a promise. */
  protected override async fillParked(timeout: number): Promise<void> {
    if (this.#parked === undefined) {
      throw new Deno.errors.NotSupported(
        "WasiSelector cannot park: poll_oneoff keeps its thread",
      );
    }
    const list = this.#subscriptions;
    const count = list.write(timeout);
    const { at, events, stored } = list;
    this.#decode(await this.#parked(at, events, count, stored));
  }

  /** Forgets all subscriptions. */
  protected override release(): void {
    this.#subscriptions.clear();
  }

  #decode(errno: number): void {
    if (errno !== ESUCCESS) throw pollError(errno);
    const { view, events, stored } = this.#subscriptions;
    const count = view.getUint32(stored, true);
    this.ready.reserve(count);
    const invalid: number[] = [];
    for (let index = 0; index < count; index++) {
      this.#decodeEvent(view, events + index * EVENT.size, invalid);
    }
    for (const fd of invalid) this.lose(fd);
  }

  #decodeEvent(view: DataView, at: number, invalid: number[]): void {
    const type = view.getUint8(at + EVENT.type);
    if (type === EVENTTYPE_CLOCK) return;
    const fd = view.getInt32(at + EVENT.userdata, true);
    const generation = view.getInt32(at + EVENT.userdata + 4, true);
    if (this.registrations.generation(fd) !== generation) return;
    const errno = view.getUint16(at + EVENT.error, true);
    if (errno === EBADF || this.isGone(fd)) {
      // Both directions say so; it is lost once.
      if (!invalid.includes(fd)) invalid.push(fd);
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
};

/**
 * The subscriptions in the program's memory, ready for the next call, and
 * behind them the room for its answer.
 */
class SubscriptionList {
  readonly #memory: WebAssembly.Memory;
  /** What is watched: by descriptor its events and its generation. */
  readonly #watched = new Map<number, readonly [number, number]>();
  /** How many subscriptions, and as many events, there is room for. */
  #capacity = 0;
  /** How many descriptors' subscriptions are written; -1 if they have changed since. */
  #written = -1;
  /** Where the subscriptions are. */
  at = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** Where the events go. */
  get events(): number {
    return this.at + this.#capacity * SUBSCRIPTION.size;
  }

  /** Where their number goes. */
  get stored(): number {
    return this.events + this.#capacity * EVENT.size;
  }

  /** The memory as it is now: to grow it detaches what was before. */
  get view(): DataView {
    return new DataView(this.#memory.buffer);
  }

  set(fd: number, events: number, generation: number): void {
    this.#written = -1;
    if (events === 0) this.#watched.delete(fd);
    else this.#watched.set(fd, [events, generation]);
  }

  clear(): void {
    this.#watched.clear();
    this.#written = -1;
  }

  /**
   * Writes the subscriptions, those that have changed and the clock.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @returns how many there are
   */
  write(timeout: number): number {
    if (this.#written === -1) this.#written = this.#writeFds();
    // Without a descriptor and without a clock there would be nothing to wait for.
    if (timeout === Infinity && this.#written > 0) return this.#written;
    encodeSubscription(
      this.view,
      this.at + this.#written * SUBSCRIPTION.size,
      {
        userdata: CLOCK_USERDATA,
        type: "clock",
        clockId: CLOCKID_MONOTONIC,
        timeout: nanoseconds(timeout),
        precision: 0n,
        absolute: false,
      },
    );
    return this.#written + 1;
  }

  #writeFds(): number {
    this.#reserve(this.#watched.size * 2 + 1);
    const { view } = this;
    let index = 0;
    for (const [fd, [events, generation]] of this.#watched) {
      const userdata = BigInt(fd) | BigInt(generation) << 32n;
      for (const type of ["read", "write"] as const) {
        if ((events & (type === "read" ? EVENT_READ : EVENT_WRITE)) === 0) {
          continue;
        }
        const at = this.at + index++ * SUBSCRIPTION.size;
        encodeSubscription(view, at, { userdata, type, fd });
      }
    }
    return index;
  }

  /** New pages are nobody else's: whoever allocates in this memory asks for pages too. */
  #reserve(count: number): void {
    if (count <= this.#capacity) return;
    const capacity = Math.max(count, this.#capacity * 2);
    const bytes = capacity * (SUBSCRIPTION.size + EVENT.size) + 4;
    const pages = Math.ceil(bytes / PAGE_BYTES);
    this.at = this.#memory.grow(pages) * PAGE_BYTES;
    this.#capacity = Math.floor(
      (pages * PAGE_BYTES - 4) / (SUBSCRIPTION.size + EVENT.size),
    );
  }
}

/** Rounded up: a wait that ends early is a busy loop. */
function nanoseconds(milliseconds: number): bigint {
  const rounded = Math.ceil(milliseconds * 1e6);
  return rounded < Number(FOREVER) ? BigInt(rounded) : FOREVER;
}

function pollError(errno: number): Error {
  const code = wasiErrnoName(errno);
  const error = new Error(`poll_oneoff failed (wasi error ${errno}: ${code})`);
  return Object.assign(error, { code, errno, syscall: "poll_oneoff" });
}
