/**
 * The reactor: a loop, with the servers and clients that it can make.
 *
 * @module
 */

import type {
  InternetAddress,
  UnixAddress,
} from "../backends/ffi/socket_address.ts";
import {
  EVENT_READ,
  EVENT_WRITE,
  type FileObject,
  type SelectorKey,
} from "../backends/selector.ts";
import type { Acceptor } from "./acceptor.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { connect } from "./connecting.ts";
import type { Connection } from "./connection.ts";
import { Datagram } from "./datagram.ts";
import {
  createDatagramSocket,
  type DatagramOptions,
} from "./datagram_socket.ts";
import { type Handler, HandlerPairs } from "./handler_pairs.ts";
import type { ListenOptions } from "./listen_options.ts";
import { listen } from "./listening.ts";
import type { Callback } from "./callback.ts";
import { Loop } from "./loop.ts";
import type { Owned } from "./owned.ts";
import { Net } from "./deno_net/net.ts";
import { checkOptions } from "../backends/options.ts";
import { Readiness, type ReadinessOptions } from "./readiness.ts";
import {
  countConnections,
  Shutdown,
  SHUTDOWN_OPTIONS,
  type ShutdownOptions,
} from "./shutdown.ts";
import { checkSignal, Signals, type SignalWatch } from "./signals.ts";

/**
 * Dispatches what is ready to callbacks, with servers and clients on top.
 *
 * @example The callback server
 * ```ts
 * import { EVENT_READ, Socket, type FileObject } from "@pollux/reactor";
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * using server = Socket.create();
 * server.bind({ hostname: "127.0.0.1", port: 0 });
 * server.listen();
 *
 * function accept(): void {
 *   const connection = server.accept();
 *   if (connection !== null) reactor.register(connection, EVENT_READ, read);
 * }
 *
 * function read(fileobj: FileObject): void {
 *   const connection = fileobj as Socket;
 *   const buffer = new Uint8Array(1024);
 *   const count = connection.recv(buffer);
 *   if (count > 0) {
 *     connection.send(buffer, count);
 *   } else if (count === 0) {
 *     reactor.unregister(connection);
 *     connection.close();
 *   }
 * }
 *
 * reactor.register(server, EVENT_READ, accept);
 * reactor.runOnce(); // or run(), or await serve()
 * ```
 */
export class Reactor extends Loop {
  /** `Deno.listen` and `Deno.connect` on this reactor. */
  readonly net: Net = new Net(this);
  readonly #pairs = new HandlerPairs(this);
  #signals: Signals | undefined;
  #shutdown: Shutdown | null = null;

  /** How many connections are open or being made, those of `net` among them. */
  get connections(): number {
    return countConnections(this);
  }

  /**
   * Ends the reactor in good order: closes its listeners, lets its connections
   * finish, and stops. Its datagram sockets go on until then. Called again, it
   * sets another timeout.
   *
   * @returns resolves when no connection is left; under `run()`, after it has returned
   * @throws {RangeError} if the timeout is negative or not a number
   * @throws {Deno.errors.BadResource} if the reactor is closed
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
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    checkOptions(options, SHUTDOWN_OPTIONS);
    const { timeout = Infinity } = options;
    if (this.closed) throw new Deno.errors.BadResource("Reactor is closed");
    if (!(timeout >= 0)) {
      throw new RangeError(`Cannot shut down within ${timeout} milliseconds`);
    }
    this.#shutdown ??= new Shutdown(this, () => this.#shutdown = null);
    this.#shutdown.begin(timeout);
    return this.#shutdown.done;
  }

  /**
   * As in the loop; the last connection of a shutdown ends it.
   *
   * @ignore
   */
  override disown(resource: Owned): void {
    super.disown(resource);
    const shutdown = this.#shutdown;
    if (shutdown !== null) this.callSoon(() => shutdown.check());
  }

  /** As in the loop; it ends a shutdown that is under way. */
  override close(): void {
    super.close();
    this.#shutdown?.check();
  }

