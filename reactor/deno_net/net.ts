/**
 * `Deno.listen` and `Deno.connect`, on the reactor.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "../../backends/ffi/options.ts";
import { type ConnectOptions, connectTarget } from "../connect_options.ts";
import { startTo } from "../connecting.ts";
import { Connector } from "../connector.ts";
import type { ListenOptions } from "../listen_options.ts";
import { ListeningSocket } from "../listening_socket.ts";
import type { Loop } from "../loop.ts";
import { Conn } from "./conn.ts";
import { Dial } from "./dial.ts";
import { withoutDetail } from "./errors.ts";
import { Listener } from "./listener.ts";

const LISTEN_OPTIONS: OptionNames<
  Deno.TcpListenOptions & Deno.UnixListenOptions & { transport?: unknown }
> = {
  hostname: true,
  path: true,
  port: true,
  reusePort: true,
  tcpBacklog: true,
  transport: true,
};

const CONNECT_OPTIONS: OptionNames<
  Omit<Deno.ConnectOptions, "transport"> & Deno.UnixConnectOptions
> = {
  autoSelectFamily: true,
  autoSelectFamilyAttemptDelay: true,
  hostname: true,
  path: true,
  port: true,
  signal: true,
  transport: true,
};

/**
 * `Deno.listen` and `Deno.connect` on a reactor: programs written for Deno's run on it
 * unchanged, while the reactor is in `serve()`.
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
  readonly #loop: Loop;

  /** Called by the reactor. */
  constructor(loop: Loop) {
    this.#loop = loop;
    // Programs take both out of the object, as they do with Deno's.
    this.listen = this.listen.bind(this) as Net["listen"];
    this.connect = this.connect.bind(this) as Net["connect"];
  }

  /**
   * Listens on a TCP port, as `Deno.listen` does.
   *
   * @throws {TypeError} if the hostname is not a numeric address, or an option unknown
   * @throws {RangeError} if the port or the backlog is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(
    options: Deno.TcpListenOptions & { transport?: "tcp" },
  ): Listener<Deno.NetAddr>;
  /**
   * Listens on the path of a Unix socket, as `Deno.listen` does.
   *
   * @throws {TypeError} if the path contains a NUL
   * @throws {RangeError} if the path is too long
   * @throws {SystemError} `Deno.errors.AddrInUse` and others
   */
  listen(
    options: Deno.UnixListenOptions & { transport: "unix" },
  ): Listener<Deno.UnixAddr>;
  /**
   * VM sockets are not implemented.
   *
   * @throws {Deno.errors.NotSupported} always
   */
  listen(
    options: Deno.VsockListenOptions & { transport: "vsock" },
  ): never;
  listen(options: object): Listener<Deno.NetAddr> | Listener<Deno.UnixAddr> {
    const listening = listeningSocket(listenOptions(options));
    try {
      return new Listener<Deno.NetAddr>(this.#loop, listening);
    } catch (error) {
      // The reactor is closed.
      listening.close();
      throw error;
    }
  }

  /**
   * Connects to a TCP port, as `Deno.connect` does.
   *
   * @throws {TypeError} if the hostname or the port is malformed, or an option unknown
   * @throws {RangeError} if the port is out of range
   * @throws {Deno.errors.NotSupported} if nothing runs the reactor within a second
   * @throws {SystemError} `Deno.errors.ConnectionRefused` and others
   * @throws with the signal's reason, if it is aborted
   */
  connect(options: Deno.ConnectOptions): Promise<Conn<Deno.NetAddr>>;
  /**
   * Connects to the path of a Unix socket, as `Deno.connect` does.
   *
   * @throws {SystemError} `Deno.errors.NotFound` if there is no such path, and others
   */
  connect(options: Deno.UnixConnectOptions): Promise<Conn<Deno.UnixAddr>>;
  /**
   * VM sockets are not implemented.
   *
   * @throws {Deno.errors.NotSupported} always
   */
  connect(options: Deno.VsockConnectOptions): Promise<never>;
  connect(
    options: object,
  ): Promise<Conn<Deno.NetAddr | Deno.UnixAddr>> {
    const loop = this.#loop;
    return new Promise((resolve, reject) => {
      const given = connectOptions(options);
      const target = connectTarget(given);
      const dial = new Dial(
        loop,
        (socket) => resolve(new Conn(loop, socket)),
        (error) => reject(withoutDetail(error)),
      );
      startTo(target, new Connector(loop, dial, given));
    });
  }
}

function listeningSocket(options: ListenOptions): ListeningSocket {
  try {
    return ListeningSocket.create(options);
  } catch (error) {
    throw withoutDetail(error);
  }
}

/** Deno's options of `listen` by the names of the reactor. */
function listenOptions(options: object): ListenOptions {
  checkTransport(options);
  checkOptions(options, LISTEN_OPTIONS);
  const { transport: _, tcpBacklog, path, port, ...rest } = options as
    & Deno.TcpListenOptions
    & Partial<Deno.UnixListenOptions>
    & { readonly transport?: string };
  const backlog = tcpBacklog === undefined ? {} : { backlog: tcpBacklog };
  const place = path === undefined ? { port: port ?? 0 } : { path };
  return { noDelay: false, ...rest, ...place, ...backlog };
}

/** Deno's options of `connect` by the names of the reactor. */
function connectOptions(options: object): ConnectOptions {
  checkTransport(options);
  checkOptions(options, CONNECT_OPTIONS);
  const {
    transport: _,
    autoSelectFamily = true,
    autoSelectFamilyAttemptDelay,
    ...rest
  } = options as Deno.ConnectOptions;
  const attemptDelay = autoSelectFamily
    ? autoSelectFamilyAttemptDelay
    : Infinity;
  return {
    noDelay: false,
    ...rest,
    ...attemptDelay === undefined ? {} : { attemptDelay },
  };
}

/**
 * Checks that the transport is one of the reactor's, and that it agrees with the path.
 * Otherwise "unix" without a path would listen on a port of every interface.
 */
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
    const state = path === undefined ? "without a path" : "with a path";
    throw new TypeError(`Cannot use transport "${transport}" ${state}`);
  }
}
