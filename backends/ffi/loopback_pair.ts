/**
 * Two connected sockets on the loopback interface, for Windows, which has no socketpair.
 *
 * Until both are connected to each other, any program of the machine can connect to the
 * listener, or send to the datagram sockets. So the peer of an
 * accepted connection is checked, and datagrams that arrived before are discarded.
 *
 * @module
 */

import type { InternetAddress } from "./socket_address.ts";
import type { SocketType } from "./socket_fd.ts";

/** The part of `Socket` that the pair needs, which this file must not import. */
interface PairSocket<S> {
  readonly localAddress: unknown;
  readonly remoteAddress: unknown;
  bind(address: InternetAddress): void;
  listen(backlog: number): void;
  connect(address: InternetAddress): boolean;
  accept(): S | null;
  recv(buffer: Uint8Array<ArrayBuffer>): number;
  setBlocking(blocking: boolean): void;
  setOption(name: "noDelay", value: boolean): void;
  close(): void;
}

const LOOPBACK: InternetAddress = { hostname: "127.0.0.1", port: 0 };

/**
 * Connects two sockets.
 *
 * @param createSocket `Socket.create`
 */
export function loopbackPair<S extends PairSocket<S>>(
  type: SocketType,
  createSocket: (domain: "IPv4", type: SocketType) => S,
): [S, S] {
  const create = (): S => createSocket("IPv4", type);
  const left = create();
  try {
    return type === "stream"
      ? connectStreams(left, create)
      : connectDatagrams(left, create);
  } catch (error) {
    left.close();
    throw error;
  }
}

/** Blocking calls on loopback do not wait for anything but this process. */
function connectStreams<S extends PairSocket<S>>(
  left: S,
  create: () => S,
): [S, S] {
  const listener = create();
  try {
    listener.bind(LOOPBACK);
    listener.listen(1);
    listener.setBlocking(true);
    left.setBlocking(true);
    left.connect(listener.localAddress as InternetAddress);
    left.setBlocking(false);
    const right = acceptFrom(listener, left);
    left.setOption("noDelay", true);
    right.setOption("noDelay", true);
    return [left, right];
  } finally {
    listener.close();
  }
}

/** Accepts the connection of one peer, and closes those of others. */
function acceptFrom<S extends PairSocket<S>>(listener: S, peer: S): S {
  const wanted = portOf(peer.localAddress);
  for (;;) {
    const accepted = listener.accept();
    if (accepted === null) continue;
    if (portOf(accepted.remoteAddress) === wanted) return accepted;
    accepted.close();
  }
}

function portOf(address: unknown): number {
  return (address as InternetAddress).port;
}

function connectDatagrams<S extends PairSocket<S>>(
  left: S,
  create: () => S,
): [S, S] {
  const right = create();
  try {
    for (const socket of [left, right]) socket.bind(LOOPBACK);
    left.connect(right.localAddress as InternetAddress);
    right.connect(left.localAddress as InternetAddress);
    const room = new Uint8Array(1);
    for (const socket of [left, right]) while (socket.recv(room) >= 0);
    return [left, right];
  } catch (error) {
    right.close();
    throw error;
  }
}
