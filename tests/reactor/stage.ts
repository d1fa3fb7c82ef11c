/**
 * The common parts of the reactor's tests: a reactor on each backend, peers outside
 * of it, and waits for conditions.
 */

import { assertEquals, fail } from "@std/assert";
import {
  close,
  type FileObject,
  type InternetAddress,
  pipe,
  Socket,
  type SocketAddress,
  socketPair,
  WOULD_BLOCK,
} from "../../backends/ffi/mod.ts";
import {
  type Acceptor,
  type Connection,
  type ConnectionOptions,
  type ListenOptions,
  Reactor,
  type ReactorOptions,
  type Stream,
} from "../../reactor/mod.ts";
import { EVENT_READ, PollSelector } from "../../backends/mod.ts";
import { type Backend, backends, type Capabilities } from "../backends.ts";
import { anyFile, bytesOf, PATIENCE, test, type TestOptions } from "../util.ts";

/** How long the reactor waits at most before a peer is looked at again. */
const LOOK = 2;

/** About as many bytes as a pipe has room for. */
const LITTLE_ROOM = 64 * 1024;

/**
 * The backends that a reactor is run on. The general name is another's, and the
 * WASI selector is for guests, which have no reactor.
 */
export const reactorBackends: readonly Backend[] = backends.filter(
  ({ name }) => !["DefaultSelector", "WasiSelector"].includes(name),
);

/**
 * Defines a test of something in which the backend can matter: one for each of
 * them, or for each with the required capabilities.
 */
export function onEachBackend(
  name: string,
  run: (stage: Stage) => void | Promise<void>,
  { needs, ...options }: TestOptions & {
    readonly needs?: keyof Capabilities;
  } = {},
): void {
  for (const backend of reactorBackends) {
    if (needs !== undefined && !backend.capabilities[needs]) continue;
    const { absent } = backend;
    test(
      `${backend.name}: ${name}`,
      () => perform(backend, run),
      absent === undefined ? options : { ignore: true, reason: absent },
    );
  }
}

/** Defines a test of something that no backend can change. */
export function onAnyBackend(
  name: string,
  run: (stage: Stage) => void | Promise<void>,
  options: TestOptions = {},
): void {
  const backend = backends.find(({ name }) => name === "DefaultSelector")!;
  test(name, () => perform(backend, run), options);
}

/** Runs a test. A failure includes the errors that the reactor has reported. */
async function perform(
  backend: Backend,
  run: (stage: Stage) => void | Promise<void>,
): Promise<void> {
  await using stage = new Stage(backend);
  try {
    await run(stage);
  } catch (error) {
    const reported = stage.errors.splice(0);
    throw reported.length === 0
      ? error
      : new AggregateError([error, ...reported], "The reactor had errors");
  }
}

/** The objects of one test. They are closed when the test ends. */
export class Stage extends AsyncDisposableStack {
  readonly backend: Backend;
  /** Errors that `onError` was called with. A test that expects errors removes them. */
  readonly errors: unknown[] = [];
  #reactor: Reactor | undefined;

  constructor(backend: Backend) {
    super();
    this.backend = backend;
  }

  /** The reactor that is tested. */
  get reactor(): Reactor {
    return this.#reactor ??= this.make();
  }

  /** Another reactor. */
  make(options: ReactorOptions = {}): Reactor {
    const reactor = new Reactor({
      selector: this.backend.make(),
      onError: (error) => this.errors.push(error),
      ...options,
    });
    return this.use(reactor);
  }

  /** Two connected sockets of the Unix domain. */
  pair(): [left: Socket, right: Socket] {
    const [left, right] = socketPair();
    return [this.use(left), this.use(right)];
  }

  /** The streams of a pipe. Where there is none, sockets take its place. */
  pipe(): { reader: Stream; writer: Stream } {
    if (anyFile) {
      const [reader, writer] = pipe().map((end) => this.reactor.open(end));
      return { reader: reader!, writer: writer! };
    }
    const [reader, writer] = this.narrowPair()
      .map((end) => this.reactor.adopt(end));
    reader!.onEnd = () => reader!.end();
    return { reader: reader!, writer: writer! };
  }

