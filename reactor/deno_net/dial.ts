/**
 * A connect of `Net.connect`, which settles a promise.
 *
 * @module
 */

import type { Socket } from "../../backends/ffi/socket.ts";
import type { Connecting } from "../connector.ts";
import { interrupted } from "../interrupted.ts";
import type { Loop } from "../loop.ts";
import { DESTROY, type Owned, PLACE } from "../owned.ts";

/** A connect that is under way: the loop counts it, and cancels it when it closes. */
export class Dial implements Connecting, Owned {
  [PLACE] = -1;
  readonly #loop: Loop;
  readonly #resolve: (socket: Socket) => void;
  readonly #reject: (error: Error) => void;
  #attempt: { cancel(): void } | null = null;

  /**
   * @param resolve Called with the connected socket
   * @param reject Called with the error
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  constructor(
    loop: Loop,
    resolve: (socket: Socket) => void,
    reject: (error: Error) => void,
  ) {
    this.#loop = loop;
    this.#resolve = resolve;
    this.#reject = reject;
    loop.own(this);
  }

  connectingBy(attempt: { cancel(): void }): void {
    this.#attempt = attempt;
  }

  connected(socket: Socket): void {
    this.#loop.disown(this);
    this.#resolve(socket);
  }

  fail(error: Error): void {
    this.#loop.disown(this);
    this.#reject(error);
  }

  /** Cancels the connect. */
  [DESTROY](error: Error = interrupted()): void {
    this.#attempt?.cancel();
    this.fail(error);
  }
}
