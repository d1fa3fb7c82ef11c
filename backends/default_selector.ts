/**
 * The best selector that this system has.
 *
 * @module
 */

import { DevpollSelector } from "./devpoll_selector.ts";
import { EpollSelector } from "./epoll_selector.ts";
import { system } from "./ffi/current_system.ts";
import type { System } from "./ffi/system.ts";
import { KqueueSelector } from "./kqueue_selector.ts";
import { PollSelector } from "./poll_selector.ts";
import { SelectSelector } from "./select_selector.ts";
import type { FileObject, Selector } from "./selector.ts";

/** What a selector can be asked for by. */
export type SelectorName = "epoll" | "kqueue" | "devpoll" | "poll" | "select";

/** The selectors that a system has, the best first: those that keep the interest in the kernel. */
export function selectorNames(
  system: Pick<System, "epollEvent" | "kqueue" | "devPoll">,
): SelectorName[] {
  const names: SelectorName[] = [];
  if (system.epollEvent !== null) names.push("epoll");
  if (system.kqueue !== null) names.push("kqueue");
  if (system.devPoll !== null) names.push("devpoll");
  return [...names, "poll", "select"];
}

/**
 * Makes a selector by its name, as a command line may have it.
 *
 * @param name "epoll", "kqueue", "devpoll", "poll" or "select"
 * @throws {TypeError} if there is no such name
 * @throws {Deno.errors.NotSupported} if this system lacks the call
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
  name: SelectorName,
): Selector<T, F> {
  switch (name) {
    case "epoll":
      return new EpollSelector();
    case "kqueue":
      return new KqueueSelector();
    case "devpoll":
      return new DevpollSelector();
    case "poll":
      return new PollSelector();
    case "select":
      return new SelectSelector();
    default:
      throw new TypeError(`Unknown selector "${name}"`);
  }
}

/**
 * Makes the best selector of this system: epoll, kqueue, /dev/poll, poll or
 * select, in that order. A call that the kernel refuses, as in a sandbox, is
 * passed over.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} if there is none; the message says what each
 *   attempt failed with
 */
function createDefault<T, F extends FileObject>(): Selector<T, F> {
  const failures: string[] = [];
  for (const name of selectorNames(system())) {
    try {
      return createSelector(name);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      // Without a descriptor to spare every attempt fails, and poll would be a poor guess.
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

/** The class behind `new DefaultSelector()`: whichever selector is best here. */
export interface DefaultSelectorConstructor {
  /** Makes the selector; see `DefaultSelector`. */
  new <T, F extends FileObject = FileObject>(): Selector<T, F>;
}

/**
 * The best selector of this system, as in Python: `new DefaultSelector()`
 * returns an `EpollSelector` on Linux, a `KqueueSelector` on macOS and the BSDs,
 * a `DevpollSelector` on illumos, else a `PollSelector` or a `SelectSelector`. It
 * throws `Deno.errors.NotCapable` without `--allow-ffi`, and
 * `Deno.errors.NotSupported`, with a reason for each call, where none works.
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
export const DefaultSelector: DefaultSelectorConstructor = class<
  T,
  F extends FileObject,
> {
  constructor() {
    return createDefault<T, F>();
  }
} as DefaultSelectorConstructor;
