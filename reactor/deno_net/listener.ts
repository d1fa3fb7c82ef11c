/**
 * A listener as Deno has it: `accept()` and `for await` instead of a callback.
 *
 * @module
 */

import type { Socket } from "../../backends/ffi/socket.ts";
import { EVENT_READ, type FileObject } from "../../backends/selector.ts";
import { acceptNext } from "../accepting.ts";
import { Endpoint, loopOf } from "../endpoint.ts";
import type { ListeningSocket } from "../listening_socket.ts";
import type { Loop } from "../loop.ts";
import { UNSERVED } from "../turn_waits.ts";
import { denoAddr } from "./address.ts";
import { Conn } from "./conn.ts";
import { listenerClosed } from "./errors.ts";

/** A pending `accept()`. */
interface Waiter<C> {
  readonly resolve: (conn: C) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A listener that is used like one of `Deno.listen`, on the reactor. It needs
 * `serve()`.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * await using reactor = new Reactor();
 * reactor.serve();
 * const listener = reactor.net.listen({ hostname: "127.0.0.1", port: 0 });
 * setTimeout(() => listener.close(), 10);
 * for await (const conn of listener) {
 *   conn.readable.pipeTo(conn.writable).catch(() => {}); // an echo
 * }
 * ```
 *
 * @typeParam Address `Deno.NetAddr` or `Deno.UnixAddr`
 */
export class Listener<
  Address extends Deno.NetAddr | Deno.UnixAddr = Deno.NetAddr,
> extends Endpoint implements AsyncIterable<Conn<Address>> {
  /** The address that it listens on. */
  readonly addr: Address;
  readonly #listening: ListeningSocket;
  #waiter: Waiter<Conn<Address>> | null = null;
  /** Whether the last attempt has found a connection: then the next one need not wait. */
  #mayHaveMore = false;

  /**
   * Called by `Net.listen`.
   *
   * @param listening The socket, which is the listener's from now on
   */
  constructor(loop: Loop, listening: ListeningSocket) {
    super(loop);
    this.#listening = listening;
    this.setStandby(true);
    this.addr = denoAddr(listening.socket.localAddress) as Address;
  }

  /** The listening descriptor; -1 once closed. */
  get fd(): number {
    return this.#listening.socket.fd;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.fd === -1;
  }

  /**
   * Accepts one connection. A connection that failed in the backlog is skipped.
   *
   * @throws {Deno.errors.Busy} if another `accept()` is pending
   * @throws {Deno.errors.BadResource} if the listener is closed, or is meanwhile
   * @throws {Deno.errors.NotSupported} if nothing runs the reactor within a second
   * @throws {SystemError} `EMFILE` if the process has no descriptor left, and others; the
   *   listener stays open
   */
  accept(): Promise<Conn<Address>> {
    if (this.closed) return Promise.reject(listenerClosed());
    if (this.#waiter !== null) {
      return Promise.reject(
        new Deno.errors.Busy("Another accept task is ongoing"),
      );
    }
    return new Promise((resolve, reject) => {
      const loop = loopOf(this);
      this.#waiter = { resolve, reject };
      this.setStandby(false);
      if (this.#mayHaveMore && loop.promises.mayResolve()) this.#accept();
      if (this.#waiter === null) return;
      loop.awaitTurn(this);
      this.#listen();
    });
  }

  /**
   * Stops listening, and removes the file of a Unix socket.
   *
   * @throws {Deno.errors.BadResource} if it is closed already
   */
  close(): void {
    if (this.closed) throw listenerClosed();
    this.leave();
    this.#listening.close();
    this.#settle()?.reject(listenerClosed());
  }

  /**
   * Accepts connections until the listener is closed. Leaving the loop closes the
   * listener; as in Deno, that throws `Deno.errors.BadResource` if it is closed already.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Conn<Address>, void> {
    const iterator: AsyncIterableIterator<Conn<Address>, void> = {
      next: () => this.#next(),
      // A generator's `return()` would wait for a pending `next()`; this one ends it.
      // deno-lint-ignore require-await -- a failure rejects the promise
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Stops listening at the end of a `using` scope. */
  override [Symbol.dispose](): void {
    if (!this.closed) this.close();
  }

  async #next(): Promise<IteratorResult<Conn<Address>, void>> {
    try {
      return { value: await this.accept(), done: false };
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource && this.closed)) {
        throw error;
      }
      return { value: undefined, done: true };
    }
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const listener = fileobj as Listener;
    // The registration outlasts an accept(), because another one is likely to follow.
    if (listener.#waiter === null) listener.watch(0, Listener.#onReady);
    else listener.#accept();
  };

  #listen(): void {
    try {
      this.watch(EVENT_READ, Listener.#onReady);
    } catch (error) {
      this.#settle()!.reject(error);
    }
  }

  /** Settles the pending accept, unless no connection waits. */
  #accept(): void {
    let socket: Socket | null = null;
    try {
      socket = acceptNext(this.#listening.socket);
      this.#mayHaveMore = socket !== null;
      if (socket === null) return;
      const conn = new Conn<Address>(loopOf(this), socket);
      this.#settle()!.resolve(conn);
    } catch (error) {
      socket?.close();
      this.#settle()!.reject(error);
    }
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    this.watch(0, Listener.#onReady);
    this.#settle()!.reject(error);
  }

  /** The pending accept, which is no longer pending. */
  #settle(): Waiter<Conn<Address>> | null {
    const waiter = this.#waiter;
    loopOf(this).forgetTurn(this);
    this.#waiter = null;
    this.setStandby(true);
    return waiter;
  }
}
