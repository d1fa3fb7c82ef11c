/**
 * Accepts connections, and goes on accepting them whatever happens.
 *
 * @module
 */

import { isSystemError } from "../backends/ffi/errors.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import { EVENT_READ, type FileObject } from "../backends/selector.ts";
import type { Loop } from "./loop.ts";
import { DESTROY, type Owned, PLACE } from "./owned.ts";
import type { Timer } from "./timers.ts";

/** How many connections are accepted in one turn: others are waiting for theirs. */
const ACCEPTS_PER_TURN = 64;

/** How long accepting is suspended when there is no descriptor left, in milliseconds. */
const BACK_OFF = 100;

/**
 * Errors of one connection that was gone before it was accepted, or of its
 * network (accept(2), "Error handling"): the next one may be well.
 */
const TRANSIENT = new Set([
  "ECONNABORTED",
  "EPERM",
  "EPROTO",
  "ENETDOWN",
  "ENOPROTOOPT",
  "EHOSTDOWN",
  "ENONET",
  "EHOSTUNREACH",
  "EOPNOTSUPP",
  "ENETUNREACH",
  "ECONNRESET",
]);

/**
 * Accepts connections from a listening socket.
 *
 * With no descriptor left (`EMFILE`, `ENFILE`) or no memory, the connection that
 * waits would make the listener ready again and again. So it stops listening to
 * it for a tenth of a second, says so once, and tries again; those who wait are
 * in the system's backlog meanwhile.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertNotEquals } from "@std/assert";
 *
 * using reactor = new Reactor();
 * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, (peer) => {
 *   peer.onData = () => {}; // hears the peer to its end, and then closes
 *   peer.end(new TextEncoder().encode(new Date().toString()));
 * });
 * assertNotEquals(server.address.port, 0);
 * server.close();
 * reactor.run();
 * ```
 *
 * @typeParam Address `InternetAddress` if it listens on a port, `UnixAddress` if on a path
 */