  /** As `pair()`, with less room than most. */
  narrowPair(): [left: Socket, right: Socket] {
    const pair = this.pair();
    for (const socket of pair) {
      socket.setOption("sendBufferSize", LITTLE_ROOM);
      socket.setOption("receiveBufferSize", LITTLE_ROOM);
    }
    return pair;
  }

  /** As `pipe()`, with a writing end that is no stream. The stage closes it. */
  pipeFrom(): { reader: Stream; from: FileObject } {
    if (!anyFile) {
      const [left, right] = this.pair();
      return { reader: this.reactor.adopt(left), from: right };
    }
    const [reader, from] = pipe();
    this.defer(() => close(from));
    return { reader: this.reactor.open(reader), from };
  }

  /** A socket with a number that was closed. Windows may give out others before. */
  successor(
    number: number,
    make: () => Socket = () => Socket.create(),
  ): Socket {
    for (let sockets = 0; sockets < 100; sockets++) {
      const socket = this.use(make());
      if (socket.fd === number) return socket;
    }
    fail(`The system does not give out ${number}`);
  }

  /** A listening socket that never accepts. */
  silentListener(backlog?: number): Socket {
    const socket = this.use(Socket.create());
    socket.bind({ hostname: "127.0.0.1", port: 0 });
    socket.listen(backlog);
    return socket;
  }

  /** The port of a socket that does not listen. No other program can take it. */
  deadPort(): number {
    const socket = this.use(Socket.create());
    socket.bind({ hostname: "127.0.0.1", port: 0 });
    return (socket.localAddress as InternetAddress).port;
  }

  /** The address of a listener whose backlog is full: connects to it stay pending. */
  fullListener(): InternetAddress {
    const listener = this.silentListener(0);
    const address = listener.localAddress as InternetAddress;
    this.use(Socket.create()).connect(address);
    using selector = new PollSelector<null>();
    selector.register(listener, EVENT_READ, null);
    assertEquals(selector.select(PATIENCE).length, 1);
    // Linux has one place in the backlog. Others may have more.
    for (let more = 0; more < 3; more++) {
      this.use(Socket.create()).connect(address);
    }
    return address;
  }

  /** A path for a Unix socket, in a directory that is removed at the end. */
  path(): string {
    const directory = Deno.makeTempDirSync();
    this.defer(() => Deno.removeSync(directory, { recursive: true }));
    return `${directory}/socket`;
  }

  /** Leaves a stale socket at a path, as a killed server does. */
  deadServer(path: string): void {
    using socket = Socket.create("unix");
    socket.bind({ path });
    socket.listen();
  }

  /** A listener of the reactor on a port of the system's choice. */
  listen(
    onConnection: (connection: Connection) => void,
    options?: ListenOptions & { path?: never },
  ): Acceptor<InternetAddress>;
  /** A listener of the reactor on a path, or else on such a port. */
  listen(
    onConnection: (connection: Connection) => void,
    options: ListenOptions,
  ): Acceptor;
  listen(
    onConnection: (connection: Connection) => void,
    options: ListenOptions = {},
  ): Acceptor {
    const address = options.path === undefined
      ? { hostname: "127.0.0.1", port: 0 }
      : {};
    return this.reactor.listen({ ...address, ...options }, onConnection);
  }

  /** A peer that has connected, from outside the reactor. */
  dial(address: SocketAddress): Peer {
    const socket = this.use(Socket.createFor(address));
    socket.setBlocking(true);
    socket.connect(address);
    socket.setBlocking(false);
    return new Peer(this, socket);
  }

  /** A connection of the reactor, and the peer at its other end. */
  connection(
    options: ListenOptions = {},
    shape: (peer: Socket) => void = () => {},
  ): { connection: Connection; peer: Peer } {
    let accepted: Connection | undefined;
    const acceptor = this.listen((connection) => {
      accepted = connection;
    }, options);
    const socket = this.use(Socket.createFor(acceptor.address));
    shape(socket);
    socket.setBlocking(true);
    socket.connect(acceptor.address);
    socket.setBlocking(false);
    this.until(() => accepted !== undefined, "the connection");
    acceptor.close();
    return { connection: accepted!, peer: new Peer(this, socket) };
  }