  /**
   * Calls back whenever a file object is ready. What waits by `readable()` or
   * `writable()` for an object that was closed, and had this number, is rejected.
   *
   * @param callback Called with the file object and the events that are there. It may
   *   unregister, register, close and stop whatever it likes
   * @throws {TypeError} if it is not a function
   * @throws as `Selector.register`
   */
  override register<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.#pairs.makeWay(fileobj);
    return super.register(fileobj, events, callback);
  }

  /**
   * Waits for other events, or calls another callback: instead of what waits by
   * `readable()` or `writable()`, which is rejected with `Deno.errors.Interrupted`.
   *
   * @throws as `Selector.modify`
   */
  override modify<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    const before = this.selector.getMap().get(fileobj);
    const key = super.modify(fileobj, events, callback);
    if (before!.data !== callback) this.#pairs.leave(before!);
    return key;
  }

  /**
   * Ends the callbacks of a file object: before it is closed, or after. One that
   * is ready in this very turn is not called either; a `readable()` or `writable()`
   * that is awaited is rejected with `Deno.errors.Interrupted`.
   *
   * @throws as `Selector.unregister`
   */
  override unregister(fileobj: FileObject): SelectorKey<Callback> {
    const key = super.unregister(fileobj);
    this.#pairs.leave(key);
    return key;
  }

  /**
   * Unregisters a file object that is closed next, as the last that has the file
   * open: with epoll and kqueue it costs no call. Waits as with `unregister()`.
   *
   * @throws as `Selector.unregister`
   */
  override unregisterClosing(fileobj: FileObject): SelectorKey<Callback> {
    const key = super.unregisterClosing(fileobj);
    this.#pairs.leave(key);
    return key;
  }

  /**
   * Calls back whenever a file object can be read. A writer of the same
   * descriptor is left alone; a reader that it has is replaced.
   *
   * A number that was closed and opened again since, as by libpq's `PQreset`, is
   * watched anew; of an object that was closed, the next owner of its number
   * inherits nothing.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param handler Called without arguments
   * @throws {TypeError} if it is not a function
   * @throws {Deno.errors.Busy} if somebody awaits `readable()` of the descriptor
   * @throws {Deno.errors.AlreadyExists} if the descriptor was given to `register()`
   * @throws as `Selector.register`
   *
   * @example
   * ```ts
   * import { pipe, read, write } from "@pollux/reactor/socket";
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const [reader, writer] = pipe();
   * reactor.addWriter(writer, () => {
   *   write(writer, new TextEncoder().encode("hello"));
   *   reactor.removeWriter(writer);
   * });
   * reactor.addReader(reader, () => {
   *   assertEquals(read(reader, new Uint8Array(16)), 5);
   *   reactor.removeReader(reader);
   * });
   * reactor.run();
   * ```
   */
  addReader(fileobj: FileObject, handler: Handler): void {
    this.#pairs.set(fileobj, EVENT_READ, handler);
  }

  /**
   * Calls back whenever a file object can be written. As `addReader`.
   *
   * @throws as `addReader`
   */
  addWriter(fileobj: FileObject, handler: Handler): void {
    this.#pairs.set(fileobj, EVENT_WRITE, handler);
  }

  /** Removes a reader; false if there was none. Who awaits `readable()` waits on. */
  removeReader(fileobj: FileObject): boolean {
    return this.#pairs.remove(fileobj, EVENT_READ);
  }

  /** Removes a writer; false if there was none. Who awaits `writable()` waits on. */
  removeWriter(fileobj: FileObject): boolean {
    return this.#pairs.remove(fileobj, EVENT_WRITE);
  }

  /**
   * Waits until a file object can be read: awaited, once; iterated with
   * `for await`, again and again. It needs `serve()`.
   *
   * @throws {Deno.errors.Busy} if the descriptor has a reader already, or somebody waits
   * @throws {Deno.errors.Interrupted} if the reactor is closed meanwhile
   * @throws {Deno.errors.Interrupted} if the file object is unregistered meanwhile, which
   *   who closes it by other means than this package does first
   * @throws {Deno.errors.BadResource} if the file object is closed meanwhile, or was, and
   *   its number is registered again
   * @throws with the signal's reason, if it is aborted
   *
   * @example
   * ```ts
   * import { pipe, read, write } from "@pollux/reactor/socket";
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * await using reactor = new Reactor();
   * reactor.serve();
   * const [reader, writer] = pipe();
   * setTimeout(() => write(writer, new TextEncoder().encode("hello")), 5);
   * await reactor.readable(reader, { signal: AbortSignal.timeout(5000) });
   * assertEquals(read(reader, new Uint8Array(16)), 5);
   * ```
   */
  readable(fileobj: FileObject, options: ReadinessOptions = {}): Readiness {
    return new Readiness(this.#pairs, fileobj, EVENT_READ, options);
  }

  /**
   * Waits until a file object can be written. As `readable`.
   *
   * @throws as `readable`
   */
  writable(fileobj: FileObject, options: ReadinessOptions = {}): Readiness {
    return new Readiness(this.#pairs, fileobj, EVENT_WRITE, options);
  }

  /**
   * Calls back whenever this process gets a signal, also during `run()`. Watches
   * neither keep `run()` going nor the process open. The first one starts a thread,
   * which takes about a tenth of a second.
   *
   * @param signal As in "SIGTERM"; its default action is off until the last watch of
   *   it is cancelled, or the reactor closed
   * @throws {TypeError} if there is no such signal, or nobody can catch it
   * @throws {Deno.errors.BadResource} if the reactor is closed
   * @throws {Deno.errors.TimedOut} if the thread does not start within 10 seconds
   *
   * @example
   * ```ts ignore
   * import { Reactor } from "@pollux/reactor/reactor";
   *
   * using reactor = new Reactor();
   * const server = reactor.listen({ port: 8001 }, (peer) => peer.close());
   * reactor.onSignal("SIGINT", () => server.close());
   * reactor.run(); // until Ctrl-C
   * ```
   */
  onSignal(signal: Deno.Signal, callback: () => void): SignalWatch {
    if (this.closed) throw new Deno.errors.BadResource("Reactor is closed");
    checkSignal(signal);
    return (this.#signals ??= new Signals(this)).watch(signal, callback);
  }

  /**
   * Accepts connections on a port. See `Connection` for an example.
   *
   * @param options A `port` (0 for one that the system chooses), and more
   * @param onConnection Called with each connection, to set its callbacks
   * @throws {TypeError} if the address is malformed, or an option unknown
   * @throws {RangeError} if the port, the backlog or a limit is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(
    options: ListenOptions & { readonly port: number; readonly path?: never },
    onConnection: (connection: Connection) => void,
  ): Acceptor<InternetAddress>;
  /**
   * Accepts connections on the path of a Unix socket. As on a port. A socket that a
   * dead server left there is replaced; the file is removed when the acceptor is
   * closed, unless another one is in its place by then.
   *
   * @throws as on a port
   */
  listen(
    options: ListenOptions & { readonly path: string; readonly port?: never },
    onConnection: (connection: Connection) => void,
  ): Acceptor<UnixAddress>;
  /**
   * Accepts connections on whichever of the two the options have.
   *
   * @throws {TypeError} if they have neither, or both
   * @throws as on a port
   */
  listen(
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Acceptor;
  listen(
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Acceptor {
    return listen(this, options, onConnection);
  }

  /**
   * Connects to a port or a path. What is written before the connection stands is
   * sent when it does.
   *
   * @param options A `port` or a `path`, and more
   * @param onConnect Called when it stands; a failure is told to `onClose`
   * @returns the connection, which is still connecting
   * @throws {TypeError} if neither a port nor a path is given, or both, or the hostname
   *   or the port is malformed, or an option unknown
   * @throws {RangeError} if the port, the timeout or a water mark is out of range
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example A failure
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertInstanceOf } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const client = reactor.connect({ port: 1, timeout: 5000 });
   * client.onClose = (error) => {
   *   assertInstanceOf(error, Deno.errors.ConnectionRefused);
   * };
   * reactor.run();
   * ```
   */
  connect(
    options: ConnectOptions,
    onConnect: ((connection: Connection) => void) | null = null,
  ): Connection {
    return connect(this, options, onConnect);
  }

  /**
   * Makes a socket for UDP. See `Datagram` for an example.
   *
   * @param options Where it is: any port of any IPv4 address, if left out
   * @throws {TypeError} if the address is malformed, or an option unknown
   * @throws {RangeError} if the port or `maximumQueued` is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  datagram(
    options?: DatagramOptions & { readonly path?: never },
  ): Datagram<InternetAddress>;
  /**
   * Makes a socket for the datagrams of Unix. As for UDP. Its file stays after
   * `close()`, as Deno's does.
   *
   * @throws as for UDP
   */
  datagram(
    options: DatagramOptions & { readonly path: string; readonly port?: never },
  ): Datagram<UnixAddress>;
  /**
   * Makes whichever of the two the options mean: with a `path`, it is Unix.
   *
   * @throws as for UDP
   */
  datagram(options: DatagramOptions): Datagram;
  datagram(options: DatagramOptions = {}): Datagram {
    const { socket, maximumQueued } = createDatagramSocket(options);
    return new Datagram(this, socket, maximumQueued);
  }
}
