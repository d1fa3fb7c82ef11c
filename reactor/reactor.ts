/**
 * The reactor: a loop with servers, clients, timers and signals.
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
  type LoopSelector,
  type SelectorKey,
} from "../backends/selector.ts";
import type { Acceptor } from "./acceptor.ts";
import type { Callback } from "./callback.ts";
import type { ConnectOptions } from "./connect_options.ts";
import { adopt, connect } from "./connecting.ts";
import type { Socket } from "../backends/ffi/socket.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection_options.ts";
import { Datagram } from "./datagram.ts";
import {
  createDatagramSocket,
  type DatagramOptions,
} from "./datagram_socket.ts";
import { Net } from "./deno_net/net.ts";
import type { Described } from "./diagnosis/describe.ts";
import type { Description } from "./diagnosis/description.ts";
import type { DiagnosisOptions } from "./diagnosis/diagnosis.ts";
import { type Handler, HandlerPairs } from "./handler_pairs.ts";
import { lateModule } from "./late_module.ts";
import type { ListenOptions } from "./listen_options.ts";
import { listen } from "./listening.ts";
import { Loop } from "./loop.ts";
import { open, type OpenOptions } from "./opening.ts";
import type { ReactorOptions, ServeOptions } from "./reactor_options.ts";
import {
  EventReadiness,
  type Readiness,
  type ReadinessOptions,
} from "./readiness.ts";
import {
  countConnections,
  Shutdown,
  type ShutdownOptions,
  timeoutOf,
} from "./shutdown.ts";
import { checkSignal, Signals, type SignalWatch } from "./signals.ts";
import type { ReactorStatistics } from "./statistics.ts";
import type { Stream } from "./stream.ts";
import type { Timer } from "./timers.ts";

const describeModule = lateModule(() => import("./diagnosis/describe.ts"));
const diagnoseModule = lateModule(() => import("./diagnosis/diagnose.ts"));

/** Returns the loop of a reactor, for other parts of this package. */
export let loopOf: (reactor: Reactor) => Loop;

