/**
 * A connection: the stream of a socket, with the addresses of both sides.
 *
 * @module
 */

import { keptPeer, type Socket } from "../backends/ffi/socket.ts";
import type { SocketAddress } from "../backends/ffi/socket_address.ts";
import type { StreamSettings } from "./connection_options.ts";
import type { Connecting } from "./connector.ts";
import { loopOf } from "./endpoint.ts";
import { interrupted } from "./interrupted.ts";
import type { Loop } from "./loop.ts";
import { DESTROY } from "./owned.ts";
import { Stream } from "./stream.ts";
import type { ConnectionCallbacks } from "./stream_callbacks.ts";
import { CONNECTING, LIFE } from "./stream_state.ts";
import { needRare, rareOf } from "./stream_writer.ts";
import { UNSERVED } from "./turn_waits.ts";

/** Fields that few connections use: those that were connected, most of all. */
class ConnectionFields<C> {
  /** Called when the connection is established. */
  onConnect: ConnectionCallbacks<C>["onConnect"] | null = null;
  /** The promise of `opened`, once it was asked for. */
  opened: PromiseWithResolvers<C> | null = null;
  /** The connect that is under way. */
  attempt: { cancel(): void } | null = null;
  /** The local address, once it was asked for. */
  localAddress: SocketAddress | null = null;
}

/** The connection as a connector sees it. */
export let connectingOf: (connection: Connection) => Connecting;

/**
 * A TCP or Unix connection, driven by the callbacks of `ConnectionCallbacks`. `Stream`
 * and `StreamWriter` have its methods to write, pause and close.
 *
 * @typeParam A Type of the addresses: `InternetAddress` with a port, `UnixAddress` with
 *   a path
 *
 * @example An echo
 * ```ts
 * import { Reactor } from "@pollux/reactor/reactor";
 *
 * using reactor = new Reactor();
 * reactor.listen({ hostname: "127.0.0.1", port: 0 }, (connection) => {
 *   connection.onData = (chunk) => {
 *     if (!connection.write(chunk)) connection.pause();
 *   };
 *   connection.onDrain = () => connection.resume();
 * });
 * reactor.runOnce();
 * ```
 */
