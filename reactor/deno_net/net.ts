/**
 * `Deno.listen` and `Deno.connect`, on the reactor.
 *
 * @module
 */

import { Conn, type NetAddr, type UnixAddr } from "./conn.ts";
import { interrupted } from "../interrupted.ts";
import {
  Listener,
  type TcpListenOptions,
  type UnixListenOptions,
} from "./listener.ts";
import { checkOptions, type OptionNames } from "../../backends/options.ts";
import type { ConnectOptions, Reactor } from "../reactor.ts";

/** As `Deno.ConnectOptions`. */
export interface TcpConnectOptions {
  /** 1 to 65535. */
  readonly port: number;
  /** An address or a name: "127.0.0.1", if left out. */
  readonly hostname?: string;
  /** As in Deno. */
  readonly transport?: "tcp";
  /** Gives it up, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Tries the addresses of a host beside each other: true, if left out. */
  readonly autoSelectFamily?: boolean;
  /** Milliseconds that one address has before the next is tried: 250, if left out. */
  readonly autoSelectFamilyAttemptDelay?: number;
}

/** As `Deno.UnixConnectOptions`. */
export interface UnixConnectOptions {
  /** The socket's path. */
  readonly path: string;
  /** As in Deno. */
  readonly transport: "unix";
}

const LISTEN_OPTIONS: OptionNames<TcpListenOptions & UnixListenOptions> = {
  hostname: true,
  path: true,
  port: true,
  reusePort: true,
  tcpBacklog: true,
  transport: true,
};

const CONNECT_OPTIONS: OptionNames<TcpConnectOptions & UnixConnectOptions> = {
  autoSelectFamily: true,
  autoSelectFamilyAttemptDelay: true,
  hostname: true,
  path: true,
  port: true,
  signal: true,
  transport: true,
};

const NOT_SERVING = "Cannot connect while the reactor does not turn: " +
  "it needs serve()";

/**
 * `Deno.listen` and `Deno.connect` on a reactor: what was written for Deno's
 * runs on it unchanged, in `serve()`.
 *
 * @example
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 * import { assertEquals } from "@std/assert";
 *
 * await using reactor = new Reactor();
 * const { connect, listen } = reactor.net; // or: = Deno
 * reactor.serve();
 *
 * using listener = listen({ hostname: "127.0.0.1", port: 0 });
 * const client = await connect({ port: listener.addr.port });
 * const server = await listener.accept();
 * await server.write(new TextEncoder().encode("hello"));
 * const buffer = new Uint8Array(16);
 * assertEquals(await client.read(buffer), 5);
 * client.close();
 * server.close();
 * ```
 */
export class Net {
  readonly #reactor: Reactor;

  /** Made by the reactor. */
  constructor(reactor: Reactor) {
    this.#reactor = reactor;
    // They are often taken out of the object, as from Deno's.
    this.listen = this.listen.bind(this) as Net["listen"];
    this.connect = this.connect.bind(this) as Net["connect"];
  }