export class Acceptor<Address extends SocketAddress = SocketAddress>
  implements Owned {
  readonly #loop: Loop;
  readonly #socket: Socket;
  readonly #onAccept: (socket: Socket) => void;
  readonly #onClose: () => void;
  readonly #file: { remove(): void } | null;
  readonly #wanted: () => boolean;
  /**
   * Where the reactor keeps this acceptor.
   *
   * @ignore
   */
  [PLACE]: number = -1;
  #accepting = false;
  #paused = false;
  /** Whether there are as many connections as there may be. */
  #full = false;
  /** Whether the last attempt has found a connection. */
  #mayHaveMore = false;
  readonly #report = (error: unknown): void =>
    this.#loop.reportSometimes(error);
  /** A method never calls back: what it meets is told from the loop. */
  readonly #reportSoon = (error: unknown): void =>
    this.#loop.callSoon(() => this.#report(error));
  #backOff: Timer | null = null;
  #referenced = true;
  /** Whether the loop counts the registration as unreferenced. */
  #unreferenced = false;

  /**
   * Made by `Reactor.listen`.
   *
   * @param socket A listening socket, which is the acceptor's from now on
   * @param onAccept Called with each connection
   * @param onClose Called when the acceptor is closed
   * @param file What is to be removed with the socket, if anything
   * @param wanted Whether a connection is wanted just now. It pauses if one comes
   *   while none is
   */
  constructor(
    loop: Loop,
    socket: Socket,
    onAccept: (socket: Socket) => void,
    onClose: () => void = (): void => {},
    file: { remove(): void } | null = null,
    wanted: () => boolean = (): boolean => true,
  ) {
    this.#loop = loop;
    this.#socket = socket;
    this.#onAccept = onAccept;
    this.#onClose = onClose;
    this.#file = file;
    this.#wanted = wanted;
    try {
      this.address = socket.localAddress as Address;
      loop.own(this);
      loop.register(this, EVENT_READ, Acceptor.#onReady);
      this.#accepting = true;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The listening descriptor; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  /** The listening socket. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Where it listens, or has listened; with port 0 the port that the system chose. */
  readonly address: Address;

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#socket.fd === -1;
  }

  /** Leaves newcomers in the system's backlog until `resume()`. */
  pause(): void {
    this.#paused = true;
    this.#update();
  }

  /** Accepts again. */
  resume(): void {
    this.#paused = false;
    this.#update();
  }

  /**
   * Leaves newcomers in the backlog while there is no room for them, whatever
   * `pause()` and `resume()` say.
   *
   * @ignore
   */
  setFull(full: boolean): void {
    this.#full = full;
    this.#update();
  }

  /** Keeps `run()` going, and the process open, as at the beginning. */
  ref(): void {
    this.#referenced = true;
    this.#count();
  }

  /** Lets `run()` return and the process end although it listens. */
  unref(): void {
    this.#referenced = false;
    this.#count();
  }

  /**
   * Accepts again, and what may be in the backlog at once.
   *
   * @ignore
   */
  acceptNow(): void {
    this.resume();
    this.#count();
    if (this.#mayHaveMore && this.#loop.mayGoOn()) {
      this.#acceptSome(this.#reportSoon);
    }
  }

  /** Stops listening. Connections that were accepted go on; closing again does nothing. */
  close(): void {
    if (this.closed) return;
    this.#backOff?.cancel();
    if (this.#accepting) {
      this.#loop.forget(this);
      this.#setAccepting(false);
    }
    // The file first: without a listener it would be in the next one's way.
    this.#file?.remove();
    this.#socket.close();
    this.#loop.disown(this);
    this.#onClose();
  }

  /**
   * As `close()`.
   *
   * @ignore
   */
  [DESTROY](): void {
    this.close();
  }

  /** Closes it at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  static readonly #onReady = (fileobj: FileObject): void => {
    const acceptor = fileobj as Acceptor;
    acceptor.#acceptSome(acceptor.#report);
  };

  #acceptSome(report: (error: unknown) => void): void {
    let gone = 0;
    for (let count = 0; count < ACCEPTS_PER_TURN; count++) {
      // The callback may have closed or paused the listener.
      if (!this.#accepting) return;
      if (!this.#wanted()) {
        if (count === 0) this.pause();
        return;
      }
      let socket: Socket | null;
      try {
        socket = this.#socket.accept();
      } catch (error) {
        // All of a turn's: then it is not the connections, which would be gone.
        const transient = isSystemError(error) && TRANSIENT.has(error.code) &&
          ++gone < ACCEPTS_PER_TURN;
        if (transient) continue;
        return this.#suspend(error, report);
      }
      this.#mayHaveMore = socket !== null;
      if (socket === null) return;
      this.#hand(socket);
      this.#count();
    }
  }

  /** Who throws at a newcomer loses it, and no other. */
  #hand(socket: Socket): void {
    try {
      this.#onAccept(socket);
    } catch (error) {
      this.#loop.report(error);
      socket.close();
    }
  }

  /**
   * Waits a while: for a descriptor, or for whatever else is missing. An error
   * that nobody thought of is treated alike: told, and tried again.
   */
  #suspend(error: unknown, report: (error: unknown) => void): void {
    if (this.#backOff === null) report(error);
    this.#loop.countBackOff();
    this.#backOff = this.#loop.callLater(BACK_OFF, () => this.#retry());
    this.#update();
  }

  #retry(): void {
    const backOff = this.#backOff;
    this.#update();
    this.#acceptSome(this.#report);
    // Nothing was missing this time: what comes next is news again.
    if (this.#backOff === backOff) this.#backOff = null;
  }

  #update(): void {
    const waiting = this.#backOff !== null && this.#backOff.active;
    const wanted = !this.closed && !this.#paused && !this.#full && !waiting;
    if (wanted === this.#accepting) return;
    try {
      if (wanted) this.#loop.register(this, EVENT_READ, Acceptor.#onReady);
      else this.#loop.withdraw(this);
    } catch (error) {
      this.#setAccepting(false);
      return this.#suspend(error, this.#reportSoon);
    }
    this.#setAccepting(wanted);
  }

  #setAccepting(accepting: boolean): void {
    if (accepting === this.#accepting) return;
    this.#accepting = accepting;
    this.#count();
  }

  /** Has the loop count the registration as one that keeps nothing open, or as one that does. */
  #count(): void {
    const unreferenced = this.#accepting &&
      !(this.#referenced && this.#wanted());
    if (unreferenced === this.#unreferenced) return;
    this.#unreferenced = unreferenced;
    this.#loop.countUnreferenced(unreferenced ? 1 : -1);
  }
}