  /**
   * A connection whose peer takes little at a time: loopback would hide that a
   * write may be short.
   */
  narrow(
    options: ConnectionOptions = {},
  ): { connection: Connection; peer: Peer } {
    const both = this.connection(options, (peer) => {
      // Wine has no such option.
      if (anyFile) peer.setOption("maximumSegmentSize", 1448);
      peer.setOption("receiveBufferSize", 4096);
    });
    // The kernel would let it grow, by its memory of earlier connections.
    both.connection.socket.setOption("sendBufferSize", 64 * 1024);
    return both;
  }

  /** Runs the reactor until something is so. */
  until(condition: () => boolean, what: string): void {
    const end = performance.now() + PATIENCE;
    while (!condition()) {
      if (performance.now() > end) fail(`Waited in vain for ${what}`);
      this.reactor.runOnce(LOOK);
    }
  }

  /** Runs the reactor for some turns, to see that something does not happen. */
  turns(count: number = 5): void {
    for (let turn = 0; turn < count; turn++) this.reactor.runOnce(LOOK);
  }

  /** The messages of the errors so far, which are not the test's failure then. */
  takeErrors(): string[] {
    return this.errors.splice(0).map((error) => (error as Error).message);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    assertEquals(this.errors, [], "the reactor reported errors");
  }
}

/** The other end of a connection: a plain socket, read while the reactor runs. */
export class Peer {
  readonly socket: Socket;
  readonly #stage: Stage;
  readonly #buffer = new Uint8Array(new ArrayBuffer(64 * 1024));

  constructor(stage: Stage, socket: Socket) {
    this.#stage = stage;
    this.socket = socket;
  }

  /** Sends text, or bytes, as many as there is room for. */
  send(data: string | Uint8Array<ArrayBuffer>): number {
    return this.socket.send(typeof data === "string" ? bytesOf(data) : data);
  }

  /** Reads the available bytes; null at end of file, or after a reset. */
  readNow(): Uint8Array<ArrayBuffer> | null {
    let count: number;
    try {
      count = this.socket.recv(this.#buffer);
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    }
    if (count === 0) return null;
    return this.#buffer.slice(0, count === WOULD_BLOCK ? 0 : count);
  }

  /** Reads so many bytes, or up to the end, while the reactor runs. */
  read(length: number = Infinity): Uint8Array<ArrayBuffer> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let total = 0;
    this.#stage.until(() => {
      for (;;) {
        if (total >= length) return true;
        const chunk = this.readNow();
        if (chunk === null) return true;
        if (chunk.length === 0) return false;
        chunks.push(chunk);
        total += chunk.length;
      }
    }, `${length} bytes at the peer, which has ${total}`);
    return joined(chunks);
  }

  /** As `read`, as text. */
  readText(length?: number): string {
    return textOf(this.read(length));
  }

  /** Ends its own direction. */
  end(): void {
    this.socket.shutdown("write");
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.resetOnClose();
    this.socket.close();
  }

  /** Closes. */
  close(): void {
    this.socket.close();
  }
}

/** Chunks as one. */
export function joined(
  chunks: readonly Uint8Array<ArrayBuffer>[],
): Uint8Array<ArrayBuffer> {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

/** The text of bytes. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Bytes of which each says where it is. */
export function patternOf(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = index * 31 % 251;
  return bytes;
}

/** Whether bytes are those of `patternOf`, from an offset on; `assertEquals` takes seconds. */
export function isPattern(bytes: Uint8Array, offset: number = 0): boolean {
  return bytes.every((byte, index) => byte === (offset + index) * 31 % 251);
}

/** Records calls in their order. */
export class Log {
  readonly lines: string[] = [];

  /** A callback that notes its name. */
  note(name: string): () => void {
    return () => {
      this.lines.push(name);
    };
  }

  /** Records all callbacks of a stream. */
  watch(connection: Stream, name: string = ""): void {
    const prefix = name === "" ? "" : `${name} `;
    connection.onData = (chunk) => {
      this.lines.push(`${prefix}data ${textOf(chunk)}`);
    };
    connection.onEnd = this.note(`${prefix}end`);
    connection.onDrain = this.note(`${prefix}drain`);
    connection.onClose = (error) => {
      this.lines.push(`${prefix}close${error ? ` ${codeOf(error)}` : ""}`);
    };
  }
}

/** The code of a system's error, else its message. */
export function codeOf(error: Error): string {
  return (error as { code?: string }).code ?? error.message;
}
