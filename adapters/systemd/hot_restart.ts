/**
 * Restarts in which no connection fails: a new process takes over the listening sockets
 * of the old one, with their backlog.
 *
 * The processes meet at the path of a Unix socket. All messages are lines:
 *
 * | from | line | descriptors |
 * | --- | --- | --- |
 * | old | the names of its listeners, as a JSON array | the listeners |
 * | new | "ready" | |
 * | old | "done", when it has stopped accepting | the socket at the path |
 *
 * Both processes have the same listening sockets. So connections wait in one backlog,
 * and no close loses them. The new process accepts after "done". If it ends before
 * "ready", nothing has changed for the old one. If the old process ends before "done",
 * the new one has all listeners already, and creates the socket at the path anew.
 *
 * @module
 */

import { system } from "../../backends/ffi/current_system.ts";
import { close, lacking } from "../../backends/ffi/descriptor.ts";
import { isSystemError } from "../../backends/ffi/errors.ts";
import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { Socket } from "../../backends/ffi/socket.ts";
import type { Reactor } from "../../reactor/reactor.ts";
import {
  type Line,
  LineSocket,
  MAXIMUM_DESCRIPTORS,
  sendLine,
} from "./line_socket.ts";
import { type Listeners, Offer, READY } from "./offer.ts";
import { checkSameUser } from "./same_user.ts";

/** Options of `takeOver()`. */
export interface TakeOverOptions {
  /** How long the old process may take for each answer, in ms. Default: 10,000. */
  readonly timeout?: number;
}

const TAKE_OVER_OPTIONS: OptionNames<TakeOverOptions> = { timeout: true };

const TIMEOUT = 10_000;

/** How often an old process may close the connection before it has sent a line. */
const ATTEMPTS = 3;

/** A conversation with the old process, and the listeners that it has sent. */
interface Old {
  readonly lines: LineSocket;
  readonly sockets: Map<string, Socket>;
}

/**
 * Takes over the listening sockets of a process that has called `handOver()` with this
 * path. That process continues to serve until this one calls `handOver()`, too.
 *
 * Both processes must be of one user, or the other one of root. The reactor must serve.
 *
 * @param path The path of a Unix socket, or a name that starts with "\0"
 * @returns also if no process listens at the path: then there is no socket to take
 * @throws {TypeError} if the path is malformed, or an option unknown
 * @throws {RangeError} if the timeout is not positive
 * @throws {Deno.errors.NotSupported} on Windows, which passes no descriptors
 * @throws {Deno.errors.PermissionDenied} if the old process is of another user
 * @throws {Deno.errors.TimedOut} if the old process does not answer
 * @throws {Deno.errors.InvalidData} if another program listens at the path
 * @throws {SystemError} if the path cannot be connected to
 *
 * @example The first start and each restart are one program
 * ```ts
 * import { takeOver } from "@pollux/reactor/systemd";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * await using reactor = new Reactor();
 * const served = reactor.serve();
 * const path = `${Deno.makeTempDirSync()}/restart.sock`;
 * using restart = await takeOver(reactor, path);
 * const socket = restart.socket("web");
 * const server = reactor.listen(
 *   socket ? { socket } : { hostname: "127.0.0.1", port: 0 },
 *   (peer) => peer.end("hello"),
 * );
 * await restart.handOver({ web: server }, () => reactor.shutdown());
 *
 * reactor.stop(); // a server goes on here
 * await served;
 * ```
 */
export async function takeOver(
  reactor: Reactor,
  path: string,
  options: TakeOverOptions = {},
): Promise<HotRestart> {
  checkOptions(options, TAKE_OVER_OPTIONS);
  const { timeout = TIMEOUT } = options;
  if (!(timeout > 0)) {
    throw new RangeError(`Cannot wait ${timeout} ms for the old process`);
  }
  if (system().constants.SCM_RIGHTS === null) {
    throw lacking("messages with descriptors");
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const socket = connect(path);
    if (socket === null) return new HotRestart(reactor, path, timeout, null);
    const lines = new LineSocket(reactor, socket);
    try {
      checkSameUser(socket);
      const line = await lines.line(timeout);
      if (line !== null) {
        const old = { lines, sockets: socketsOf(line) };
        return new HotRestart(reactor, path, timeout, old);
      }
    } catch (error) {
      lines.close();
      throw error;
    }
    // The old process is ending, or another one has taken over.
    lines.close();
  }
  throw notAnOffer(path);
}

/** Connects to the old process; null if none listens. */
function connect(path: string): Socket | null {
  const socket = Socket.create("unix");
  try {
    socket.connect({ path });
    return socket;
  } catch (error) {
    socket.close();
    const isAlone = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.ConnectionRefused;
    if (isAlone) return null;
    throw error;
  }
}

/** The sockets of the first line by their names. */
function socketsOf(line: Line): Map<string, Socket> {
  const sockets = adopted(line);
  const names = namesIn(line.text);
  if (names?.length === sockets.length) {
    return new Map(names.map((name, index) => [name, sockets[index]!]));
  }
  for (const socket of sockets) socket.close();
  throw notAnOffer(line.text);
}