export class Connection<A extends SocketAddress = SocketAddress>
  extends Stream {
  /**
   * Called by `Reactor.listen` and `Reactor.connect`.
   *
   * @param socket The connected socket; null while connecting
   * @param settings Shared by the connections of one listener
   */
  constructor(loop: Loop, socket: Socket | null, settings: StreamSettings) {
    super(loop, socket, settings);
    if (socket !== null) loop.dispatcher.observer?.connectionOpened(this);
  }

  /**
   * The socket, for options without a method here. Its bytes belong to the connection.
   *
   * @throws {Deno.errors.NotConnected} while connecting
   */
  get socket(): Socket {
    if (this.file !== null) return this.file as Socket;
    throw new Deno.errors.NotConnected("Connection is not connected");
  }

  /** Whether a connect is under way. */
  get connecting(): boolean {
    return this.file === null && !this.closed;
  }

  /**
   * Resolves with the connection when it is established. Rejects with the error that
   * ended it before, or with `Deno.errors.Interrupted` after `close()`. It needs
   * `serve()`: if nothing runs the reactor within a second, it rejects with
   * `Deno.errors.NotSupported`.
   *
   * @example
   * ```ts
   * import { Reactor } from "@pollux/reactor/reactor";
   * import { assertEquals } from "@std/assert";
   *
   * await using reactor = new Reactor();
   * reactor.serve();
   * const server = reactor.listen({ hostname: "127.0.0.1", port: 0 }, () => {});
   * const client = await reactor.connect(server.address).opened;
   * assertEquals(client.remoteAddress, server.address);
   * ```
   */
  get opened(): Promise<this> {
    if (this.closed) return Promise.reject(this.error ?? interrupted());
    if (!this.connecting) return Promise.resolve(this);
    const fields = needFields(this);
    fields.opened ??= Promise.withResolvers();
    loopOf(this).awaitTurn(this);
    return fields.opened.promise;
  }

  /** Called by the loop. */
  [UNSERVED](error: Error): void {
    const fields = needFields(this);
    fields.opened?.reject(error);
    fields.opened = null;
  }

  /**
   * The address of this side. After the end it is known if it was read before, or if
   * an error ended the connection.
   *
   * @throws {Deno.errors.NotConnected} while connecting, and after a failed connect
   * @throws {Deno.errors.BadResource} after the end, if it is not known
   */
  get localAddress(): A {
    const known = fieldsOf(this)?.localAddress ?? null;
    if (known !== null) return known as A;
    // Frozen, because all callers share it.
    const address = Object.freeze(this.socket.localAddress);
    needFields(this).localAddress = address;
    return address as A;
  }

  /**
   * The address of the peer, which is also known after the end.
   *
   * @throws {Deno.errors.NotConnected} while connecting, and after a failed connect
   */
  get remoteAddress(): A {
    return peerAddress(this.socket) as A;
  }

  /** Called when an outgoing connection is established. */
  get onConnect(): ConnectionCallbacks<this>["onConnect"] | null {
    return fieldsOf(this)?.onConnect ?? null;
  }

  set onConnect(
    callback: ConnectionCallbacks<this>["onConnect"] | null | undefined,
  ) {
    needFields(this).onConnect = callback ?? null;
  }

  /**
   * Sends small writes at once instead of gathering them (`TCP_NODELAY`, tcp(7)).
   *
   * @param enabled Default: true
   * @throws {Deno.errors.NotConnected} while connecting
   * @throws {Deno.errors.BadResource} once closed
   * @throws {Deno.errors.NotSupported} on a Unix socket
   */
  setNoDelay(enabled: boolean = true): void {
    this.socket.setOption("noDelay", enabled);
  }

  /**
   * Makes the system probe a silent peer (`SO_KEEPALIVE`, socket(7)).
   *
   * @param enabled Default: true
   * @throws {Deno.errors.NotConnected} while connecting
   * @throws {Deno.errors.BadResource} once closed
   */
  setKeepAlive(enabled: boolean = true): void {
    this.socket.setOption("keepAlive", enabled);
  }

  /** Called by the loop when it is closed. */
  override [DESTROY](error?: Error): void {
    // An established connection just ends; a connect that is under way fails.
    if (!this.connecting) return super[DESTROY](error);
    super[DESTROY](error ?? new Deno.errors.Interrupted("Reactor was closed"));
  }

  /** Keeps the local address of a failed connection, and settles `opened`. */
  protected override closing(error: Error | undefined): void {
    loopOf(this).dispatcher.observer?.connectionClosing(this, error);
    // It is a system call, which connections that end in order are spared.
    if (error !== undefined) Connection.#keepLocalAddress(this);
    const fields = fieldsOf(this);
    if (fields === null) return;
    fields.attempt?.cancel();
    loopOf(this).forgetTurn(this);
    fields.opened?.reject(error ?? interrupted());
    fields.attempt = fields.opened = fields.onConnect = null;
  }

  static #keepLocalAddress(connection: Connection): void {
    if (connection.file === null) return;
    try {
      void connection.localAddress;
    } catch {
      // The descriptor was closed by other means.
    }
  }

  /** Handles a successful connect: reports it, and sends the queue. */
  static #establish(connection: Connection, socket: Socket): void {
    const fields = needFields(connection);
    connection.file = socket;
    if ((connection.state & LIFE) === CONNECTING) connection.state &= ~LIFE;
    fields.attempt = null;
    fields.opened?.resolve(connection);
    loopOf(connection).dispatcher.observer?.connectionOpened(connection);
    loopOf(connection).forgetTurn(connection);
    const onConnect = (): void => {
      if (connection.closed) return;
      connection.guard(() => fields.onConnect?.(connection));
    };
    const { dispatcher } = loopOf(connection);
    const named = dispatcher.named(onConnect, fields.onConnect);
    loopOf(connection).callSoon(named);
    connection.flushGuarded();
  }

  static {
    connectingOf = (connection): Connecting => ({
      connectingBy(attempt): void {
        needFields(connection).attempt = attempt;
      },
      connected: (socket) => Connection.#establish(connection, socket),
      fail: (error) => connection.finish(error as Error),
    });
  }
}

/** The fields of a connection, typed like the connection itself. */
function fieldsOf<C extends Connection>(
  connection: C,
): ConnectionFields<C> | null {
  const rare = rareOf(connection);
  return rare === null ? null : rare.subclass as ConnectionFields<C> | null;
}

function needFields<C extends Connection>(connection: C): ConnectionFields<C> {
  const rare = needRare(connection);
  return (rare.subclass ??= new ConnectionFields<C>()) as ConnectionFields<C>;
}

/**
 * The address of the peer, also if the peer is gone or the socket closed.
 *
 * @throws {SystemError} `Deno.errors.NotConnected` if it never had a peer
 */
export function peerAddress(socket: Socket): SocketAddress {
  try {
    return socket.remoteAddress;
  } catch (error) {
    const kept = keptPeer(socket);
    if (kept === null) throw error;
    return kept;
  }
}
