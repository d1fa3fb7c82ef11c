/**
 * All selectors: their names and order, and each as programs see it, by its contract
 * and its constructor. The bookkeeping that the classes share stays inside.
 *
 * @module
 */

import { AfdSelector as AfdSelectorClass } from "./afd_selector.ts";
import { DevpollSelector as DevpollSelectorClass } from "./devpoll_selector.ts";
import { EpollSelector as EpollSelectorClass } from "./epoll_selector.ts";
import { system } from "./ffi/current_system.ts";
import type { Platform } from "./ffi/system.ts";
import type { KqueueOptions } from "./kqueue.ts";
import { KqueueSelector as KqueueSelectorClass } from "./kqueue_selector.ts";
import { PollSelector as PollSelectorClass } from "./poll_selector.ts";
import { SelectSelector as SelectSelectorClass } from "./select_selector.ts";
import type { FileObject, LoopSelector } from "./selector.ts";

/** The names of all selectors, best first; no system has all of them. */
export const SELECTOR_NAMES = [
  "epoll",
  "kqueue",
  "devpoll",
  "afd",
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
  epoll: EpollSelectorClass,
  kqueue: KqueueSelectorClass,
  devpoll: DevpollSelectorClass,
  afd: AfdSelectorClass,
  poll: PollSelectorClass,
  select: SelectSelectorClass,
};

/**
 * Returns the names of the selectors that a system has, best first: those whose
 * interest the kernel keeps.
 *
 * @param platform The system and its processor, as in `Deno.build`. Default: this one
 *
 * @example
 * ```ts
 * import { availableSelectors } from "@pollux/reactor/selectors";
 * import { assertEquals } from "@std/assert";
 *
 * const linux = { os: "linux", arch: "x86_64" };
 * assertEquals(availableSelectors(linux), ["epoll", "poll", "select"]);
 * ```
 */
export function availableSelectors(
  platform: { readonly os: string; readonly arch: string } = system(),
): SelectorName[] {
  return [...namesOf(platform)];
}