/** Adopts all descriptors of a line, or closes them. */
function adopted({ text, descriptors }: Line): Socket[] {
  const sockets: Socket[] = [];
  try {
    for (const fd of descriptors) sockets.push(Socket.adopt(fd));
    return sockets;
  } catch (error) {
    for (const socket of sockets) socket.close();
    for (const fd of descriptors.slice(sockets.length)) close(fd);
    throw isSystemError(error) ? notAnOffer(text) : error;
  }
}

function namesIn(text: string): string[] | null {
  try {
    const names = JSON.parse(text);
    return Array.isArray(names) ? names.map(String) : null;
  } catch {
    return null;
  }
}

function notAnOffer(subject: string): Error {
  return new Deno.errors.InvalidData(
    `Cannot take over: ${JSON.stringify(subject)} is no offer of sockets`,
  );
}

/** A process between the one before it and the one after it, see `takeOver()`. */
export class HotRestart implements Disposable {
  readonly #reactor: Reactor;
  readonly #path: string;
  readonly #timeout: number;
  #old: Old | null;
  #offer: Offer | null = null;
  #called = false;
  #closed = false;

  /** Called by `takeOver()`. */
  constructor(
    reactor: Reactor,
    path: string,
    timeout: number,
    old: Old | null,
  ) {
    this.#reactor = reactor;
    this.#path = path;
    this.#timeout = timeout;
    this.#old = old;
  }

  /**
   * Takes a socket of the old process, for `Reactor.listen` or `Reactor.datagram`.
   * Those that you do not take are closed by `handOver()`.
   *
   * @param name The name that the old process has listed it by
   * @returns null if there is none, as at the first start, or if it was taken before
   */
  socket(name: string): Socket | null {
    const socket = this.#old?.sockets.get(name) ?? null;
    this.#old?.sockets.delete(name);
    return socket;
  }

  /**
   * Replaces the old process, if there is one, and offers the listeners to the next.
   *
   * Until it resolves, the old process accepts, and the listeners here are paused. Call
   * it in the same turn as `listen()`, when everything else is ready.
   *
   * @param listeners The acceptors and datagram sockets, by names; at most 253
   * @param onTaken Called when a later process has replaced this one: the listeners are
   *   closed. Shut the reactor down here, so that connections finish
   * @returns resolves when this process serves. If it rejects, the listeners stay paused,
   *   and the old process serves on
   * @throws {TypeError} if the callback is not a function
   * @throws {RangeError} if there are more listeners
   * @throws {Deno.errors.Busy} if it was called before
   * @throws {Deno.errors.BadResource} if this is closed, also while it waits
   * @throws {Deno.errors.TimedOut} if the old process does not answer
   * @throws {Deno.errors.AddrInUse} if yet another process has replaced the old one
   * @throws {SystemError} if the socket at the path cannot be created
   */
  async handOver(listeners: Listeners, onTaken: () => void): Promise<void> {
    if (typeof onTaken !== "function") {
      throw new TypeError(`Cannot call back ${onTaken}: it is no function`);
    }
    // One message passes them to the next process.
    const { length } = Object.keys(listeners);
    if (length > MAXIMUM_DESCRIPTORS) {
      throw new RangeError(`Cannot hand over ${length} listeners`);
    }
    if (this.#called) {
      throw new Deno.errors.Busy("Listeners are handed over already");
    }
    this.#checkOpen();
    this.#called = true;
    for (const listener of Object.values(listeners)) listener.pause();
    const socket = await this.#replace();
    // Nothing would close an offer that is made after close().
    if (this.#closed) socket?.close();
    this.#checkOpen();
    const place = socket === null ? { path: this.#path } : { socket };
    this.#offer = new Offer(this.#reactor, place, listeners, onTaken);
    for (const listener of Object.values(listeners)) listener.resume();
  }

  /** Offers nothing any more. The listeners stay open, unless they were not taken. */
  close(): void {
    this.#closed = true;
    this.#closeOld();
    this.#offer?.close();
  }

  /** Closes it at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new Deno.errors.BadResource("The hot restart is closed");
  }

  /**
   * Lets the old process stop.
   *
   * @returns the socket at the path; null if there is no old process (any more)
   */
  async #replace(): Promise<Socket | null> {
    if (this.#old === null) return null;
    const { lines } = this.#old;
    try {
      const line = await answer(lines, this.#timeout);
      const [socket, ...others] = line === null ? [] : adopted(line);
      for (const other of others) other.close();
      return socket ?? null;
    } finally {
      this.#closeOld();
    }
  }

  #closeOld(): void {
    if (this.#old === null) return;
    this.#old.lines.close();
    for (const socket of this.#old.sockets.values()) socket.close();
    this.#old = null;
  }
}

/** Says that this process is ready, and waits for the end of the old one's service. */
async function answer(
  lines: LineSocket,
  timeout: number,
): Promise<Line | null> {
  try {
    sendLine(lines.socket, READY);
  } catch (error) {
    // The old process has ended: its listeners are here already.
    if (error instanceof Deno.errors.BrokenPipe) return null;
    throw error;
  }
  return await lines.line(timeout);
}
