/**
 * Connects: to one address after another, until one answers.
 *
 * @module
 */

import { Socket } from "../backends/ffi/socket.ts";
import {
  formatAddress,
  type SocketAddress,
} from "../backends/ffi/socket_address.ts";
import { EVENT_WRITE, type FileObject } from "../backends/selector.ts";
import type { Attempt, Connection } from "./connection.ts";
import type { Loop, PromiseBound } from "./loop.ts";
import type { OptionNames } from "../backends/options.ts";
import type { Timer } from "./timers.ts";

/** How long one address has before the next is tried beside it: RFC 8305, section 5. */
const ATTEMPT_DELAY = 250;

/** A Unix listener whose backlog is full says so at once; it is asked again after this time. */
const BACKLOG_DELAY = 10;

/** How to connect, beside where to. */
export interface ConnectorOptions {
  /** Milliseconds until it is given up with `Deno.errors.TimedOut`: never, if left out. */
  readonly timeout?: number;
  /** Gives it up, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Sends small writes at once: true, if left out. */
  readonly noDelay?: boolean;
  /** The address to connect from. */
  readonly localAddress?: SocketAddress;
  /**
   * Milliseconds that one address of a host has before the next is tried beside it: 250,
   * if left out. With `Infinity` the next one waits for the one before to fail.
   */
  readonly attemptDelay?: number;
}

/** Their names. */
export const CONNECTOR_OPTIONS: OptionNames<ConnectorOptions> = {
  timeout: true,
  signal: true,
  noDelay: true,
  localAddress: true,
  attemptDelay: true,
};

/**
 * One connect, in the manner of Happy Eyeballs (RFC 8305): the addresses are
 * tried in their order; the next begins when one has failed, or has not
 * answered within a quarter of a second. The first that answers wins, and the
 * others are closed. What limits the connect limits the look-up before it, too.
 */
export class Connector implements Attempt, PromiseBound {
  readonly #loop: Loop;
  readonly #connection: Connection;
  #addresses: SocketAddress[] = [];
  readonly #options: ConnectorOptions;
  readonly #pending = new Set<Socket>();
  readonly #abort = (): void => this.#fail(this.#options.signal!.reason);
  #next: Timer | null = null;
  #timeout: Timer | null = null;
  #lastError: Error | null = null;
  #name = "";
  #over = false;

  constructor(loop: Loop, connection: Connection, options: ConnectorOptions) {
    this.#loop = loop;
    this.#connection = connection;
    this.#options = options;
    connection.connectingBy(this);
  }

  /**
   * Begins. What goes wrong at once is told from the loop, like everything else.
   *
   * @param addresses Where to connect to, the best first
   */
  start(addresses: readonly SocketAddress[]): void {
    if (this.#begin()) this.#try(addresses);
  }

  /**
   * As `start`, once it is known where.
   *
   * @param name What is looked up
   */
  startAfter(name: string, lookUp: () => Promise<SocketAddress[]>): void {
    this.#name = name;
    if (!this.#begin() || !this.#loop.awaitPromise(this)) return;
    const end = (): void => this.#loop.forgetPromise(this);
    lookUp().finally(end).then(
      (addresses) => this.#try(addresses),
      (error) => this.#fail(error),
    );
  }

  /** The look-up does not go on: `run()` has the thread. */
  blocked(): void {
    const why = `Cannot look up "${this.#name}" during run(): it needs serve()`;
    this.#failSoon(new Deno.errors.NotSupported(why));
  }

  /** @returns false if it is given up already */
  #begin(): boolean {
    const { signal, timeout } = this.#options;
    if (signal?.aborted) {
      this.#failSoon(signal.reason);
      return false;
    }
    signal?.addEventListener("abort", this.#abort);
    if (timeout !== undefined) {
      this.#timeout = this.#loop.callLater(timeout, () => {
        const time = `${timeout} milliseconds`;
        this.#fail(new Deno.errors.TimedOut(`Cannot connect within ${time}`));
      });
    }
    return true;
  }

  #try(addresses: readonly SocketAddress[]): void {
    if (this.#over) return;
    this.#addresses = [...addresses];
    this.#tryNext();
  }

  /** Gives it up: the connection was closed meanwhile. */
  cancel(): void {
    this.#cleanUp();
  }

  #tryNext(): void {
    this.#next?.cancel();
    const address = this.#addresses.shift();
    if (address === undefined) {
      if (this.#pending.size === 0) this.#failSoon(this.#lastError!);
      return;
    }
    // Before the attempt, which may fail at once and go on to the next itself.
    const { attemptDelay = ATTEMPT_DELAY } = this.#options;
    if (this.#addresses.length > 0) this.#tryNextAfter(attemptDelay);
    this.#attempt(address);
  }

  #tryNextAfter(milliseconds: number): void {
    this.#next?.cancel();
    this.#next = this.#loop.callLater(milliseconds, () => this.#tryNext());
  }

  #attempt(address: SocketAddress): void {
    let socket: Socket | null = null;
    try {
      socket = Socket.createFor(address);
      this.#connect(socket, address);
      // One that stands at once takes the same way as the others: it is writable.
      this.#loop.register(socket, EVENT_WRITE, (fileobj) => {
        this.#settle(fileobj, address);
      });
      this.#pending.add(socket);
    } catch (error) {
      if (socket !== null) this.#drop(socket);
      this.#attemptFailed(error as Error, address);
    }
  }

  #connect(socket: Socket, address: SocketAddress): void {
    const { noDelay = true, localAddress } = this.#options;
    if (noDelay && !("path" in address)) socket.setOption("noDelay", true);
    if (localAddress !== undefined) socket.bind(localAddress);
    socket.connect(address);
  }

  /** Writable: connected, or failed. SO_ERROR alone knows, whatever else was reported. */
  #settle(fileobj: FileObject, address: SocketAddress): void {
    const socket = fileobj as Socket;
    const error = outcomeOf(socket, address);
    if (error !== null) {
      this.#drop(socket);
      this.#attemptFailed(error, null);
      return;
    }
    this.#loop.withdraw(socket);
    this.#pending.delete(socket);
    this.#cleanUp();
    this.#connection.connected(socket);
  }

  #attemptFailed(error: Error, address: SocketAddress | null): void {
    this.#lastError = error;
    const backlogFull = error instanceof Deno.errors.WouldBlock;
    if (backlogFull && address !== null) {
      this.#addresses.unshift(address);
      this.#tryNextAfter(BACKLOG_DELAY);
    } else if (this.#addresses.length > 0 || this.#pending.size === 0) {
      this.#tryNext();
    }
  }

  #failSoon(error: unknown): void {
    this.#loop.callSoon(() => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#cleanUp();
    this.#connection.fail(error as Error);
  }

  #drop(socket: Socket): void {
    if (this.#pending.delete(socket)) this.#loop.forget(socket);
    socket.close();
  }

  #cleanUp(): void {
    this.#over = true;
    this.#loop.forgetPromise(this);
    this.#next?.cancel();
    this.#timeout?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    for (const socket of this.#pending) this.#drop(socket);
  }
}

/** How a connect has ended; a descriptor that was closed meanwhile cannot be asked. */
function outcomeOf(socket: Socket, address: SocketAddress): Error | null {
  try {
    return socket.takeError("connect", formatAddress(address));
  } catch (error) {
    return error as Error;
  }
}
