/**
 * The contract that every readiness call is put behind: Python's `selectors`,
 * in milliseconds and with the types of Deno.
 *
 * @module
 */

import type { FileObject } from "./ffi/descriptor.ts";

export type { FileObject };

/** There is something to read, a connection to accept, or the end of the file. */
export const EVENT_READ = 1 << 0;

/** There is room to write, or a connect has ended. */
export const EVENT_WRITE = 1 << 1;

/** Something urgent: out-of-band data, an edge on a GPIO pin (POLLPRI). Beyond Python. */
export const EVENT_PRIORITY = 1 << 2;

/**
 * Report news only, not what is still there (EPOLLET, EV_CLEAR): whoever asks
 * for it reads until `WOULD_BLOCK`.
 */
export const MODE_EDGE = 1 << 3;

/** Report once, then be silent until `modify()` (EPOLLONESHOT, EV_DISPATCH). */
export const MODE_ONE_SHOT = 1 << 4;

/** Of several selectors that wait for one file, wake not all (EPOLLEXCLUSIVE). */
export const MODE_EXCLUSIVE = 1 << 5;

/**
 * The peer will send no more, or the file has failed (EPOLLRDHUP, EPOLLHUP,
 * EPOLLERR). Beside `EVENT_READ` with `MODE_EDGE` it says that a read which got less
 * than it asked for was not the last. Beyond Python; epoll alone has it.
 */
export const EVENT_HANG_UP = 1 << 6;

/** The events that can be reported. */
export const ALL_EVENTS = EVENT_READ | EVENT_WRITE | EVENT_PRIORITY |
  EVENT_HANG_UP;

/** The ways in which they can be reported, beside the usual one: as long as they last. */
export const ALL_MODES = MODE_EDGE | MODE_ONE_SHOT | MODE_EXCLUSIVE;

/**
 * What is known of one registered file object. It never changes; `modify()` makes another.
 *
 * @typeParam T What is registered with each file object
 * @typeParam F What kind of file object is registered
 */
export interface SelectorKey<T, F extends FileObject = FileObject> {
  /** The file object as it was registered. */
  readonly fileobj: F;
  /** Its descriptor. */
  readonly fd: number;
  /** What is waited for: `EVENT_*`, and `MODE_*` where asked for. */
  readonly events: number;
  /** Whatever was registered with it: often the callback. */
  readonly data: T;
}

