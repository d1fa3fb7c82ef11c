/**
 * A listener as Deno has them: `accept()` and `for await` instead of a callback.
 *
 * @module
 */

import { Acceptor } from "../acceptor.ts";
import { Connection, connectionLimits } from "../connection.ts";
import type { ListenOptions } from "../listen_options.ts";
import { createListeningSocket } from "../listening_socket.ts";
import type { Loop } from "../loop.ts";
import { denoAddr } from "./address.ts";
import { Conn } from "./conn.ts";

/** An `accept()` that waits. */
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
> implements AsyncIterable<Conn<Address>>, Disposable {
  /** Where it listens. */
  readonly addr: Address;
  readonly #acceptor: Acceptor;
  #waiter: Waiter<Conn<Address>> | null = null;
  #closed = false;

  /**
   * Called by `Net.listen`.
   *
   * @param options The options of Deno by the names that the reactor has for them
   */
  constructor(loop: Loop, options: ListenOptions) {
    const limits = connectionLimits(loop, {});
    const { socket, file } = createListeningSocket(options);
    this.#acceptor = new Acceptor(
      loop,
      socket,
      (accepted) =>
        this.#hand(new Conn(new Connection(loop, accepted, limits))),
      () => this.#end(),
      file,
      () => this.#waiter !== null,
    );
    // Until the first accept(), connections stay in the system's backlog.
    this.#acceptor.pause();
    this.addr = denoAddr(socket.localAddress) as Address;
  }

  /**
   * Accepts one connection.
   *
   * @throws {Deno.errors.Busy} if another `accept()` waits
   * @throws {Deno.errors.BadResource} if the listener is closed, or is meanwhile
   */
  accept(): Promise<Conn<Address>> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#waiter !== null) {
      return Promise.reject(
        new Deno.errors.Busy("Another accept task is ongoing"),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#acceptor.acceptNow();
    });
  }

  /**
   * Stops listening.
   *
   * @throws {Deno.errors.BadResource} if it is closed already
   */
  close(): void {
    if (this.#closed) throw closedError();
    this.#acceptor.close();
  }

  /** Lets a pending accept keep the process open, as at the beginning. */
  ref(): void {
    this.#acceptor.ref();
  }

  /** Lets the process end although an accept is pending. */
  unref(): void {
    this.#acceptor.unref();
  }

  /**
   * Accepts connections until the listener is closed. Who leaves the loop closes it:
   * as in Deno, that throws `Deno.errors.BadResource` if it is closed already.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Conn<Address>, void> {
    const iterator: AsyncIterableIterator<Conn<Address>, void> = {
      next: () => this.#next(),
      // It ends a `next()` that waits; that of a generator would wait for it.
      // deno-lint-ignore require-await -- what fails is told by the promise
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Stops listening at the end of a `using` scope. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  async #next(): Promise<IteratorResult<Conn<Address>, void>> {
    try {
      return { value: await this.accept(), done: false };
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource && this.#closed)) {
        throw error;
      }
      return { value: undefined, done: true };
    }
  }

  #hand(conn: Conn<Address>): void {
    const waiter = this.#waiter!;
    this.#waiter = null;
    waiter.resolve(conn);
  }

  #end(): void {
    this.#closed = true;
    this.#waiter?.reject(closedError());
    this.#waiter = null;
  }
}

function closedError(): Error {
  return new Deno.errors.BadResource("Listener has been closed");
}
