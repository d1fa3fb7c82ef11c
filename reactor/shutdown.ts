/**
 * Graceful shutdown: accepts no connections, and lets open ones finish.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../backends/ffi/options.ts";
import { Acceptor } from "./acceptor.ts";
import { Connection } from "./connection.ts";
import { Conn } from "./deno_net/conn.ts";
import { Dial } from "./deno_net/dial.ts";
import { Listener } from "./deno_net/listener.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned } from "./owned.ts";
import type { Timer } from "./timers.ts";
import { type TurnBound, UNSERVED } from "./turn_waits.ts";

/**
 * Options of `shutdown()`.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
 *   peer.onData = (chunk) => peer.end(chunk);
 *   reactor.shutdown({ timeout: 5000 }); // or in `reactor.onSignal("SIGTERM", …)`
 * });
 * const client = reactor.connect(server.address);
 * client.end(new TextEncoder().encode("the last one"));
 * client.onData = () => {};
 * await reactor.serve();
 * assertEquals(reactor.connections, 0);
 * ```
 */
export interface ShutdownOptions {
  /** Milliseconds after which open connections are aborted. Default: none. */
  readonly timeout?: number;
}

const SHUTDOWN_OPTIONS: OptionNames<ShutdownOptions> = { timeout: true };

/**
 * Checks the options. Returns the timeout, `Infinity` without one.
 *
 * @throws {TypeError} if an option is unknown
 * @throws {RangeError} if the timeout is negative or not a number
 */
export function timeoutOf(options: ShutdownOptions): number {
  checkOptions(options, SHUTDOWN_OPTIONS);
  const { timeout = Infinity } = options;
  if (!(timeout >= 0)) {
    throw new RangeError(`Cannot shut down within ${timeout} milliseconds`);
  }
  return timeout;
}

/** The shutdown of a reactor. */
export class Shutdown implements TurnBound {
  readonly #loop: Loop;
  readonly #onEnd: () => void;
  #ended = endOfShutdown();
  #over = false;
  #timer: Timer | null = null;

  /** @param onEnd Called at the end of the shutdown */
  constructor(loop: Loop, onEnd: () => void) {
    this.#loop = loop;
    this.#onEnd = onEnd;
  }

  /** Resolves when no connection is left, and the reactor stops. */
  get done(): Promise<void> {
    return this.#ended.promise;
  }

  /** Begins, or sets another timeout. */
  begin(timeout: number): void {
    const loop = this.#loop;
    for (const resource of loop.resources.list()) {
      if (resource instanceof Acceptor || resource instanceof Listener) {
        resource.close();
      }
    }
    this.#timer?.cancel();
    this.#timer = timeout === Infinity
      ? null
      : loop.callLater(timeout, () => this.#abortAll());
    // Methods never call back: the end comes from the loop.
    const checkSoon = (): void => loop.callSoon(() => this.check());
    loop.resources.onLeave = checkSoon;
    checkSoon();
    loop.awaitTurn(this);
  }

  /** Rejects the promise. The shutdown goes on when the loop runs. */
  [UNSERVED](error: Error): void {
    const { reject } = this.#ended;
    this.#ended = endOfShutdown();
    reject(error);
  }

  /** Ends the shutdown if no connection is left. */
  check(): void {
    if (this.#over || countConnections(this.#loop) > 0) return;
    this.#over = true;
    this.#loop.resources.onLeave = null;
    this.#timer?.cancel();
    this.#onEnd();
    this.#loop.forgetTurn(this);
    this.#ended.resolve();
    if (!this.#loop.closed) this.#loop.stop();
  }

  #abortAll(): void {
    for (const resource of this.#loop.resources.list()) {
      if (!isConnection(resource)) continue;
      const message = "Connection was aborted by the shutdown of its reactor";
      resource[DESTROY](new Deno.errors.TimedOut(message));
    }
  }
}

/** Creates the promise of a shutdown, which a program may ignore. */
function endOfShutdown(): PromiseWithResolvers<void> {
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => {});
  return ended;
}

/** Counts the connections of a loop that are open or connecting. */
export function countConnections(loop: Loop): number {
  let count = 0;
  for (const resource of loop.resources.list()) {
    if (isConnection(resource)) count++;
  }
  return count;
}

/** Whether a resource is a connection, open or connecting. */
function isConnection(resource: Owned): boolean {
  return resource instanceof Connection || resource instanceof Conn ||
    resource instanceof Dial;
}
