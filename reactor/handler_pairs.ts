/**
 * Separate handlers of one descriptor, for readability and for writability.
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

/** Called when a file object is readable, or writable. */
export type Handler = () => void;

/** The handler of one event. */
interface Entry {
  readonly handler: Handler;
  /** Rejects the promise of a wait; null for a handler of a program. */
  readonly fail: ((error: unknown) => void) | null;
}

/** The handlers of one descriptor. */
interface Pair {
  /** The registered callback. It is the data of the key, which leads to the pair. */
  readonly callback: Callback;
  reader: Entry | null;
  writer: Entry | null;
}

/**
 * All pairs of a loop. Each is registered while it has a handler. A pair is found by the
 * key of its descriptor: the selector alone notices that a descriptor was reused.
 */
export class HandlerPairs {
  /** The loop that calls the handlers. */
  readonly loop: Loop;
  readonly #pairs = new WeakMap<Callback, Pair>();

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /**
   * Sets the handler of one event, replacing an existing one.
   *
   * @throws {TypeError} if the handler is not a function
   * @throws {Deno.errors.Busy} if a wait for the event is pending
   * @throws {Deno.errors.AlreadyExists} if `register()` has registered the descriptor
   */
  set(fileobj: FileObject, event: number, handler: Handler): void {
    checkCallback(handler);
    this.#add(fileobj, event, { handler, fail: null });
  }

  /**
   * Removes the handler of one event, except that of a wait. The file object may be
   * closed.
   *
   * @returns false if there was none
   */
  remove(fileobj: FileObject, event: number): boolean {
    return this.#removeIf(fileobj, event, ({ fail }) => fail === null);
  }

  /**
   * Adds a wait for one event.
   *
   * @param handler Called on the event
   * @param fail Called with the error if the registration ends
   * @throws {Deno.errors.Busy} if the event has a handler
   * @throws {Deno.errors.AlreadyExists} if `register()` has registered the descriptor
   */
  addWait(
    fileobj: FileObject,
    event: number,
    handler: Handler,
    fail: (error: unknown) => void,
  ): void {
    this.#add(fileobj, event, { handler, fail });
  }

  /** Removes a wait that is over, but no later one. */
  removeWait(fileobj: FileObject, event: number, handler: Handler): void {
    this.#removeIf(fileobj, event, (entry) => entry.handler === handler);
  }

  /** Rejects the waits of a closed file object whose descriptor is registered next. */
  dropClosed(fileobj: FileObject): void {
    this.#openKey(fileDescriptor(fileobj));
  }

  /** Rejects the waits of a registration that was ended or replaced by other means. */
  rejectWaits({ data }: SelectorKey<Callback>): void {
    const pair = this.#pairs.get(data);
    if (pair !== undefined) failWaits(pair, unregistered());
  }

  /** Returns the names of the handlers behind a registered callback; null of any other. */
  nameOf(callback: Callback): string | null {
    const pair = this.#pairs.get(callback);
    if (pair === undefined) return null;
    const names = [
      nameOf(pair.reader, "readable"),
      nameOf(pair.writer, "writable"),
    ];
    return names.filter((name) => name !== "").join(", ");
  }

  #add(fileobj: FileObject, event: number, entry: Entry): void {
    const fd = fileDescriptor(fileobj);
    const slot = slotOf(event);
    const key = this.#openKey(fd);
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
   * Registers again rather than modifying. A descriptor that was closed and opened again
   * looks the same here, but epoll and kqueue still have the old file, or none.
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
   * Registers the remaining handlers again after a refused change, which has ended their
   * registration.
   *
   * @returns the error that refused this, too, and rejected their waits; null on success
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

  /** Registers fewer events than before, or none. A closed file object has no events. */
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
   * Returns the key of a descriptor, unless its file object was closed. It rejects the
   * waits of a closed one, whose descriptor is free to be registered.
   */
  #openKey(fd: number): SelectorKey<Callback> | undefined {
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
   * Calls the reader before the writer. The reader may remove the writer, or close the
   * file object, whose descriptor may then belong to another one. A writer alone is also
   * called for a closed descriptor, whose report has ended the registration.
   */
  #call(fileobj: FileObject, pair: Pair, ready: number): void {
    if ((ready & EVENT_READ) !== 0 && pair.reader !== null) {
      pair.reader.handler();
      if ((ready & EVENT_WRITE) === 0) return;
      const key = this.loop.selector.getMap().get(fileobj);
      if (this.#pairOf(key) !== pair) return;
    }
    if ((ready & EVENT_WRITE) !== 0) pair.writer?.handler();
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

/** Returns the name of a handler; of a promise, the method that returned it. */
function nameOf(entry: Entry | null, method: string): string {
  if (entry === null) return "";
  return entry.fail === null ? entry.handler.name || "(anonymous)" : method;
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

/** Creates the error of a wait whose file object was closed. */
export function closedError(): Error {
  return new Deno.errors.BadResource("File object was closed");
}
