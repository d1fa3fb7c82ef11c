/**
 * The subscriptions of a `WasiSelector` in the memory of its program, and room for
 * the events behind them.
 *
 * @module
 */

import { EVENT_READ, EVENT_WRITE } from "../selector.ts";
import { EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE } from "./abi.ts";
import {
  EVENT,
  SUBSCRIPTION,
  writeClockSubscription,
  writeFdSubscription,
} from "./layout.ts";

const PAGE_BYTES = 65536;

/** The userdata of the clock. That of a descriptor has its number and generation. */
const CLOCK_USERDATA = 2n ** 64n - 1n;

/** The longest timeout in nanoseconds, some 584 years. */
const LONGEST_TIMEOUT = 2 ** 64;

/** The registered descriptors, encoded for the next call. */
export class SubscriptionList {
  readonly #memory: WebAssembly.Memory;
  /** The events and the generation of each watched descriptor. */
  readonly #watched = new Map<number, readonly [number, number]>();
  #view: DataView;
  /** How many subscriptions, and as many events, there is room for. */
  #capacity = 0;
  /** The number of encoded descriptor subscriptions; -1 after a change. */
  #encoded = -1;
  /** The address of the subscriptions. */
  at = 0;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#view = new DataView(memory.buffer);
  }

  /** The address of the events. */
  get events(): number {
    return this.at + this.#capacity * SUBSCRIPTION.size;
  }

  /** The address of the number of events. */
  get stored(): number {
    return this.events + this.#capacity * EVENT.size;
  }

  /** The present memory: growing detaches earlier views. */
  get view(): DataView {
    const { buffer } = this.#memory;
    if (this.#view.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }

  /** Watches a descriptor for other events; with none, not at all. */
  set(fd: number, events: number, generation: number): void {
    this.#encoded = -1;
    if (events === 0) this.#watched.delete(fd);
    else this.#watched.set(fd, [events, generation]);
  }

  /** Removes all descriptors. */
  clear(): void {
    this.#watched.clear();
    this.#encoded = -1;
  }

  /**
   * Encodes the subscriptions that have changed, and the timeout.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @returns the number of subscriptions
   */
  encode(timeout: number): number {
    if (this.#encoded === -1) this.#encoded = this.#encodeAll();
    // A call needs a subscription: without a descriptor it has the clock.
    if (timeout === Infinity && this.#encoded > 0) return this.#encoded;
    const at = this.at + this.#encoded * SUBSCRIPTION.size +
      SUBSCRIPTION.timeout;
    // Rounded up: a wait that ends early is a busy loop.
    const nanoseconds = Math.ceil(timeout * 1e6);
    const isLongest = nanoseconds >= LONGEST_TIMEOUT;
    const { view } = this;
    view.setUint32(at, isLongest ? 0xffff_ffff : nanoseconds, true);
    view.setUint32(
      at + 4,
      isLongest ? 0xffff_ffff : nanoseconds / 2 ** 32,
      true,
    );
    return this.#encoded + 1;
  }

  /** Encodes the descriptors, and the clock behind them. */
  #encodeAll(): number {
    this.#reserve(this.#watched.size * 2 + 1);
    const { view } = this;
    let index = 0;
    for (const [fd, [events, generation]] of this.#watched) {
      const userdata = BigInt(fd) | BigInt(generation) << 32n;
      for (const type of [EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE] as const) {
        const event = type === EVENTTYPE_FD_READ ? EVENT_READ : EVENT_WRITE;
        if ((events & event) === 0) continue;
        const at = this.at + index++ * SUBSCRIPTION.size;
        writeFdSubscription(view, at, userdata, type, fd);
      }
    }
    const at = this.at + index * SUBSCRIPTION.size;
    writeClockSubscription(view, at, CLOCK_USERDATA, 0n);
    return index;
  }

  /** Adds pages of its own: other allocations in this memory do not touch them. */
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
