/**
 * Pollux: readiness-based I/O for Deno, in pure TypeScript.
 *
 * It reports when a file descriptor is ready, by `select`, `poll`, `epoll`,
 * `kqueue` or `/dev/poll`. They share one interface in the shape of Python's
 * `selectors`.
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

export * from "./backends/ffi/mod.ts";
export * from "./backends/mod.ts";
export * from "./reactor/mod.ts";
