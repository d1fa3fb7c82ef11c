/**
 * The table of all selectors, and the choice of the best one for this system.
 *
 * @module
 */

import { DevpollSelector } from "./devpoll_selector.ts";
import { EpollSelector } from "./epoll_selector.ts";
import { system } from "./ffi/current_system.ts";
import type { Platform } from "./ffi/system.ts";
import { KqueueSelector } from "./kqueue_selector.ts";
import { PollSelector } from "./poll_selector.ts";
import { SelectSelector } from "./select_selector.ts";
import type { FileObject, LoopSelector, Selector } from "./selector.ts";

/** The names of all selectors, best first; no system has all of them. */
export const SELECTOR_NAMES = [
  "epoll",
  "kqueue",
  "devpoll",
  "poll",
  "select",
] as const;

/** The name of a selector, for `createSelector()`. */
export type SelectorName = typeof SELECTOR_NAMES[number];

/** A class of selectors that needs no options. */
interface SelectorClass {
  new <T, F extends FileObject>(): LoopSelector<T, F>;
  /** Whether a system has the call. */
  available(platform: Platform): boolean;
}

const SELECTORS: Readonly<Record<SelectorName, SelectorClass>> = {
  epoll: EpollSelector,
  kqueue: KqueueSelector,
  devpoll: DevpollSelector,
  poll: PollSelector,
  select: SelectSelector,
};

/** Returns the names of the selectors that a system has, best first. */
export function availableSelectors(platform: Platform): SelectorName[] {
  return SELECTOR_NAMES.filter((name) => SELECTORS[name].available(platform));
}

/**
 * Creates a selector by its name, or the best one of this system.
 *
 * @param name One of `SELECTOR_NAMES`. Default: the best that works here, as with
 *   `new DefaultSelector()`
 * @returns a selector with the calls of an event loop: `new Reactor({ selector })`
 *   takes it
 * @throws {TypeError} if the name is unknown
 * @throws {Deno.errors.NotSupported} if this system lacks the call
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 *
 * @example
 * ```ts
 * import { createSelector, PollSelector } from "@pollux/reactor/selectors";
 * import { assertInstanceOf } from "@std/assert";
 *
 * using selector = createSelector("poll");
 * assertInstanceOf(selector, PollSelector);
 * ```
 */
export function createSelector<T, F extends FileObject = FileObject>(
  name?: SelectorName,
): LoopSelector<T, F> {
  if (name === undefined) return createBest();
  if (!Object.hasOwn(SELECTORS, name)) {
    throw new TypeError(
      `Unknown selector "${name}": use ${SELECTOR_NAMES.join(", ")}`,
    );
  }
  return new SELECTORS[name]();
}

/**
 * Creates the first selector that works. A call that the kernel refuses, as in a
 * sandbox, is skipped.
 */
function createBest<T, F extends FileObject>(): LoopSelector<T, F> {
  const failures: string[] = [];
  for (const name of availableSelectors(system())) {
    try {
      return createSelector(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      // Without a free descriptor every attempt fails, and poll would be a poor guess.
      if (isOutOfDescriptors(error)) throw error;
      failures.push(`${name}: ${(error as Error).message}`);
    }
  }
  throw new Deno.errors.NotSupported(
    `No selector works on ${system().name}: ${failures.join("; ")}`,
  );
}

function isOutOfDescriptors(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === "EMFILE" || code === "ENFILE";
}

/**
 * The best selector of this system, as in Python. `new DefaultSelector()` returns
 * an `EpollSelector` on Linux, a `KqueueSelector` on macOS and the BSDs, a
 * `DevpollSelector` on illumos, and otherwise a `PollSelector` or a
 * `SelectSelector`.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects, and so of `key.fileobj`. Default: any
 *
 * @example
 * ```ts
 * import { DefaultSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = new DefaultSelector<string>();
 * const [left, right] = socketPair();
 * selector.register(right, EVENT_READ, "right");
 * left.send(new Uint8Array(1));
 * for (const [key, events] of selector.select()) {
 *   assertEquals(key.data, "right");
 *   assertEquals(events, EVENT_READ);
 * }
 * left.close();
 * right.close();
 * ```
 *
 * @example Callbacks, and file objects of one type
 * ```ts
 * import { DefaultSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { type Socket, socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * type Callback = (sock: Socket, mask: number) => void;
 *
 * using selector = new DefaultSelector<Callback, Socket>();
 * const [left, right] = socketPair();
 * selector.register(right, EVENT_READ, (sock, mask) => {
 *   assertEquals(mask, EVENT_READ);
 *   assertEquals(sock.recv(new Uint8Array(16)), 1);
 * });
 * left.send(new Uint8Array(1));
 * for (const [key, mask] of selector.select()) {
 *   const callback = key.data;
 *   callback(key.fileobj, mask);
 * }
 * left.close();
 * right.close();
 * ```
 */
export class DefaultSelector<T, F extends FileObject = FileObject> {
  /**
   * Creates the selector.
   *
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {Deno.errors.NotSupported} if no selector works; the message has the
   *   reason for each
   * @throws {SystemError} if the process has no free descriptor: `EMFILE`
   */
  constructor() {
    return createBest<T, F>();
  }
}

/** The methods of a `DefaultSelector`: those of `Selector`. */
export interface DefaultSelector<T, F extends FileObject = FileObject>
  extends Selector<T, F> {}
