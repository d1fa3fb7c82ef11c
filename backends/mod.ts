/**
 * Readiness of any file descriptor: Python's `selectors` for Deno, on top of
 * `select`, `poll`, `epoll`, `kqueue`, `/dev/poll` and AFD, and these calls themselves.
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

export {
  Afd,
  AFD_POLL_ABORT,
  AFD_POLL_ACCEPT,
  AFD_POLL_CONNECT_FAIL,
  AFD_POLL_DISCONNECT,
  AFD_POLL_LOCAL_CLOSE,
  AFD_POLL_RECEIVE,
  AFD_POLL_RECEIVE_EXPEDITED,
  AFD_POLL_SEND,
} from "./afd.ts";
export { DefaultSelector } from "./default_selector.ts";
export { DevPoll } from "./devpoll.ts";
export {
  Epoll,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "./epoll.ts";
export {
  type Kevent,
  type KeventChange,
  Kqueue,
  type KqueueConstants,
  type KqueueOptions,
} from "./kqueue.ts";
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
export { select } from "./select.ts";
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
export * from "./selectors.ts";
