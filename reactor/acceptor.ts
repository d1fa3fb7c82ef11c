/**
 * A listener that calls a function with each connection.
 *
 * It is registered for `EVENT_READ` unless something holds it. Each hold is
 * independent of the others, and the listener accepts again when the last one is gone:
 *
 * | hold | begins | ends |
 * | --- | --- | --- |
 * | `Paused` | `pause()` | `resume()` |
 * | `Full` | `maximumConnections` are open | one of them ends |
 * | `Resting` | accept(2) or the selector fails | 100 ms later |
 *
 * `close()` ends the acceptor under any hold.
 *
 * @module
 */

import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { EVENT_READ, type FileObject } from "../backends/selector.ts";
import { acceptNext, isListenerFailure, isNumberLost } from "./accepting.ts";
import { DESCRIBE, Endpoint, loopOf } from "./endpoint.ts";
import type { ListeningSocket } from "./listening_socket.ts";
import type { Loop } from "./loop.ts";
import type { Timer } from "./timers.ts";

/** A reason not to accept, one bit each. */
enum Hold {
  Paused = 1,
  Full = 2,
  Resting = 4,
}

/** How many connections are accepted in one iteration: other endpoints are ready too. */
const ACCEPTS_PER_TURN = 64;

/** How long accepting is suspended after a failure, in milliseconds. */
const REST = 100;

/** Says whether an acceptor has as many open connections as it may have. */
export let setFull: (acceptor: Acceptor, full: boolean) => void;

/**
 * Accepts connections of a listening socket.
 *
 * Without a free descriptor (`EMFILE`, `ENFILE`) or memory, a connection stays in the
 * backlog, and the listener would be ready again and again. So the acceptor reports the
 * error once, rests for 100 ms, and tries again. Connections wait in the backlog
 * meanwhile. `reactor/accepting.ts` explains every error of accept(2).
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertNotEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
 *   peer.onData = () => {}; // discards input until the peer's end
 *   peer.end(new Date().toString());
 * });
 * assertNotEquals(server.address.port, 0);
 * server.close();
 * reactor.run();
 * ```
 *
 * @typeParam Address `InternetAddress` of a port, `UnixAddress` of a path
 */
