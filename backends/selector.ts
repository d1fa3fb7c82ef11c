/**
 * The contract of every backend: Python's `selectors`, with timeouts in
 * milliseconds and the types of Deno.
 *
 * It comes in two halves. `Selector` is the interface of Python, for programs.
 * `LoopSelector` adds the calls that an event loop needs: a wait that allocates
 * nothing, and one on another thread.
 *
 * @module
 */

import type { FileObject } from "./ffi/descriptor.ts";

export type { FileObject };

/** Readable: a read, a receive or an accept would not block. End of file counts. */
export const EVENT_READ = 1 << 0;

/** Writable: a send would not block, or a connect has finished. */
export const EVENT_WRITE = 1 << 1;

/** Urgent data: out-of-band bytes, an edge on a GPIO pin (POLLPRI). Not in Python. */
export const EVENT_PRIORITY = 1 << 2;

/**
 * Edge-triggered: reports only new readiness (EPOLLET, EV_CLEAR). After an event,
 * read or write until `WOULD_BLOCK`.
 */
export const MODE_EDGE = 1 << 3;

/** Reports one event, then none until `modify()` (EPOLLONESHOT, EV_DISPATCH). */
export const MODE_ONE_SHOT = 1 << 4;

/** Wakes one of the selectors that wait for a file, rather than all (EPOLLEXCLUSIVE). */
export const MODE_EXCLUSIVE = 1 << 5;

/**
 * The peer has half-closed the connection, or the file has failed (EPOLLRDHUP,
 * EPOLLHUP, EPOLLERR). Together with `EVENT_READ | MODE_EDGE` it means that more is
 * left after a read that returned less than it asked for. Not in Python; epoll and AFD
 * only.
 */
export const EVENT_HANG_UP = 1 << 6;

/** All events that can be reported. */
export const ALL_EVENTS = EVENT_READ | EVENT_WRITE | EVENT_PRIORITY |
  EVENT_HANG_UP;

/** All modes. Without one of them, events are level-triggered. */
export const ALL_MODES = MODE_EDGE | MODE_ONE_SHOT | MODE_EXCLUSIVE;

/** The options of `unregister()` for a file object that is closed next: never allocated anew. */
export const CLOSING: { readonly closing: true } = Object.freeze({
  closing: true,
});

/**
 * One registered file object. A key never changes: `modify()` makes another.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects
 */
export interface SelectorKey<T, F extends FileObject = FileObject> {
  /** The file object as it was registered. */
  readonly fileobj: F;
  /** Its descriptor. */
  readonly fd: number;
  /** The events to wait for: `EVENT_*`, and `MODE_*` where asked for. */
  readonly events: number;
  /** The data that was registered with it: often the callback. */
  readonly data: T;
}

/**
 * Waits until registered file objects are ready for reading or writing.
 *
 * Readiness is a hint, as with the system calls underneath: another thread or
 * process may read the bytes first. Make file objects non-blocking. A hang-up or
 * an error makes a file object ready in both directions, and the next call on it
 * reports the error.
 *
 * Sources: the `selectors` module of Python; for each system call, the file that
 * is named after it.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects, and so of `key.fileobj`. Default: any
 *
 * @example Two directions in one entry
 * ```ts
 * import {
 *   DefaultSelector,
 *   EVENT_READ,
 *   EVENT_WRITE,
 *   type Selector,
 * } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector: Selector<string> = new DefaultSelector<string>();
 * const [left, right] = socketPair();
 * selector.register(right, EVENT_READ | EVENT_WRITE, "right");
 * left.send(new Uint8Array(1));
 * for (const [key, events] of selector.select()) {
 *   assertEquals(key.data, "right");
 *   assertEquals(events, EVENT_READ | EVENT_WRITE);
 * }
 * selector.unregister(right);
 * left.close();
 * right.close();
 * ```
 */
