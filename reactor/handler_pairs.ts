/**
 * Two handlers for one descriptor: one when it can be read, one when it can be
 * written, set and removed apart from each other.
 *
 * @module
 */

import { fileDescriptor } from "../backends/ffi/descriptor.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type SelectorKey,
} from "../backends/selector.ts";
import { type Callback, checkCallback } from "./callback.ts";
import type { Loop } from "./loop.ts";

/** Called when the file object can be read, or written. */
export type Handler = () => void;

/** What is called for one event. */
interface Entry {
  readonly handler: Handler;
  /**
   * Of a wait: rejects the promise that hangs on it, which would never settle if the
   * entry were replaced or removed by other means.
   */
  readonly fail: ((error: unknown) => void) | null;
}

/** The entries of one descriptor. */
interface Pair {
  /** What is registered: the key's data, by which the pair is found. */
  readonly callback: Callback;
  reader: Entry | null;
  writer: Entry | null;
}

/**
 * All pairs of a loop, each registered for as long as it has a handler. Which
 * descriptor has which pair only the selector knows: it alone hears of a number
 * that has changed hands.
 */
export class HandlerPairs {
  /** The loop that calls the handlers. */
  readonly loop: Loop;
  readonly #pairs = new WeakMap<Callback, Pair>();

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /**
   * Sets the handler of one event, in the place of the one there may be.
   *
   * @throws {TypeError} if the handler is not a function
   * @throws {Deno.errors.Busy} if a promise waits for the event
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered by other means
   */
  set(fileobj: FileObject, event: number, handler: Handler): void {
    checkCallback(handler);
    this.#add(fileobj, event, { handler, fail: null });
  }

  /**
   * Removes the handler of one event, also after the file object was closed, unless
   * it is that of a wait.
   *
   * @returns false if there was none
   */
  remove(fileobj: FileObject, event: number): boolean {
    return this.#removeIf(fileobj, event, ({ fail }) => fail === null);
  }

  /**
   * Sets what ends a wait for one event, where there is no handler yet.
   *
   * @param handler Called when the event is there
   * @param fail Called with the error, if nothing watches the descriptor any more
   * @throws {Deno.errors.Busy} if there is a handler already
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered by other means
   */
  addWait(
    fileobj: FileObject,
    event: number,
    handler: Handler,
    fail: (error: unknown) => void,
  ): void {
    this.#add(fileobj, event, { handler, fail });
  }

  /** Removes the handler of a wait that is over; a later one is left alone. */
  removeWait(fileobj: FileObject, event: number, handler: Handler): void {
    this.#removeIf(fileobj, event, (entry) => entry.handler === handler);
  }

  /** Before a number is registered by other means: its owner may be closed. */
  makeWay(fileobj: FileObject): void {
    this.#livingKey(fileDescriptor(fileobj));
  }

  /** After a registration was ended by other means: what waits on it waits in vain. */
  leave({ data }: SelectorKey<Callback>): void {
    const pair = this.#pairs.get(data);
    if (pair !== undefined) failWaits(pair, unregistered());
  }

