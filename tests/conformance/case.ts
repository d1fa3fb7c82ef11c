/**
 * A case of the conformance suite: one promise that every backend keeps.
 */

import { dup2 } from "../descriptors.ts";
import type { LoopSelector } from "../../backends/mod.ts";
import { close, Socket, type SocketType } from "../../backends/ffi/mod.ts";
import { wakePair } from "../../backends/ffi/wake_pair.ts";
import type { Backend, Capabilities } from "../backends.ts";
import { type Pair, pairOf } from "../util.ts";

/** The capabilities that a backend has or lacks. */
type Ability = {
  [Name in keyof Capabilities]: Capabilities[Name] extends boolean ? Name
    : never;
}[keyof Capabilities];

/** One promise of the backends. */
export interface Case {
  /** A sentence of which the selector is the subject or the place. */
  readonly name: string;
  /** Only backends with this capability keep it, or with all of these. */
  readonly needs?: Ability | readonly Ability[];
  /** Only backends without this capability keep it. */
  readonly lacks?: Ability;
  /** The systems on which it applies. Default: all */
  readonly systems?: readonly string[];
  /** Throws if the promise is broken. */
  run(stage: Stage): void | Promise<void>;
}

/** The promises of one file. */
export type Cases = readonly Case[];

/** The selector, sockets and files of one test, which are closed when it ends. */
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
  socket(
    domain?: "IPv4" | "IPv6" | "unix",
    type?: SocketType,
    protocol?: number,
  ): Socket {
    return this.use(Socket.create(domain, type, protocol));
  }

  /** A listener on a port of the system's choice. */
  listener(hostname: string = "127.0.0.1"): Socket {
    const address = { hostname, port: 0 };
    const listener = this.use(Socket.createFor(address));
    listener.bind(address);
    listener.listen();
    return listener;
  }

  /** Two connected TCP sockets. */
  connection(hostname?: string): Pair {
    const listener = this.listener(hostname);
    const left = this.use(Socket.createFor(listener.localAddress));
    left.setBlocking(true);
    left.connect(listener.localAddress);
    left.setBlocking(false);
    const right = this.use(listener.accept()!);
    return { left, right, [Symbol.dispose]: () => {} };
  }

  /** A pipe or, where pipes have no readiness, a pair of sockets. */
  pipe(): { reader: PlainFd; writer: PlainFd } {
    const [reader, writer] = wakePair();
    return { reader: this.fd(reader), writer: this.fd(writer) };
  }

  /** Takes over a descriptor. */
  fd(fd: number): PlainFd {
    return this.use(new PlainFd(fd));
  }

  /** Duplicates a descriptor to a number. */
  duplicateTo(fd: number, number: number): PlainFd {
    dup2(fd, number);
    return this.fd(number);
  }
}

/** A file object that is not a socket. Its `fd` is -1 after `close()`. */
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