/**
 * Waits until a registered file object can be read or written.
 *
 * Readiness is a hint, as with the system calls underneath: by the time of the
 * call somebody else may have read the bytes, so non-blocking files are the
 * rule. A hang-up or an error makes a file ready in both directions, and the
 * call that follows reports it.
 *
 * Sources: the `selectors` module of Python, and of each call the file that is
 * named after it.
 *
 * @typeParam T What is registered with each file object
 * @typeParam F What kind of file object is registered: any, if left out. It is the type
 *   of `key.fileobj`
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
  /** Which `EVENT_*` and `MODE_*` it has: every other is refused. */
  readonly supported: number;

  /**
   * Starts to watch a file object.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param events What to wait for: one or more of `EVENT_*`, and `MODE_*`, where the
   *   backend has them: see `supported`
   * @param data What to find in the key: often the callback
   * @throws {TypeError} if the file object has no descriptor
   * @throws {RangeError} if the descriptor is negative, the events are none or unknown,
   *   or the backend cannot hold the descriptor (`select`: 1024 and more)
   * @throws {Deno.errors.AlreadyExists} if the descriptor is registered
   * @throws {Deno.errors.NotSupported} if the backend lacks the event or the mode
   * @throws {Deno.errors.BadResource} if the selector is closed, or the descriptor is
   */
  register(fileobj: F, events: number, data: T): SelectorKey<T, F>;

  /**
   * Replaces what a registered file object is watched for, and its data. With
   * the same events no system call is made. If the system refuses, the file
   * object is no longer registered.
   *
   * @throws {Deno.errors.NotFound} if the file object is not registered
   * @throws as `register`
   */
  modify(fileobj: F | number, events: number, data: T): SelectorKey<T, F>;

  /**
   * Stops watching a file object: before it is closed, or after.
   *
   * @throws {Deno.errors.NotFound} if it is not registered
   * @throws {Deno.errors.BadResource} if the selector is closed
   */
  unregister(fileobj: F | number): SelectorKey<T, F>;

  /**
   * Unregisters a file object that is closed next, as the last that has the file
   * open. Epoll and kqueue then forget it by themselves, which saves a call.
   *
   * @throws as `unregister`
   */
  unregisterClosing(fileobj: F | number): SelectorKey<T, F>;

  /**
   * Waits until something is ready.
   *
   * @param timeout Milliseconds; 0 or less looks and returns; for ever if left out
   * @returns the keys that are ready, each with those of its events that are. Empty
   *   only if the time is over, which is never early; a signal does not end the wait
   * @throws {TypeError} if the timeout is not a number
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  select(timeout?: number): [key: SelectorKey<T, F>, events: number][];

  /**
   * The key of a registered file object.
   *
   * @throws {Deno.errors.NotFound} if it is not registered
   * @throws {Deno.errors.BadResource} if the selector is closed
   */
  getKey(fileobj: F | number): SelectorKey<T, F>;

  /**
   * All registrations, as a view that follows every change. It is looked up by
   * file object or descriptor, and iterates by descriptor.
   */
  getMap(): ReadonlyMap<F | number, SelectorKey<T, F>>;

  /** Frees what the system keeps. The file objects stay open. Closing again does nothing. */
  close(): void;

  /**
   * The wait underneath `select()`, without an allocation, for a loop that
   * cannot afford one. It may return 0 early, after a signal.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @param most After how many the call may leave the others for the next wait. epoll
   *   and kqueue do; the other calls report all that is ready. All, if left out
   * @returns how many entries `readyKey` and its like can be asked for, until the next
   *   wait
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  wait(timeout: number, most?: number): number;

  /**
   * As `wait`, on another thread, so that this one can go on. It cannot be
   * cancelled: register something that ends it. Until then every other wait is
   * refused.
   *
   * @param timeout Milliseconds; `Infinity` is for ever
   * @param referenced Whether the wait keeps the process open: it does, if left out
   * @returns as `wait`
   * @throws {Deno.errors.BadResource} if the selector is closed
   * @throws {Deno.errors.Busy} if a parked wait is under way
   */
  park(timeout: number, referenced?: boolean): Promise<number>;

  /**
   * Whether a parked wait notices what is registered meanwhile (epoll, kqueue),
   * or has to be ended first (poll, select).
   */
  readonly seesChangesWhileParked: boolean;

  /**
   * A descriptor that is readable while something is ready, whatever is registered
   * later: by it one wait can cover several selectors. -1 where the call has none
   * (poll, select, `/dev/poll`), and while it would not show everything.
   */
  readonly waitFd: number;

  /**
   * The key of a ready entry, as it is registered now.
   *
   * @param index From 0, below what the wait returned
   * @returns undefined if the registration has ended since the wait: also where the
   *   descriptor has been registered again, which makes it another's
   */
  readyKey(index: number): SelectorKey<T, F> | undefined;

  /**
   * The file object of a ready entry: what its key says, without the key. A loop
   * that has thousands ready finds it sooner.
   *
   * @param index From 0, below what the wait returned
   * @returns as `readyKey`
   */
  readyFileobj(index: number): F | undefined;

  /**
   * What was registered with a ready entry, without its key.
   *
   * @param index From 0, below what the wait returned
   * @returns as `readyKey`
   */
  readyData(index: number): T | undefined;

  /**
   * The events of a ready entry that its key still waits for.
   *
   * @param index From 0, below what the wait returned
   * @returns `EVENT_*`; 0 if its registration has ended, or asks for others by now
   */
  readyEvents(index: number): number;
}
