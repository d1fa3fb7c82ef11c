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
} from "../backends/selector.ts";
import { checkCallback, type Loop } from "./loop.ts";

/** Called when the file object can be read, or written. */
export type Handler = () => void;

/** The handlers of one descriptor: one object from the first of them to the last. */
interface Pair {
  readonly fileobj: FileObject;
  reader: Handler | null;
  writer: Handler | null;
}

/** All pairs of a loop, each registered for as long as it has a handler. */
export class HandlerPairs {
  /** The loop that calls the handlers. */
  readonly loop: Loop;
  readonly #pairs = new Map<number, Pair>();
  /**
   * The handlers of those who wait. Nobody else replaces or removes them: a promise
   * hangs on each, which would never settle.
   */
  readonly #waits = new WeakSet<Handler>();

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /**
   * Sets the handler of one event, in the place of the one there may be.
   *
   * @throws {TypeError} if the handler is not a function
   * @throws {Deno.errors.Busy} if somebody waits for the event
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered by other means
   */
  set(fileobj: FileObject, event: number, handler: Handler): void {
    checkCallback(handler);
    const fd = fileDescriptor(fileobj);
    const slot = slotOf(event);
    const pair = this.#pairOf(fd) ?? { fileobj, reader: null, writer: null };
    const current = pair[slot];
    if (current !== null && this.#waits.has(current)) throw busy(fd, slot);
    this.#update(fd, pair, slot, handler);
  }

  /**
   * Removes the handler of one event, also after the file object was closed, unless
   * it is of somebody who waits.
   *
   * @returns false if there was none
   */
  remove(fileobj: FileObject, event: number): boolean {
    return this.#removeIf(fileobj, event, (it) => !this.#waits.has(it));
  }

  /**
   * Sets the handler of somebody who waits for one event, where there is none yet.
   *
   * @throws {Deno.errors.Busy} if there is one already
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered by other means
   */
  addWait(fileobj: FileObject, event: number, handler: Handler): void {
    const fd = fileDescriptor(fileobj);
    const slot = slotOf(event);
    const pair = this.#pairOf(fd) ?? { fileobj, reader: null, writer: null };
    if (pair[slot] !== null) throw busy(fd, slot);
    this.#update(fd, pair, slot, handler);
    this.#waits.add(handler);
  }

  /** Removes the handler of somebody who waited; a later one is left alone. */
  removeWait(fileobj: FileObject, event: number, handler: Handler): void {
    this.#removeIf(fileobj, event, (it) => it === handler);
  }

  #removeIf(
    fileobj: FileObject,
    event: number,
    condition: (handler: Handler) => boolean,
  ): boolean {
    const fd = this.#fdOf(fileobj);
    const pair = fd === undefined ? undefined : this.#pairOf(fd);
    const slot = slotOf(event);
    const handler = pair?.[slot] ?? null;
    if (handler === null || !condition(handler)) return false;
    this.#update(fd!, pair!, slot, null);
    return true;
  }

  /** The pair of a descriptor, unless its registration has ended by other means. */
  #pairOf(fd: number): Pair | undefined {
    const pair = this.#pairs.get(fd);
    if (pair === undefined) return undefined;
    if (this.loop.selector.getMap().get(fd)?.fileobj === pair.fileobj) {
      return pair;
    }
    this.#pairs.delete(fd);
    return undefined;
  }

  #fdOf(fileobj: FileObject): number | undefined {
    if (typeof fileobj === "number") return fileobj;
    if (fileobj.fd >= 0) return fileobj.fd;
    for (const [fd, pair] of this.#pairs) {
      if (pair.fileobj === fileobj) return fd;
    }
    return undefined;
  }

  #update(
    fd: number,
    pair: Pair,
    slot: "reader" | "writer",
    handler: Handler | null,
  ): void {
    const before = eventsOf(pair);
    const events = eventsOf({ ...pair, [slot]: handler });
    const callback = (_: FileObject, ready: number): void =>
      this.#call(fd, pair, ready);
    if (before === 0) this.loop.register(pair.fileobj, events, callback);
    else if (events === 0) this.loop.unregister(pair.fileobj);
    else this.loop.modify(pair.fileobj, events, callback);
    // Only now: what the system refuses changes nothing.
    pair[slot] = handler;
    if (events === 0) this.#pairs.delete(fd);
    else this.#pairs.set(fd, pair);
  }

  /**
   * Reads before it writes; what the reader removed, the writer does not get, nor
   * does the next owner of the number.
   */
  #call(fd: number, pair: Pair, ready: number): void {
    if ((ready & EVENT_READ) !== 0) pair.reader?.();
    if ((ready & EVENT_WRITE) !== 0 && this.#pairOf(fd) === pair) {
      pair.writer?.();
    }
  }
}

function eventsOf(pair: Pair): number {
  return (pair.reader === null ? 0 : EVENT_READ) |
    (pair.writer === null ? 0 : EVENT_WRITE);
}

function busy(fd: number, slot: "reader" | "writer"): Error {
  return new Deno.errors.Busy(`File descriptor ${fd} has a ${slot} already`);
}

function slotOf(event: number): "reader" | "writer" {
  return event === EVENT_READ ? "reader" : "writer";
}