export class Acceptor<Address extends SocketAddress = SocketAddress>
  extends Endpoint {
  /**
   * The address that it listens on; with port 0 the port that the system chose. It is
   * known after `close()` too.
   */
  readonly address: Address;
  /**
   * Called once, after the acceptor was closed: by `close()`, by `detach()` or with the
   * reactor. If the listening socket has failed, it is called with the error.
   */
  onClose: ((error: Error | undefined) => void) | null = null;
  readonly #listening: ListeningSocket;
  readonly #onAccept: (socket: Socket) => void;
  readonly #name: string;
  /** The bits of `Hold`; 0 while it accepts. */
  #holds = 0;
  /** Ends the rest; null since a retry met no new failure. */
  #rest: Timer | null = null;

  /**
   * Called by `Reactor.listen`.
   *
   * @param listening The socket, which is the acceptor's from now on
   * @param onAccept Called with each connection
   * @param name The name of the program's callback
   */
  constructor(
    loop: Loop,
    listening: ListeningSocket,
    onAccept: (socket: Socket) => void,
    name: string = onAccept.name,
  ) {
    super(loop);
    this.#listening = listening;
    this.#onAccept = onAccept;
    this.#name = name;
    try {
      this.address = listening.socket.localAddress as Address;
      this.watch(EVENT_READ, Acceptor.#onReady);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The listening descriptor; -1 once closed. */
  get fd(): number {
    return this.#listening.socket.fd;
  }

  /** The listening socket, for options that have no method here. */
  get socket(): Socket {
    return this.#listening.socket;
  }

  /** Whether it was closed, by `close()`, with the reactor, or because the socket failed. */
  get closed(): boolean {
    return this.fd === -1;
  }

  /** Stops accepting until `resume()`. Connections wait in the backlog. */
  pause(): void {
    this.#hold(Hold.Paused, true);
  }

  /** Accepts again after `pause()`. */
  resume(): void {
    this.#hold(Hold.Paused, false);
  }

  /** Keeps `run()` and the process alive while it listens. This is the default. */
  override ref(): void {
    super.ref();
    this.#rest?.ref();
  }

  /** Lets `run()` return and the process end although it listens. */
  override unref(): void {
    super.unref();
    this.#rest?.unref();
  }

  /**
   * Stops listening, and removes the file of a Unix socket. Accepted connections stay
   * open. A second call has no effect.
   */
  close(): void {
    if (this.closed) return;
    this.#end();
    this.#listening.close();
  }

  /**
   * Stops accepting, and gives the listening descriptor away: you have to close it. The
   * file of a Unix socket stays. So another process, which has a copy of the descriptor,
   * continues to listen.
   *
   * @returns the descriptor; the acceptor counts as closed from now on
   * @throws {Deno.errors.BadResource} if it is closed
   */
  detach(): number {
    if (!this.closed) {
      // A later close() would not end it: epoll reports a file as long as a copy is open.
      this.#hold(Hold.Paused, true);
      this.#end();
    }
    return this.socket.detach();
  }

  /** Called by `reactor.describe()`. */
  override [DESCRIBE](): [
    callback: string,
    bytesQueued: number,
    paused: boolean,
  ] {
    const paused = this.#holds !== 0;
    return [this.#name || "onConnection", 0, paused];
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    (fileobj as Acceptor).#acceptSome();
  };

  #acceptSome(): void {
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      // The callback may have closed or paused the listener.
      if (this.#holds !== 0 || this.closed) return;
      let socket: Socket | null;
      try {
        socket = acceptNext(this.socket);
      } catch (error) {
        return this.#failed(error);
      }
      if (socket === null) return;
      this.#handOut(socket);
    }
  }

  /** If the callback throws, only this connection is closed. */
  #handOut(socket: Socket): void {
    try {
      this.#onAccept(socket);
    } catch (error) {
      loopOf(this).reports.report(error);
      socket.close();
    }
  }

  #failed(error: unknown): void {
    if (isListenerFailure(error)) {
      this.#end(error as Error);
      if (isNumberLost(error)) this.#listening.abandon();
      else this.#listening.close();
      loopOf(this).reports.report(error);
    } else {
      if (this.#rest === null) loopOf(this).reports.reportSometimes(error);
      this.#suspend(error);
    }
  }

  #end(error?: Error): void {
    this.#rest?.cancel();
    this.leave();
    const program = this.onClose;
    if (program === null) return;
    const onClose = (): void => program(error);
    const { dispatcher } = loopOf(this);
    loopOf(this).callSoon(dispatcher.named(onClose, program));
  }

  #suspend(error: unknown): void {
    const loop = loopOf(this);
    loop.countBackOff(this, error);
    this.#rest = loop.callLater(REST, () => this.#retry());
    if (this.unreferenced) this.#rest.unref();
    this.#hold(Hold.Resting, true);
  }

  #retry(): void {
    const rest = this.#rest;
    this.#hold(Hold.Resting, false);
    this.#acceptSome();
    // Without a new failure, the next one is reported again.
    if (this.#rest === rest) this.#rest = null;
  }

  /** Begins or ends a hold, and registers or unregisters accordingly. */
  #hold(hold: Hold, held: boolean): void {
    this.#holds = held ? this.#holds | hold : this.#holds & ~hold;
    if (this.closed) return;
    try {
      this.watch(this.#holds === 0 ? EVENT_READ : 0, Acceptor.#onReady);
    } catch (error) {
      // A method never calls back: the error is reported from the loop.
      const loop = loopOf(this);
      if (this.#rest === null) {
        loop.callSoon(() => loop.reports.reportSometimes(error));
      }
      this.#suspend(error);
    }
  }

  static {
    setFull = (acceptor, full): void => acceptor.#hold(Hold.Full, full);
  }
}