export interface Selector<T, F extends FileObject = FileObject>
  extends Disposable {
  /** The `EVENT_*` and `MODE_*` of this backend. `register()` refuses all others. */
  readonly supported: number;

  /**
   * Starts to watch a file object.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param events One or more of `EVENT_*`, and `MODE_*`, as far as `supported` has them
   * @param data The data of the key: often the callback
   * @throws {TypeError} if the file object has no descriptor
   * @throws {RangeError} if the descriptor is negative, the events are none or unknown,
   *   or the backend cannot hold the descriptor (`select`: 1024 and more)
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered
   * @throws {Deno.errors.NotSupported} if the backend lacks the event or the mode
   * @throws {Deno.errors.BadResource} if the selector is closed, or the descriptor is
   */
  register(fileobj: F, events: number, data: T): SelectorKey<T, F>;

  /**
   * Replaces the events and the data of a registered file object. With the same
   * events it makes no system call. If the system refuses, the file object is no
   * longer registered.
   *
   * @throws {Deno.errors.NotFound} if the file object is not registered
   * @throws as `register`
   */
  modify(fileobj: F | number, events: number, data: T): SelectorKey<T, F>;

  /**
   * Stops watching a file object: before it is closed, or after.
   *
   * @param options `closing`: the file object is closed next, and has no duplicate.
   *   epoll and kqueue then remove it on their own, which saves a system call.
   *   Default: false
   * @throws {TypeError} if an option is unknown
   * @throws {Deno.errors.NotFound} if it is not registered
   * @throws {Deno.errors.BadResource} if the selector is closed
   */
  unregister(
    fileobj: F | number,
    options?: { readonly closing?: boolean },
  ): SelectorKey<T, F>;

  /**
   * Waits until a file object is ready.
   *
   * @param timeout Milliseconds. 0 or less does not wait. Default: no timeout
   * @returns the keys that are ready, each with its ready events. It is empty only
   *   after the timeout, which is never early; a signal does not end the wait
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  select(timeout?: number): [key: SelectorKey<T, F>, events: number][];

  /**
   * Returns the key of a registered file object.
   *
   * @throws {Deno.errors.NotFound} if it is not registered
   * @throws {Deno.errors.BadResource} if the selector is closed
   */
  getKey(fileobj: F | number): SelectorKey<T, F>;

  /**
   * Returns a live view of all registrations. It looks up by file object or
   * descriptor, and iterates by descriptor.
   */
  getMap(): ReadonlyMap<F | number, SelectorKey<T, F>>;

  /** Releases the system's resources. File objects stay open. A second call does nothing. */
  close(): void;
}

/**
 * A selector with the calls of an event loop. Every selector of this package is
 * one; `new Reactor({ selector })` takes one.
 *
 * `wait()` returns how many entries are ready, and the `ready*()` methods read
 * entry by entry, so that a turn of the loop allocates nothing. An entry whose
 * registration has ended since the wait reads as `undefined`, or 0 events.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects, and so of `key.fileobj`. Default: any
 *
 * @example One turn of a loop
 * ```ts
 * import { createSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = createSelector<(events: number) => void>();
 * const [left, right] = socketPair();
 * const seen: number[] = [];
 * selector.register(right, EVENT_READ, (events) => seen.push(events));
 * left.send(new Uint8Array(1));
 * const count = selector.wait(1000);
 * for (let index = 0; index < count; index++) {
 *   selector.readyData(index)?.(selector.readyEvents(index));
 * }
 * assertEquals(seen, [EVENT_READ]);
 * left.close();
 * right.close();
 * ```
 */
export interface LoopSelector<T, F extends FileObject = FileObject>
  extends Selector<T, F> {
  /**
   * Waits once, without an allocation: the wait below `select()`. It may return 0
   * early, after a signal.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @param most Stop at this many ready entries, and leave the others to the next wait.
   *   Only epoll and kqueue do. Default: all
   * @returns the number of ready entries, valid until the next wait
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  wait(timeout: number, most?: number): number;

  /**
   * Waits on another thread, so that this one can go on. It cannot be cancelled:
   * register a descriptor that ends it. Until it ends, every other wait is refused.
   *
   * @param timeout Milliseconds; `Infinity` is no timeout
   * @param referenced Whether the wait keeps the process open. Default: true
   * @returns as `wait`
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  park(timeout: number, referenced?: boolean): Promise<number>;

  /**
   * Whether a parked wait notices later registrations (epoll, kqueue, `/dev/poll`,
   * AFD). Otherwise it has to end before they count (poll, select, and regular files
   * with epoll, for which `waitFd` is -1).
   */
  readonly seesChangesWhileParked: boolean;

  /**
   * A descriptor that is readable while an entry is ready, so that one wait can cover
   * several selectors. Only epoll and kqueue have one. It is -1 with the others, and
   * while it would not show all entries.
   */
  readonly waitFd: number;

  /**
   * Returns the key of a ready entry, as it is registered now.
   *
   * @param index From 0, below the result of the wait
   * @returns undefined if the registration has ended since the wait, even if the
   *   descriptor has been registered again
   */
  readyKey(index: number): SelectorKey<T, F> | undefined;

  /**
   * Returns the file object of a ready entry. It is faster than `readyKey` with
   * thousands of ready entries.
   *
   * @param index From 0, below the result of the wait
   * @returns as `readyKey`
   */
  readyFileobj(index: number): F | undefined;

  /**
   * Returns the data of a ready entry. It is faster than `readyKey` with thousands of
   * ready entries.
   *
   * @param index From 0, below the result of the wait
   * @returns as `readyKey`
   */
  readyData(index: number): T | undefined;

  /**
   * Returns the ready events of an entry that its key still waits for.
   *
   * @param index From 0, below the result of the wait
   * @returns `EVENT_*`; 0 if the registration has ended, or waits for other events now
   */
  readyEvents(index: number): number;
}