  #add(fileobj: FileObject, event: number, entry: Entry): void {
    const fd = fileDescriptor(fileobj);
    const slot = slotOf(event);
    const key = this.#livingKey(fd);
    const pair = this.#pairOf(key);
    const current = pair?.[slot] ?? null;
    if (current !== null && (current.fail !== null || entry.fail !== null)) {
      throw busy(fd, slot);
    }
    if (pair === undefined) this.#register(fileobj, slot, entry);
    else this.#registerAnew(key!, pair, slot, entry);
  }

  #register(fileobj: FileObject, slot: Slot, entry: Entry): void {
    const pair: Pair = {
      reader: null,
      writer: null,
      [slot]: entry,
      callback: (fileobj, ready) => this.#call(fileobj, pair, ready),
    };
    this.loop.register(fileobj, eventsOf(pair), pair.callback);
    this.#pairs.set(pair.callback, pair);
  }

  /**
   * A number that was closed and opened again looks the same, and epoll and kqueue
   * would still have the file that is gone, or nothing: so the system is told
   * everything afresh, and not just what is new.
   */
  #registerAnew(
    { fileobj }: SelectorKey<Callback>,
    pair: Pair,
    slot: Slot,
    entry: Entry,
  ): void {
    const events = eventsOf({ ...pair, [slot]: entry });
    this.loop.selector.unregister(fileobj);
    try {
      this.loop.register(fileobj, events, pair.callback);
    } catch (error) {
      this.#restore(fileobj, pair);
      throw error;
    }
    pair[slot] = entry;
  }

  /**
   * A change that the system refuses has ended the registration, which is not to cost
   * the handlers that stay.
   *
   * @returns what it was refused with, too, and their waits were ended by; null if they
   *   are registered again
   */
  #restore(fileobj: FileObject, pair: Pair): Error | null {
    try {
      this.loop.register(fileobj, eventsOf(pair), pair.callback);
      return null;
    } catch (error) {
      failWaits(pair, error);
      return error as Error;
    }
  }

  #removeIf(
    fileobj: FileObject,
    event: number,
    condition: (entry: Entry) => boolean,
  ): boolean {
    const key = this.loop.selector.getMap().get(fileobj);
    const pair = this.#pairOf(key);
    const slot = slotOf(event);
    const entry = pair?.[slot] ?? null;
    if (entry === null || !condition(entry)) return false;
    pair![slot] = null;
    this.#withdraw(key!, pair!);
    return true;
  }

  /** Waits for less than before. Of what is closed there is nothing to be waited for. */
  #withdraw(key: SelectorKey<Callback>, pair: Pair): void {
    const events = eventsOf(pair);
    if (events === 0) {
      this.loop.unregister(key.fileobj);
      return;
    }
    if (isClosed(key)) return;
    try {
      this.loop.modify(key.fileobj, events, pair.callback);
    } catch {
      const error = this.#restore(key.fileobj, pair);
      if (error !== null && !(error instanceof Deno.errors.BadResource)) {
        throw error;
      }
    }
  }

  /**
   * The key of a number, unless its owner was closed: then the number is free, as for
   * `register()`, and what waits for that owner waits in vain.
   */
  #livingKey(fd: number): SelectorKey<Callback> | undefined {
    const key = this.loop.selector.getMap().get(fd);
    if (key === undefined || !isClosed(key)) return key;
    const pair = this.#pairOf(key);
    if (pair !== undefined) failWaits(pair, closedError());
    return undefined;
  }

  #pairOf(key: SelectorKey<Callback> | undefined): Pair | undefined {
    return key === undefined ? undefined : this.#pairs.get(key.data);
  }

  /**
   * Reads before it writes; what the reader removed, the writer does not get, nor
   * does the next owner of the number.
   */
  #call(fileobj: FileObject, pair: Pair, ready: number): void {
    if ((ready & EVENT_READ) !== 0) pair.reader?.handler();
    if ((ready & EVENT_WRITE) === 0) return;
    const key = this.loop.selector.getMap().get(fileobj);
    if (this.#pairOf(key) === pair) pair.writer?.handler();
  }
}

type Slot = "reader" | "writer";

function slotOf(event: number): Slot {
  return event === EVENT_READ ? "reader" : "writer";
}

function eventsOf(pair: Pair): number {
  return (pair.reader === null ? 0 : EVENT_READ) |
    (pair.writer === null ? 0 : EVENT_WRITE);
}

function isClosed({ fileobj, fd }: SelectorKey<Callback>): boolean {
  return typeof fileobj === "object" && fileobj.fd !== fd;
}

function failWaits({ reader, writer }: Pair, error: unknown): void {
  reader?.fail?.(error);
  writer?.fail?.(error);
}

function busy(fd: number, slot: Slot): Error {
  return new Deno.errors.Busy(`File descriptor ${fd} has a ${slot} already`);
}

function unregistered(): Error {
  return new Deno.errors.Interrupted("File object was unregistered");
}

/** What a wait is told whose file object was closed. */
export function closedError(): Error {
  return new Deno.errors.BadResource("File object was closed");
}
