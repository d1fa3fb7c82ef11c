/**
 * Readiness of any file descriptor: Python's `selectors` for Deno, on top of
 * `select`, `poll`, `epoll`, `kqueue` and `/dev/poll`, and these calls themselves.
 *
 * @example Wait for a socket
 * ```ts
 * import { DefaultSelector, EVENT_READ } from "@pollux/reactor/selectors";
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = new DefaultSelector<string>();
 * const [left, right] = socketPair();
 * selector.register(right, EVENT_READ, "a message");
 * assertEquals(selector.select(0), []);
 *
 * left.send(new TextEncoder().encode("hello"));
 * for (const [key, events] of selector.select()) {
 *   assertEquals([key.data, events], ["a message", EVENT_READ]);
 * }
 *
 * selector.unregister(right);
 * left.close();
 * right.close();
 * ```
 *
 * @module
 */

export { BaseSelector } from "./base_selector.ts";
export {
  createSelector,
  DefaultSelector,
  SELECTOR_NAMES,
  type SelectorName,
} from "./default_selector.ts";
export { DevPoll, type DevPollCalls } from "./devpoll.ts";
export { DevpollSelector } from "./devpoll_selector.ts";
export * from "./epoll.ts";
export type { EpollEvents } from "./ffi/structs/epoll_event.ts";
export type { Kevents } from "./ffi/structs/kevent.ts";
export type { PollFds } from "./ffi/structs/pollfd.ts";
export { EpollSelector } from "./epoll_selector.ts";
export {
  type Kevent,
  type KeventChange,
  Kqueue,
  type KqueueConstants,
  type KqueueOptions,
} from "./kqueue.ts";
export { KqueueSelector } from "./kqueue_selector.ts";
export {
  Poll,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDHUP,
} from "./poll.ts";
export { PollSelector } from "./poll_selector.ts";
export type { ReadyList } from "./ready_list.ts";
export type { Registrations } from "./registrations.ts";
export { select } from "./select.ts";
export { SelectSelector } from "./select_selector.ts";
export {
  EVENT_HANG_UP,
  EVENT_PRIORITY,
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type LoopSelector,
  MODE_EDGE,
  MODE_EXCLUSIVE,
  MODE_ONE_SHOT,
  type Selector,
  type SelectorKey,
} from "./selector.ts";
