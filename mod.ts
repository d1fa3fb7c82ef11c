/**
 * Pollux: readiness-based I/O for Deno, in pure TypeScript.
 *
 * It reports when a file descriptor is ready, by `select`, `poll`, `epoll`,
 * `kqueue`, `/dev/poll` or AFD. They share one interface in the shape of Python's
 * `selectors`.
 *
 * This entry point has the selectors, sockets and the reactor. The bare calls
 * (`select`, `Poll`, `Epoll`, `Kqueue`, `DevPoll`, `Afd`) and their flags are in
 * `@pollux/reactor/selectors`, plain descriptors (`pipe`, `read`, `write`, `close`)
 * in `@pollux/reactor/socket`.
 *
 * @example
 * ```ts
 * import { DefaultSelector, EVENT_READ, socketPair } from "@pollux/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * using selector = new DefaultSelector<() => void>();
 * const [left, right] = socketPair();
 * let called = 0;
 * selector.register(right, EVENT_READ, () => called++);
 * left.send(new TextEncoder().encode("hello"));
 * for (const [key] of selector.select()) key.data();
 * assertEquals(called, 1);
 * left.close();
 * right.close();
 * ```
 *
 * @module
 */

import "./reactor/modules.ts"; // first: it has the reason
export {
  errnoName,
  ffiPermissionFlag,
  formatAddress,
  type InternetAddress,
  isSystemError,
  type ReceivedFrom,
  type ShutdownDirection,
  Socket,
  type SocketAddress,
  type SocketDomain,
  type SocketOptions,
  socketPair,
  type SocketType,
  type SystemError,
  type UnixAddress,
  WOULD_BLOCK,
} from "./backends/ffi/mod.ts";
export {
  DefaultSelector,
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
} from "./backends/mod.ts";
export * from "./backends/selectors.ts";
export * from "./reactor/mod.ts";