  /**
   * As `Deno.listen`, for TCP.
   *
   * @throws {TypeError} if the hostname is no numeric address, or an option unknown
   * @throws {RangeError} if the port or the backlog is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(options: TcpListenOptions): Listener<NetAddr>;
  /**
   * As `Deno.listen`, for Unix sockets.
   *
   * @throws {TypeError} if the path has a NUL inside
   * @throws {RangeError} if the path is too long
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(options: UnixListenOptions): Listener<UnixAddr>;
  /**
   * As `Deno.listen`, for VM sockets, which the reactor does not have.
   *
   * @throws {Deno.errors.NotSupported} always
   */
  listen(
    options: Deno.VsockListenOptions & { transport: "vsock" },
  ): never;
  listen(
    options:
      | TcpListenOptions
      | UnixListenOptions
      | Deno.VsockListenOptions & { transport: "vsock" },
  ): Listener<NetAddr> | Listener<UnixAddr> {
    checkTransport(options);
    checkOptions(options, LISTEN_OPTIONS);
    return "path" in options
      ? new Listener<UnixAddr>(this.#reactor, options)
      : new Listener<NetAddr>(this.#reactor, options as TcpListenOptions);
  }

  /**
   * As `Deno.connect`, for TCP.
   *
   * @throws {TypeError} if the hostname or the port is malformed, or an option unknown
   * @throws {RangeError} if the port is out of range
   * @throws {Deno.errors.NotSupported} if neither `serve()` is under way nor begins
   *   within a turn of Deno's loop
   * @throws {SystemError} `Deno.errors.ConnectionRefused` and others
   * @throws with the signal's reason, if it is aborted
   */
  connect(options: TcpConnectOptions): Promise<Conn<NetAddr>>;
  /**
   * As `Deno.connect`, for Unix sockets.
   *
   * @throws {SystemError} `Deno.errors.NotFound` if there is no such path, and others
   */
  connect(options: UnixConnectOptions): Promise<Conn<UnixAddr>>;
  /**
   * As `Deno.connect`, for VM sockets, which the reactor does not have.
   *
   * @throws {Deno.errors.NotSupported} always
   */
  connect(options: Deno.VsockConnectOptions): Promise<never>;
  connect(
    options:
      | TcpConnectOptions
      | UnixConnectOptions
      | Deno.VsockConnectOptions,
  ): Promise<Conn<NetAddr | UnixAddr>> {
    return new Promise((resolve, reject) => {
      const target = connectOptions(options);
      const connection = this.#reactor.connect(target, () => {
        connection.onClose = null;
        clearTimeout(look);
        resolve(new Conn(connection));
      });
      // Without an error it is the reactor that was closed.
      connection.onClose = (error) => {
        clearTimeout(look);
        reject(error ?? interrupted());
      };
      const look = this.#expectTurns(() => {
        connection.onClose = null;
        connection.abort();
        reject(new Deno.errors.NotSupported(NOT_SERVING));
      });
    });
  }

  /**
   * Looks after a turn of Deno's loop whether the reactor turns, if it does not yet:
   * else the promise would never be settled, in silence.
   */
  #expectTurns(
    onIdle: () => void,
  ): ReturnType<typeof setTimeout> | undefined {
    const reactor = this.#reactor;
    if (reactor.running) return undefined;
    const { turns } = reactor.stats();
    return setTimeout(() => {
      if (!reactor.running && reactor.stats().turns === turns) onIdle();
    }, 0);
  }
}

/** What `Reactor.connect` calls the options of Deno. */
function connectOptions(
  options: TcpConnectOptions | UnixConnectOptions | Deno.VsockConnectOptions,
): ConnectOptions {
  checkTransport(options);
  checkOptions(options, CONNECT_OPTIONS);
  const {
    transport: _,
    autoSelectFamily = true,
    autoSelectFamilyAttemptDelay,
    ...rest
  } = options as TcpConnectOptions;
  const attemptDelay = autoSelectFamily
    ? autoSelectFamilyAttemptDelay
    : Infinity;
  return {
    noDelay: false,
    ...rest,
    ...attemptDelay === undefined ? {} : { attemptDelay },
  };
}

/** Without a port and a path, "unix" alone would listen on the whole network. */
function checkTransport(
  { transport, path }: {
    readonly transport?: unknown;
    readonly path?: unknown;
  },
): void {
  if (transport === undefined) return;
  if (transport === "vsock") {
    throw new Deno.errors.NotSupported('Cannot use transport "vsock"');
  }
  if (transport !== "tcp" && transport !== "unix") {
    throw new TypeError(
      `Cannot use transport "${transport}": it must be "tcp" or "unix"`,
    );
  }
  if ((transport === "unix") !== (path !== undefined)) {
    const what = path === undefined ? "without a path" : "with a path";
    throw new TypeError(`Cannot use transport "${transport}" ${what}`);
  }
}
