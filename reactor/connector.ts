/**
 * Connects to a peer: tries its addresses until one of them answers.
 *
 * @module
 */

import { Socket } from "../backends/ffi/socket.ts";
import {
  formatAddress,
  type SocketAddress,
} from "../backends/ffi/socket_address.ts";
import { EVENT_WRITE, type FileObject } from "../backends/selector.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { Loop } from "./loop.ts";
import type { PromiseBound } from "./promise_waits.ts";
import type { Timer } from "./timers.ts";

/** Milliseconds before the next address is tried in parallel: RFC 8305, section 5. */
const ATTEMPT_DELAY = 250;

/**
 * Milliseconds before a Unix listener with a full backlog is tried again: connect(2)
 * fails with EAGAIN there, and no readiness follows.
 */
const BACKLOG_DELAY = 10;

/** The connection, or another object, that a connector connects. */
export interface Connecting {
  /** Called first, with the connect that the owner may cancel. */
  connectingBy(attempt: { cancel(): void }): void;
  /** Called with the connected socket, which is the owner's from now on. */
  connected(socket: Socket): void;
  /** Called with the error, or the reason of the signal. */
  fail(error: Error): void;
}

/**
 * One connect by Happy Eyeballs (RFC 8305): the addresses are tried in their order.
 * The next attempt starts when one has failed, or after 250 ms without an answer. The
 * first connected socket wins, and the others are closed.
 *
 * The timeout and the signal also cover the look-up of a name.
 */
export class Connector implements PromiseBound {
  readonly #loop: Loop;
  readonly #owner: Connecting;
  readonly #options: ConnectOptions;
  readonly #pending = new Set<Socket>();
  readonly #abort = (): void => this.#fail(this.#options.signal!.reason);
  /** The peer, for messages. */
  #name = "";
  /** The addresses that have not been tried. */
  #addresses: SocketAddress[] = [];
  /** Starts the next attempt. */
  #next: Timer | null = null;
  #timeout: Timer | null = null;
  #lastError: Error | null = null;
  #over = false;

  /**
   * @param owner `connected()` and `fail()` are called from the loop, one of them, and
   *   once
   * @param options The checked options; the address is given to `start()`
   */
  constructor(loop: Loop, owner: Connecting, options: ConnectOptions) {
    this.#loop = loop;
    this.#owner = owner;
    this.#options = options;
    owner.connectingBy(this);
  }

  /**
   * Starts to connect.
   *
   * @param addresses The addresses of the peer, the best one first
   */
  start(addresses: readonly SocketAddress[]): void {
    if (this.#begin(formatAddress(addresses[0]!))) this.#try(addresses);
  }

  /**
   * Starts to connect to a peer whose addresses are to be looked up.
   *
   * @param name The name of the peer, for messages
   */
  startAfter(name: string, lookUp: () => Promise<SocketAddress[]>): void {
    if (!this.#begin(name) || !this.#loop.promises.add(this)) return;
    lookUp().then(
      (addresses) => this.#lookedUp(addresses),
      (error) => this.#fail(error),
    );
  }

  /** Goes on at once: in between the loop would have nothing to wait for. */
  #lookedUp(addresses: readonly SocketAddress[]): void {
    this.#try(addresses);
    this.#loop.promises.remove(this);
  }

  /** Cancels the connect: neither `connected()` nor `fail()` is called. */
  cancel(): void {
    this.#cleanUp();
  }

  /** Called when `run()` takes the thread: the look-up does not proceed. */
  blocked(): void {
    const why = `Cannot look up "${this.#name}" during run(): it needs serve()`;
    this.#failSoon(new Deno.errors.NotSupported(why));
  }

  /** @returns false if the signal is aborted already */
  #begin(name: string): boolean {
    this.#name = name;
    const { signal, timeout } = this.#options;
    if (signal?.aborted) {
      this.#failSoon(signal.reason);
      return false;
    }
    signal?.addEventListener("abort", this.#abort);
    if (timeout !== undefined) {
      this.#timeout = this.#loop.callLater(timeout, () => this.#expire());
    }
    return true;
  }

  #expire(): void {
    const { timeout } = this.#options;
    const why =
      `Cannot connect to ${this.#name} within ${timeout} milliseconds`;
    this.#fail(new Deno.errors.TimedOut(why));
  }

  #try(addresses: readonly SocketAddress[]): void {
    if (this.#over) return;
    this.#addresses = [...addresses];
    this.#tryNext();
  }

  #tryNext(): void {
    this.#next?.cancel();
    const address = this.#addresses.shift();
    if (address === undefined) {
      if (this.#pending.size === 0) this.#failSoon(this.#lastError!);
      return;
    }
    // Set before the attempt: one that fails at once goes on to the next address.
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
      // A socket that is connected at once is writable, like the others later.
      this.#loop.register(socket, EVENT_WRITE, (fileobj) => {
        this.#settle(fileobj, address);
      });
      this.#pending.add(socket);
    } catch (error) {
      if (socket !== null) this.#discard(socket);
      this.#attemptFailed(error as Error, address);
    }
  }

  #connect(socket: Socket, address: SocketAddress): void {
    const { noDelay = true, localAddress } = this.#options;
    if (noDelay && !("path" in address)) socket.setOption("noDelay", true);
    if (localAddress !== undefined) socket.bind(localAddress);
    socket.connect(address);
  }

  /** Handles a writable socket: SO_ERROR alone says whether it is connected (connect(2)). */
  #settle(fileobj: FileObject, address: SocketAddress): void {
    const socket = fileobj as Socket;
    const error = outcomeOf(socket, address);
    if (error !== null) {
      this.#discard(socket);
      this.#attemptFailed(error, null);
      return;
    }
    this.#loop.withdraw(socket);
    this.#pending.delete(socket);
    this.#cleanUp();
    this.#owner.connected(socket);
  }

  /** @param address The address to try again if the backlog of its listener is full */
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
    this.#owner.fail(error as Error);
  }

  #discard(socket: Socket): void {
    if (this.#pending.delete(socket)) this.#loop.forget(socket);
    socket.close();
  }

  #cleanUp(): void {
    this.#over = true;
    this.#loop.promises.remove(this);
    this.#next?.cancel();
    this.#timeout?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    for (const socket of this.#pending) this.#discard(socket);
  }
}

/** The error of a connect; null if it succeeded. */
function outcomeOf(socket: Socket, address: SocketAddress): Error | null {
  try {
    return socket.takeError("connect", formatAddress(address));
  } catch (error) {
    // The descriptor was closed meanwhile.
    return error as Error;
  }
}
