/**
 * Who waits in the place of a suspended guest.
 *
 * @module
 */

import { createSelector } from "../../backends/default_selector.ts";
import { close, pipe, read, write } from "../../backends/ffi/mod.ts";
import {
  fileDescriptor,
  type FileObject,
} from "../../backends/ffi/descriptor.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type LoopSelector,
} from "../../backends/selector.ts";

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
  readonly #selector: LoopSelector<Set<Wait>>;
  readonly #wake: [reader: number, writer: number];
  /** Those that are not over. Which descriptor has which the selector knows: it is the keys' data. */
  readonly #waits = new Set<Wait>();
  #running = false;
  #disposed = false;

  /** Takes over a selector, which it closes at its end. */
  constructor(
    selector: LoopSelector<unknown> = createSelector<unknown>(),
  ) {
    this.#selector = selector as LoopSelector<Set<Wait>>;
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
    this.#failAll(error);
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
        wait.reject(signal!.reason);
        // Else the parked wait would keep the process alive for nothing.
        if (this.#waits.size === 0) this.#interrupt();
      };
      const end = (): void => {
        this.#waits.delete(wait);
        signal?.removeEventListener("abort", onAbort);
      };
      const wait: Wait = {
        events,
        resolve: () => {
          end();
          resolve();
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      this.#waits.add(wait);
      signal?.addEventListener("abort", onAbort, { once: true });
      try {
        this.#add(fileobj, wait);
      } catch (error) {
        return wait.reject(error);
      }
      if (!this.#running) this.#run();
      else if (!this.#selector.seesChangesWhileParked) this.#interrupt();
    });
  }

  /** The selector alone hears of a number that changes hands. */
  #waitsOf(fileobj: FileObject): Set<Wait> | undefined {
    return this.#selector.getMap().get(fileobj)?.data;
  }

  #add(fileobj: FileObject, wait: Wait): void {
    this.#endFormer(fileDescriptor(fileobj));
    const waits = this.#waitsOf(fileobj);
    if (waits === undefined) {
      this.#selector.register(fileobj, wait.events, new Set([wait]));
    } else {
      waits.add(wait);
      this.#modify(fileobj, waits);
    }
  }

  /** The number of a closed object is free: what waits for that object waits in vain. */
  #endFormer(fd: number): void {
    const key = this.#selector.getMap().get(fd);
    if (typeof key?.fileobj !== "object" || key.fileobj.fd === fd) return;
    this.#selector.unregister(key.fileobj);
    fail(key.data, new Deno.errors.BadResource("File object was closed"));
  }

  #remove(fileobj: FileObject, wait: Wait): void {
    const waits = this.#waitsOf(fileobj);
    if (waits?.delete(wait)) this.#settle(fileobj, waits);
  }

  /** Brings the registration, if it has not ended, into line with what still waits. */
  #settle(fileobj: FileObject, waits: Set<Wait>): void {
    if (this.#waitsOf(fileobj) !== waits) return;
    if (waits.size > 0) this.#modify(fileobj, waits);
    else this.#selector.unregister(fileobj);
  }

  /** What the system refuses is no longer registered. */
  #modify(fileobj: FileObject, waits: Set<Wait>): void {
    try {
      this.#selector.modify(fileobj, eventsOf(waits), waits);
    } catch (error) {
      fail(waits, error);
    }
  }

  #failAll(error: unknown): void {
    for (const { fileobj } of [...this.#selector.getMap().values()]) {
      if (fileobj !== this.#wake[0]) this.#selector.unregister(fileobj);
    }
    fail(this.#waits, error);
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (this.#waits.size > 0) {
        this.#dispatch(await this.#selector.park(Infinity));
      }
    } catch (error) {
      this.#failAll(error);
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

function fail(waits: ReadonlySet<Wait>, error: unknown): void {
  for (const wait of waits) wait.reject(error);
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