/** The same one by one: a start asks for no selector after the one that it creates. */
function namesOf(platform: Platform): IteratorObject<SelectorName> {
  return SELECTOR_NAMES.values()
    .filter((name) => SELECTORS[name].available(platform));
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
  for (const name of namesOf(system())) {
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
 * A selector on epoll, for Linux. A wait costs as much as is ready, whatever the
 * number of registrations. It supports every event and every mode. Regular files
 * and directories, which epoll refuses, are always ready.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example Edge-triggered
 * ```ts
 * import {
 *   EpollSelector,
 *   EVENT_READ,
 *   MODE_EDGE,
 * } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "linux") {
 *   using selector = new EpollSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ | MODE_EDGE, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   assertEquals(selector.select(0), []); // still readable, but no new data
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export interface EpollSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {
  /** The descriptor of the epoll instance; -1 after `close()`. */
  readonly fd: number;
  /**
   * The number of times that a new epoll instance replaced the one of `fd`. This
   * happens when a registered descriptor is closed while a duplicate keeps its file
   * open. An epoll instance that watches `fd` has to register it again then.
   */
  readonly renewals: number;
}

/**
 * Creates a selector with an epoll instance.
 *
 * It throws `Deno.errors.NotSupported` on a system without epoll,
 * `Deno.errors.NotCapable` without `--allow-ffi`, and a `SystemError` (`EMFILE`)
 * if the process has no free descriptor.
 */
export const EpollSelector: new <T, F extends FileObject = FileObject>() =>
EpollSelector<T, F> = EpollSelectorClass;

/**
 * A selector on kqueue, for macOS and the BSDs. A wait costs as much as is ready.
 * It supports `MODE_EDGE` and `MODE_ONE_SHOT`, and `EVENT_PRIORITY` where the
 * system has EVFILT_EXCEPT (macOS).
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example
 * ```ts
 * import { EVENT_READ, KqueueSelector } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (["darwin", "freebsd", "netbsd"].includes(Deno.build.os)) {
 *   using selector = new KqueueSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export interface KqueueSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {
  /** The descriptor of the queue; -1 after `close()`. */
  readonly fd: number;
}

/**
 * Creates a selector with a kqueue; `options.library` is the path of a libkqueue.
 *
 * It throws `Deno.errors.NotSupported` on a system without kqueue,
 * `Deno.errors.NotCapable` without `--allow-ffi`, and a `SystemError` (`EMFILE`)
 * if the process has no free descriptor.
 */
export const KqueueSelector: new <T, F extends FileObject = FileObject>(
  options?: KqueueOptions,
) => KqueueSelector<T, F> = KqueueSelectorClass;

/**
 * A selector on /dev/poll, for Solaris and illumos. The kernel keeps the interest,
 * so that a wait passes nothing. It supports `EVENT_PRIORITY`, and no mode.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example
 * ```ts
 * import { DevpollSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (["illumos", "solaris"].includes(Deno.build.os)) {
 *   using selector = new DevpollSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export interface DevpollSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {
  /** The descriptor of the open `/dev/poll`; -1 after `close()`. */
  readonly fd: number;
}

/**
 * Creates a selector with an open `/dev/poll`.
 *
 * It throws `Deno.errors.NotSupported` on a system without it,
 * `Deno.errors.NotCapable` without `--allow-ffi`, and a `SystemError` (`EMFILE`)
 * if the process has no free descriptor.
 */
export const DevpollSelector: new <T, F extends FileObject = FileObject>() =>
DevpollSelector<T, F> = DevpollSelectorClass;

/**
 * A selector on AFD and a completion port, for Windows. A wait costs as much as is
 * ready. It takes sockets only, and supports `EVENT_PRIORITY`, `EVENT_HANG_UP` and
 * `MODE_ONE_SHOT`. An event may be over by the time of its wait, if the program has
 * read or written since the wait before.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example
 * ```ts
 * import { AfdSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * if (Deno.build.os === "windows") {
 *   using selector = new AfdSelector<string>();
 *   const [left, right] = socketPair();
 *   selector.register(right, EVENT_READ, "right");
 *   left.send(new Uint8Array(1));
 *   assertEquals(selector.select(1000).length, 1);
 *   selector.unregister(right);
 *   left.close();
 *   right.close();
 * }
 * ```
 */
export interface AfdSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {}

/**
 * Creates a selector with a completion port.
 *
 * It throws `Deno.errors.NotSupported` on a system without AFD,
 * `Deno.errors.NotCapable` without `--allow-ffi`, and a `SystemError` if the system
 * lacks memory or handles.
 */
export const AfdSelector: new <T, F extends FileObject = FileObject>() =>
AfdSelector<T, F> = AfdSelectorClass;

/**
 * A selector on poll, for every POSIX system. It takes any number of descriptors,
 * and a wait looks at each of them. It supports `EVENT_PRIORITY`, and no mode.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example
 * ```ts
 * import { EVENT_WRITE, PollSelector } from "@pollux/reactor/selectors";
 * import { close, pipe } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = new PollSelector<string>();
 * const [reader, writer] = pipe();
 * selector.register(writer, EVENT_WRITE, "room to write");
 * for (const [key, events] of selector.select()) {
 *   assertEquals([key.data, events], ["room to write", EVENT_WRITE]);
 * }
 * selector.unregister(writer);
 * close(reader);
 * close(writer);
 * ```
 */
export interface PollSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {}

/** Creates a selector. It needs neither a system call nor a descriptor. */
export const PollSelector: new <T, F extends FileObject = FileObject>() =>
PollSelector<T, F> = PollSelectorClass;

/**
 * A selector on select, for every system. It takes descriptors below 1024, and
 * refuses others with a `RangeError`. It supports `EVENT_PRIORITY`, and no mode.
 *
 * @typeParam T The data that is registered with each file object
 * @typeParam F The type of the file objects. Default: any
 *
 * @example
 * ```ts
 * import { EVENT_READ, SelectSelector } from "@pollux/reactor/selectors";
 * import { assertThrows } from "@std/assert";
 *
 * using selector = new SelectSelector<null>();
 * assertThrows(() => selector.register(1024, EVENT_READ, null), RangeError);
 * ```
 */
export interface SelectSelector<T, F extends FileObject = FileObject>
  extends LoopSelector<T, F> {}

/** Creates a selector. It needs neither a system call nor a descriptor. */
export const SelectSelector: new <T, F extends FileObject = FileObject>() =>
SelectSelector<T, F> = SelectSelectorClass;
