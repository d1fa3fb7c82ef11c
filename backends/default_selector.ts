/**
 * Python's `DefaultSelector`.
 *
 * @module
 */

import type { FileObject, Selector } from "./selector.ts";
import { createSelector } from "./selectors.ts";

/**
 * The best selector of this system, as in Python. `new DefaultSelector()` returns
 * an `EpollSelector` on Linux, a `KqueueSelector` on macOS and the BSDs, a
 * `DevpollSelector` on illumos, and an `AfdSelector` on Windows. Elsewhere it returns a
 * `PollSelector` or a `SelectSelector`, as it does where the kernel refuses the first.
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
    return createSelector<T, F>();
  }
}

/** The methods of a `DefaultSelector`: those of `Selector`. */
export interface DefaultSelector<T, F extends FileObject = FileObject>
  extends Selector<T, F> {}
