/**
 * One promise that every backend has to keep, and what a test of it is given.
 */

import { dup2 } from "../descriptors.ts";
import type { LoopSelector } from "../../backends/mod.ts";
import { close, pipe, Socket } from "../../backends/ffi/mod.ts";
import type { Backend, Capabilities } from "../backends.ts";
import { type Pair, pairOf } from "../util.ts";

/** The capabilities that a backend has or lacks. */
type Ability = {
  [Name in keyof Capabilities]: Capabilities[Name] extends boolean ? Name
    : never;
}[keyof Capabilities];

/** One promise. */
export interface Case {
  /** A sentence of which the selector is the subject or the place. */
  readonly name: string;
  /** The promise is made by the backends that have this. */
  readonly needs?: Ability;
  /** The promise is made by the backends that have it not. */
  readonly lacks?: Ability;
  /** The systems that have what it is about; all, if left out. */
  readonly systems?: readonly string[];
  /** Keeps the promise, or throws. */
  run(stage: Stage): void | Promise<void>;
}

/** A list of promises: what they are about is in the name of its file. */
export type Cases = readonly Case[];

/** What one test works with. Everything from it is closed when the test ends. */
export class Stage extends DisposableStack {
  readonly capabilities: Capabilities;
  readonly #backend: Backend;
  #selector: LoopSelector<string> | undefined;

  constructor(backend: Backend) {
    super();
    this.#backend = backend;
    this.capabilities = backend.capabilities;
  }

  /** The selector that is tested. */
  get selector(): LoopSelector<string> {
    return this.#selector ??= this.make();
  }

  /** Another selector of the same backend. */
  make(): LoopSelector<string> {
    return this.use(this.#backend.make<string>());
  }

  /** A selector that is not closed by the stage. */
  makeLoose(): LoopSelector<string> {
    return this.#backend.make<string>();
  }

  /** Two connected sockets. */
  pair(type?: "stream" | "datagram" | "seqpacket"): Pair {
    return this.use(pairOf(type));
  }

  /** A socket. */
  socket(...kind: Parameters<typeof Socket.create>): Socket {
    return this.use(Socket.create(...kind));
  }

  /** A listener on a port of the system's choice. */
  listener(hostname: string = "127.0.0.1"): Socket {
    const address = { hostname, port: 0 };
    const listener = this.use(Socket.createFor(address));
    listener.bind(address);
    listener.listen();
    return listener;
  }

  /** Two sockets that are connected through the network's code. */
  connection(hostname?: string): Pair {
    const listener = this.listener(hostname);
    const left = this.socket(listener.domain);
    left.setBlocking(true);
    left.connect(listener.localAddress);
    left.setBlocking(false);
    const right = this.use(listener.accept()!);
    return { left, right, [Symbol.dispose]: () => {} };
  }

  /** A pipe. */
  pipe(): { reader: PlainFd; writer: PlainFd } {
    const [reader, writer] = pipe();
    return { reader: this.fd(reader), writer: this.fd(writer) };
  }

  /** A descriptor that was opened elsewhere. */
  fd(fd: number): PlainFd {
    return this.use(new PlainFd(fd));
  }

  /** Another number, the one asked for, for the file behind a descriptor. */
  duplicateTo(fd: number, number: number): PlainFd {
    dup2(fd, number);
    return this.fd(number);
  }
}

/** A file object that is no socket; its `fd` is -1 once it is closed, as a socket's is. */
export class PlainFd implements Disposable {
  fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  close(): void {
    if (this.fd === -1) return;
    close(this.fd);
    this.fd = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