/**
 * Calls back when file objects are ready, with servers, clients and timers on top.
 *
 * It runs in one of two ways. `run()` has the thread to itself. `serve()` shares it with
 * Deno's event loop: promises, `fetch`, timers, `Deno.serve`.
 *
 * @example The callback server
 * ```ts
 * import { EVENT_READ, Socket } from "@pollux/reactor";
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
 * function read(connection: Socket): void {
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
export class Reactor implements Disposable, AsyncDisposable {
  /** `Deno.listen` and `Deno.connect` on this reactor. */
  readonly net: Net;
  readonly #loop: Loop;
  readonly #pairs: HandlerPairs;
  #signals: Signals | null = null;
  #shutdown: Shutdown | null = null;

  /**
   * Creates a reactor, and its selector.
   *
   * @throws {TypeError} if an option is unknown
   * @throws {RangeError} if `yieldInterval` is not positive, or `maximumQueued` negative
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   */
  constructor(options: ReactorOptions = {}) {
    this.#loop = new Loop(options);
    this.#pairs = new HandlerPairs(this.#loop);
    this.#loop.onFailing = (key) => this.#pairs.rejectWaits(key);
    this.net = new Net(this.#loop);
  }

  /** The selector that the reactor waits with. */
  get selector(): LoopSelector<Callback> {
    return this.#loop.selector;
  }

  /** Whether `run()`, `runOnce()` or `serve()` is under way. */
  get running(): boolean {
    return this.#loop.running;
  }

  /** Whether the reactor is closed. */
  get closed(): boolean {
    return this.#loop.closed;
  }

  /** How many connections are open or connecting, including those of `net`. */
  get connections(): number {
    return countConnections(this.#loop);
  }

  /**
   * Calls a function whenever a file object is ready. A pending `readable()` or
   * `writable()` of a closed file object with the same descriptor is rejected.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param events `EVENT_READ`, `EVENT_WRITE` or both, and others of
   *   `selector.supported`
   * @param callback Called with the file object and its ready events. It may register,
   *   unregister and close any file object, and stop the reactor. An error that it throws
   *   goes to `onError`; after 100 errors in a row it is unregistered
   * @throws {TypeError} if the callback is not a function
   * @throws as `Selector.register`
   */
  register<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    this.#pairs.dropClosed(fileobj);
    return this.#loop.register(fileobj, events, callback);
  }

  /**
   * Replaces the events and the callback of a registered file object. A pending
   * `readable()` or `writable()` of it is rejected with `Deno.errors.Interrupted`.
   *
   * @throws {TypeError} if the callback is not a function
   * @throws as `Selector.modify`
   */
  modify<F extends FileObject>(
    fileobj: F,
    events: number,
    callback: Callback<F>,
  ): SelectorKey<Callback, F> {
    const before = this.selector.getMap().get(fileobj);
    const key = this.#loop.modify(fileobj, events, callback);
    if (before!.data !== callback) this.#pairs.rejectWaits(before!);
    return key;
  }

  /**
   * Unregisters a file object, before or after it is closed. An event that this turn has
   * not dispatched yet is dropped. A pending `readable()` or `writable()` is rejected
   * with `Deno.errors.Interrupted`.
   *
   * @param options With `closing`, no other descriptor of the open file may exist, and
   *   `fileobj` must be closed next: epoll and kqueue then need no system call
   * @throws as `Selector.unregister`
   */
  unregister(
    fileobj: FileObject,
    options?: { readonly closing?: boolean },
  ): SelectorKey<Callback> {
    const key = this.#loop.unregister(fileobj, options);
    this.#pairs.rejectWaits(key);
    return key;
  }

  /**
   * Calls a function whenever a file object is readable. It leaves a writer of the same
   * descriptor alone, and replaces a reader. A descriptor that was closed and opened
   * again, as by libpq's `PQreset`, is registered again.
   *
   * @param fileobj A descriptor, or an object with an `fd`
   * @param handler Called without arguments
   * @throws {TypeError} if the handler is not a function
   * @throws {Deno.errors.Busy} if a `readable()` of the descriptor is pending
   * @throws {Deno.errors.AlreadyExists} if `register()` has registered the descriptor
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

  /** Calls a function whenever a file object is writable, as `addReader()` does. */
  addWriter(fileobj: FileObject, handler: Handler): void {
    this.#pairs.set(fileobj, EVENT_WRITE, handler);
  }

  /** Removes a reader, but not a pending `readable()`. Returns false if there was none. */
  removeReader(fileobj: FileObject): boolean {
    return this.#pairs.remove(fileobj, EVENT_READ);
  }

  /** Removes a writer, but not a pending `writable()`. Returns false if there was none. */
  removeWriter(fileobj: FileObject): boolean {
    return this.#pairs.remove(fileobj, EVENT_WRITE);
  }

  /**
   * Waits until a file object is readable: once with `await`, repeatedly with `for await`.
   * It needs `serve()`. See `Readiness` for an example.
   *
   * @throws {Deno.errors.NotSupported} if nothing runs the reactor within a second
   * @throws {Deno.errors.Busy} if the descriptor has a reader or a pending `readable()`
   * @throws {Deno.errors.Interrupted} if the reactor is closed, or the file object
   *   unregistered. Unregister before closing by other means than this package
   * @throws {Deno.errors.BadResource} if the file object is closed
   * @throws the signal's reason, if it is aborted
   */
  readable(fileobj: FileObject, options: ReadinessOptions = {}): Readiness {
    return new EventReadiness(this.#pairs, fileobj, EVENT_READ, options);
  }

  /** Waits until a file object is writable, as `readable()` does. */
  writable(fileobj: FileObject, options: ReadinessOptions = {}): Readiness {
    return new EventReadiness(this.#pairs, fileobj, EVENT_WRITE, options);
  }

  /**
   * Calls a function in the next turn, after the callbacks of ready file objects, in the
   * order of the calls.
   *
   * @throws {TypeError} if the callback is not a function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  callSoon(callback: () => void): void {
    this.#loop.callSoon(callback);
  }

  /**
   * Calls a function once, never before the given time is over.
   *
   * @param milliseconds The delay; with 0 or less, the next turn calls
   * @returns the timer, to cancel it
   * @throws {TypeError} if the delay is not a number, or the callback not a function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assert } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const start = performance.now();
   * reactor.callLater(20, () => assert(performance.now() - start >= 20));
   * reactor.callLater(60_000, () => {}).cancel();
   * reactor.run(); // returns after 20 milliseconds
   * ```
   */
  callLater(milliseconds: number, callback: () => void): Timer {
    return this.#loop.callLater(milliseconds, callback);
  }

  /**
   * Calls a function repeatedly. Each call is due one interval after the last one was
   * due: delays do not add up. Calls that a busy loop missed are skipped. See `Timer` for
   * an example.
   *
   * @param milliseconds The interval, more than 0
   * @returns the timer, to cancel it
   * @throws {RangeError} if the interval is not positive
   * @throws {TypeError} if the callback is not a function
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  callEvery(milliseconds: number, callback: () => void): Timer {
    return this.#loop.callEvery(milliseconds, callback);
  }

  /**
   * Calls a function whenever this process receives a signal, also during `run()`. A
   * watch keeps neither `run()` nor the process alive. The first one starts a thread,
   * which takes about a tenth of a second. See `SignalWatch` for an example.
   *
   * @param signal A name as "SIGTERM". Its default action is disabled until its last
   *   watch is cancelled, or the reactor closed
   * @throws {TypeError} if there is no such signal, or it cannot be caught
   * @throws {Deno.errors.BadResource} if the reactor is closed
   * @throws {Deno.errors.TimedOut} if the thread does not start within 10 seconds
   */
  onSignal(signal: Deno.Signal, callback: () => void): SignalWatch {
    this.#loop.checkOpen();
    checkSignal(signal);
    this.#signals ??= new Signals(this.#loop);
    return this.#signals.watch(signal, callback);
  }

  /**
   * Accepts connections on a port. See `Connection` for an example.
   *
   * @param onConnection Called with each connection, to set its callbacks
   * @throws {TypeError} if the address is malformed, or an option unknown
   * @throws {RangeError} if the port, the backlog or a limit is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(
    options: ListenOptions & { readonly port: number; readonly path?: never },
    onConnection: (connection: Connection<InternetAddress>) => void,
  ): Acceptor<InternetAddress>;
  /**
   * Accepts connections on the path of a Unix socket. A stale socket at the path is
   * replaced. Closing the acceptor removes the file, unless it was replaced meanwhile.
   */
  listen(
    options: ListenOptions & { readonly path: string; readonly port?: never },
    onConnection: (connection: Connection<UnixAddress>) => void,
  ): Acceptor<UnixAddress>;
  /**
   * Accepts connections on the port, the path or the socket of the options.
   *
   * @throws {TypeError} if they have none of them, or several
   */
  listen(
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Acceptor;
  listen(
    options: ListenOptions,
    onConnection: (connection: never) => void,
  ): Acceptor {
    const callback = onConnection as (connection: Connection) => void;
    return listen(this.#loop, options, callback);
  }

  /**
   * Connects to a port. Bytes that are written before the connection is
   * established are sent afterwards.
   *
   * @param onConnect Called when the connection is established. On failure, `onClose` is
   *   called with the error instead
   * @returns the connection, which is still connecting
   * @throws {TypeError} if an option is unknown, or the hostname or the port malformed
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
    options: ConnectOptions & { readonly port: number; readonly path?: never },
    onConnect?: ((connection: Connection<InternetAddress>) => void) | null,
  ): Connection<InternetAddress>;
  /** Connects to the path of a Unix socket. */
  connect(
    options: ConnectOptions & { readonly path: string; readonly port?: never },
    onConnect?: ((connection: Connection<UnixAddress>) => void) | null,
  ): Connection<UnixAddress>;
  /**
   * Connects to the port or the path of the options.
   *
   * @throws {TypeError} if they have neither, or both
   */
  connect(
    options: ConnectOptions,
    onConnect?: ((connection: Connection) => void) | null,
  ): Connection;
  connect(
    options: ConnectOptions,
    onConnect?: ((connection: never) => void) | null,
  ): Connection {
    const callback = onConnect as ((connection: Connection) => void) | null;
    return connect(this.#loop, options, callback);
  }

  /**
   * Makes a connection of a connected socket: an inherited one, an end of a pair, or one
   * that was accepted by other means. The connection owns the socket from then on.
   *
   * @param socket A connected socket of type "stream"
   * @throws {TypeError} if it is no socket or of another type, or an option unknown
   * @throws {RangeError} if a water mark is out of range
   * @throws {SystemError} `Deno.errors.NotConnected` if it has no peer
   * @throws {Deno.errors.BadResource} if the socket or the reactor is closed
   *
   * @example
   * ```ts
   * import { Reactor, socketPair } from "@pollux/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const [left, right] = socketPair().map((end) => reactor.adopt(end));
   * right!.onData = (chunk) => {
   *   assertEquals(new TextDecoder().decode(chunk), "hello");
   *   right!.close();
   * };
   * left!.end("hello");
   * reactor.run();
   * ```
   */
  adopt(socket: Socket, options: ConnectionOptions = {}): Connection {
    return adopt(this.#loop, socket, options);
  }

  /**
   * Makes a stream of a file: a pipe, a FIFO, a terminal, a serial line, a device, a
   * regular file, standard input. For sockets there is `adopt()`.
   *
   * The stream owns a descriptor from then on, and closes it at its end. Standard
   * input, output and error stay open, because the next file would get their number.
   * A descriptor that blocks does so for others afterwards, too, and a terminal is left
   * as it was found: docs/any_descriptor.md says how.
   *
   * @param target A path, a descriptor, or an object with an `fd`
   * @throws {TypeError} if an option is unknown or only for paths, the path has a NUL
   *   inside, or the descriptor was not opened for the mode
   * @throws {RangeError} if a water mark, the descriptor or the permissions are out of
   *   range
   * @throws {Deno.errors.NotSupported} on Windows, whose files have no readiness
   * @throws {SystemError} if the file cannot be opened: `Deno.errors.NotFound` and
   *   others; `Deno.errors.BadResource` if the descriptor is not open
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example The two ends of a pipe
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { pipe } from "@pollux/reactor/socket";
   * import { assertEquals } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const [input, output] = pipe().map((end) => reactor.open(end));
   * input!.onData = (chunk) => {
   *   assertEquals(new TextDecoder().decode(chunk), "hello");
   * };
   * output!.end("hello");
   * reactor.run(); // returns after the end of file
   * ```
   */
  open(target: FileObject | string, options: OpenOptions = {}): Stream {
    return open(this.#loop, target, options);
  }

  /**
   * Creates a UDP socket, by default on any port of any IPv4 address. See `Datagram` for
   * an example.
   *
   * @throws {TypeError} if the address is malformed, or an option unknown
   * @throws {RangeError} if the port or `maximumQueued` is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  datagram(
    options?: DatagramOptions & {
      readonly path?: never;
      readonly socket?: never;
      readonly remoteAddress?: InternetAddress;
    },
  ): Datagram<InternetAddress>;
  /** Creates a Unix datagram socket. As with Deno's, its file stays after `close()`. */
  datagram(
    options: DatagramOptions & { readonly path: string; readonly port?: never },
  ): Datagram<UnixAddress>;
  /**
   * Creates a Unix socket if the options have a `path`, else a UDP socket; or takes over
   * their `socket`.
   */
  datagram(options: DatagramOptions): Datagram;
  datagram(options: DatagramOptions = {}): Datagram {
    const created = createDatagramSocket(options);
    try {
      return new Datagram(this.#loop, created);
    } catch (error) {
      created.socket.close();
      throw error;
    }
  }

  /**
   * Waits and calls back until `stop()` is called, or nothing is left to wait for. Deno's
   * promises, timers and signal listeners do not run meanwhile. So a connect to a name,
   * which a promise looks up, fails.
   *
   * @throws {Deno.errors.Busy} if the reactor is running
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  run(): void {
    this.#loop.run();
  }

  /**
   * Takes one turn: waits once, and calls back.
   *
   * @param timeout The longest wait in milliseconds. Default: 0, does not wait
   * @returns whether something is left to wait for
   * @throws {TypeError} if the timeout is not a number
   * @throws as `run`
   */
  runOnce(timeout: number = 0): boolean {
    return this.#loop.runOnce(timeout);
  }

  /**
   * Waits and calls back, and shares the thread with Deno's event loop. While busy, it
   * gives Deno's loop a turn every `yieldInterval` milliseconds; while idle, it takes no
   * CPU time. Registrations keep the process alive.
   *
   * @returns resolves after `stop()`, `close()` or an abort of the signal; with
   *   `untilIdle`, also when nothing is left to wait for
   * @throws {Deno.errors.Busy} if the reactor is running
   * @throws {Deno.errors.BadResource} if the reactor is closed
   * @throws {SystemError} `EMFILE`, `ENFILE`: rejects if fewer than 12 descriptors are free
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   *
   * await using reactor = new Reactor();
   * const stopped = reactor.serve({ signal: AbortSignal.timeout(20) });
   * await new Promise((resolve) => setTimeout(resolve, 5)); // Deno's timers run, too
   * await stopped;
   * ```
   */
  serve(options: ServeOptions = {}): Promise<void> {
    return this.#loop.serve(options);
  }

  /**
   * Ends `run()` or `serve()` after this turn; the reactor may run again. Called before
   * `run()`, it makes it take one turn that does not wait.
   */
  stop(): void {
    this.#loop.stop();
  }

  /**
   * Shuts down gracefully: closes the listeners, lets connections finish, and stops.
   * Datagram sockets and opened files stay open until then. A second call sets another
   * timeout. See `ShutdownOptions` for an example.
   *
   * @returns resolves when no connection is left; under `run()`, after it has returned
   * @throws {Deno.errors.NotSupported} rejects if nothing runs the reactor within a second
   * @throws {RangeError} if the timeout is negative or not a number
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  shutdown(options: ShutdownOptions = {}): Promise<void> {
    const timeout = timeoutOf(options);
    this.#loop.checkOpen();
    this.#shutdown ??= new Shutdown(this.#loop, () => this.#shutdown = null);
    this.#shutdown.begin(timeout);
    return this.#shutdown.done;
  }

  /**
   * Closes the reactor, with its listeners, streams, datagram sockets and selector.
   * Registered file objects stay open. A second call does nothing.
   *
   * @throws {Deno.errors.Busy} if a callback calls it, also after `stop()`: close when
   *   `run()` has returned, or `serve()` resolved
   */
  close(): void {
    this.#loop.close();
    this.#shutdown?.check();
  }

  /** Keeps the process alive while the reactor serves. This is the default. */
  ref(): void {
    this.#loop.setRef(true);
  }

  /** Lets the process end although the reactor serves. */
  unref(): void {
    this.#loop.setRef(false);
  }

  /**
   * The descriptor that `wake()` takes in another thread.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  get wakeFd(): number {
    return this.#loop.wakeFd;
  }

  /**
   * Ends the wait that is under way, or else the next one.
   *
   * @throws {Deno.errors.BadResource} if the reactor is closed
   */
  wake(): void {
    this.#loop.wake();
  }

  /**
   * Describes the registered descriptors, the listeners, connections and sockets that are
   * not registered just now, and the timers, one row at a time.
   *
   * Each row takes some system calls. So this is an iterator, which returns to Deno's
   * loop after each millisecond, and ten thousand rows hold up no callback. A row is true
   * when it is yielded. A registration that begins meanwhile may be missing. It is a
   * promise, which cannot settle during `run()`.
   *
   * @example The descriptor with the longest queue
   * ```ts
   * import { Reactor, socketPair } from "@pollux/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * await using reactor = new Reactor();
   * const [left, right] = socketPair().map((end) => reactor.adopt(end));
   * left!.write(new Uint8Array(1_000_000));
   * const queues = [];
   * for await (const row of reactor.describe()) {
   *   if (row.subject === "descriptor" && row.bytesQueued > 0) queues.push(row.fd);
   * }
   * assertEquals(queues, [left!.fd]);
   * right!.abort();
   * ```
   */
  async *describe(): AsyncGenerator<Description, void> {
    const { describe } = await describeModule();
    yield* describe(this.#described());
  }

  /**
   * Switches diagnosis on: counts the readiness of each descriptor and its bytes, measures
   * each callback, detects spins and stalls, and publishes to `node:diagnostics_channel`.
   * A second call begins anew. Before it, none of this costs anything;
   * `docs/observability.md` has the costs.
   *
   * @param options How to report; `false` switches it off
   * @returns resolves when it is on, after Node's modules are loaded
   * @throws {TypeError} if an option is unknown, or `onDiagnosis` not a function
   * @throws {RangeError} if the threshold is not positive
   * @throws {Deno.errors.BadResource} if the reactor is closed
   *
   * @example A callback that holds up the loop
   * ```ts
   * import { type Diagnosis, Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * using reactor = new Reactor();
   * const found: Diagnosis[] = [];
   * await reactor.diagnose({
   *   stallThreshold: 5,
   *   onDiagnosis: (diagnosis) => found.push(diagnosis),
   * });
   * reactor.callSoon(function compress() {
   *   const start = performance.now();
   *   while (performance.now() - start < 6);
   * });
   * reactor.run();
   * const [stall] = found;
   * assertEquals(stall?.kind === "stall" && stall.callback, "compress");
   * ```
   */
  async diagnose(options: DiagnosisOptions | false = {}): Promise<void> {
    this.#loop.checkOpen();
    const { diagnose } = await diagnoseModule();
    await diagnose(this.#described(), options);
  }

  #described(): Described {
    return {
      loop: this.#loop,
      nameOf: (callback) => this.#pairs.nameOf(callback),
    };
  }

  /** Returns statistics. See `ReactorStatistics` for an example. */
  stats(): ReactorStatistics {
    return this.#loop.stats();
  }

  /** Closes the reactor at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the reactor, and waits until a `serve()` under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#loop.ended();
    this.close();
    await ended;
  }

  static {
    loopOf = (reactor): Loop => reactor.#loop;
  }
}
