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
import { type TurnBound, UNSERVED } from "../turn_waits.ts";

/** A connect that is under way: the loop counts it, and cancels it when it closes. */
export class Dial implements Connecting, Owned, TurnBound {
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
    loop.awaitTurn(this);
  }

  connectingBy(attempt: { cancel(): void }): void {
    this.#attempt = attempt;
  }

  connected(socket: Socket): void {
    this.#leave();
    this.#resolve(socket);
  }

  fail(error: Error): void {
    this.#leave();
    this.#reject(error);
  }

  /** Cancels the connect: no iteration follows that would report it. */
  [UNSERVED](error: Error): void {
    this[DESTROY](error);
  }

  /** Cancels the connect. */
  [DESTROY](error: Error = interrupted()): void {
    this.#attempt?.cancel();
    this.fail(error);
  }

  #leave(): void {
    this.#loop.disown(this);
    this.#loop.forgetTurn(this);
  }
}
