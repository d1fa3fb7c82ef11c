/**
 * Who waits in the place of a suspended guest.
 *
 * @module
 */

import { DefaultSelector } from "../default_selector.ts";
import { close, pipe, read, write } from "../ffi/mod.ts";
import type { FileObject } from "../ffi/descriptor.ts";
import { EVENT_READ, EVENT_WRITE, type Selector } from "../selector.ts";

/** How a wait can be called off. */
export interface WaitOptions {
  /** Ends the wait: its promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a suspended guest needs of whoever runs the loop. A `Reactor` is one. */
export interface Waiter {
  /** Resolves when there is something to read, or the file has ended or failed. */
  readable(fileobj: FileObject, options?: WaitOptions): PromiseLike<unknown>;

  /** Resolves when there is room to write, or the file has failed. */
  writable(fileobj: FileObject, options?: WaitOptions): PromiseLike<unknown>;
}

/** Somebody who waits for one file. */
interface Wait {
  readonly events: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A waiter on a selector of its own, which parks one thread for all who wait
 * through it, and none when nobody does.
 */
export class SelectorWaiter implements Waiter, Disposable {
  readonly #selector: Selector<Set<Wait>>;
  readonly #wake: [reader: number, writer: number];
  readonly #waits = new Map<FileObject, Set<Wait>>();
  #running = false;
  #disposed = false;

  /** Takes over a selector, which it closes at its end. */
  constructor(
    selector: Selector<unknown> = new DefaultSelector<unknown>(),
  ) {
    this.#selector = selector as Selector<Set<Wait>>;
    this.#wake = pipe();
    this.#selector.register(this.#wake[0], EVENT_READ, new Set());
  }

  readable(fileobj: FileObject, options: WaitOptions = {}): Promise<void> {
    return this.#wait(fileobj, EVENT_READ, options.signal);
  }

  writable(fileobj: FileObject, options: WaitOptions = {}): Promise<void> {
    return this.#wait(fileobj, EVENT_WRITE, options.signal);
  }

  /** Lets go of the selector, as soon as nothing is parked on it. Who still waits is told so. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const error = new Deno.errors.BadResource("Waiter is closed");
    for (const waits of this.#waits.values()) {
      for (const wait of waits) wait.reject(error);
    }
    this.#waits.clear();
    if (this.#running) this.#interrupt();
    else this.#release();
  }

  #wait(
    fileobj: FileObject,
    events: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#disposed) {
        throw new Deno.errors.BadResource("Waiter is closed");
      }
      signal?.throwIfAborted();
      const onAbort = (): void => {
        this.#remove(fileobj, wait);
        reject(signal!.reason);
        // Else the parked wait would keep the process alive for nothing.
        if (this.#waits.size === 0) this.#interrupt();
      };
      const wait: Wait = {
        events,
        reject,
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      this.#add(fileobj, wait);
      signal?.addEventListener("abort", onAbort, { once: true });
      if (!this.#running) this.#run();
      else if (!this.#selector.seesChangesWhileParked) this.#interrupt();
    });
  }

  #add(fileobj: FileObject, wait: Wait): void {
    const waits = this.#waits.get(fileobj);
    if (waits === undefined) {
      const first = new Set([wait]);
      this.#selector.register(fileobj, wait.events, first);
      this.#waits.set(fileobj, first);
    } else {
      waits.add(wait);
      this.#selector.modify(fileobj, eventsOf(waits), waits);
    }
  }

  #remove(fileobj: FileObject, wait: Wait): void {
    const waits = this.#waits.get(fileobj);
    if (waits?.delete(wait)) this.#settle(fileobj, waits);
  }

  /** Brings the registration into line with who still waits. */
  #settle(fileobj: FileObject, waits: Set<Wait>): void {
    if (waits.size > 0) {
      this.#selector.modify(fileobj, eventsOf(waits), waits);
    } else {
      this.#waits.delete(fileobj);
      this.#selector.unregister(fileobj);
    }
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waits.size > 0) {
        this.#dispatch(await this.#selector.park(Infinity));
      }
    } catch (error) {
      for (const waits of this.#waits.values()) {
        for (const wait of waits) wait.reject(error);
      }
      this.#waits.clear();
    } finally {
      this.#running = false;
      if (this.#disposed) this.#release();
    }
  }

  #dispatch(count: number): void {
    for (let index = 0; index < count; index++) {
      const key = this.#selector.readyKey(index);
      if (key === undefined) continue;
      if (key.fd === this.#wake[0]) read(key.fd, new Uint8Array(64));
      const events = this.#selector.readyEvents(index);
      const ready = [...key.data].filter((wait) =>
        (wait.events & events) !== 0
      );
      if (ready.length === 0) continue;
      for (const wait of ready) key.data.delete(wait);
      this.#settle(key.fileobj, key.data);
      for (const wait of ready) wait.resolve();
    }
  }

  #interrupt(): void {
    if (this.#running) write(this.#wake[1], new Uint8Array(1));
  }

  #release(): void {
    this.#selector.close();
    for (const fd of this.#wake) close(fd);
  }
}

function eventsOf(waits: ReadonlySet<Wait>): number {
  let events = 0;
  for (const wait of waits) events |= wait.events;
  return events;
}

let shared: SelectorWaiter | undefined;
let borrowers = 0;

/** The waiter that all guests of this thread share who were given none. */
export function borrowWaiter(): Waiter & Disposable {
  const waiter = shared ??= new SelectorWaiter();
  borrowers++;
  return {
    readable: (fileobj, options) => waiter.readable(fileobj, options),
    writable: (fileobj, options) => waiter.writable(fileobj, options),
    [Symbol.dispose](): void {
      if (--borrowers > 0) return;
      shared = undefined;
      waiter[Symbol.dispose]();
    },
  };
}
