/**
 * The socket options that have a name here, and the place of each.
 *
 * @module
 */

import { system } from "./current_system.ts";
import type { Constants } from "./system.ts";

/**
 * The options of `Socket.getOption` and `Socket.setOption`, with the type of each.
 *
 * Sources: socket(7), tcp(7), ip(7), ipv6(7); `<sys/socket.h>`, `<netinet/tcp.h>`,
 * `<netinet/in.h>`.
 */
export interface SocketOptions {
  /** SO_REUSEADDR: bind although connections of an earlier server linger. */
  reuseAddress: boolean;
  /** SO_REUSEPORT: several sockets on one port share its connections or datagrams. */
  reusePort: boolean;
  /** SO_BROADCAST: a datagram socket may send to broadcast addresses. */
  broadcast: boolean;
  /** SO_KEEPALIVE: probe a silent peer. */
  keepAlive: boolean;
  /** TCP_KEEPIDLE: seconds of silence before the first probe. */
  keepAliveIdle: number;
  /** TCP_KEEPINTVL: seconds between probes. */
  keepAliveInterval: number;
  /** TCP_KEEPCNT: after so many unanswered probes the connection ends. */
  keepAliveCount: number;
  /** TCP_NODELAY: send small writes at once instead of combining them. */
  noDelay: boolean;
  /** TCP_MAXSEG: the largest segment, in bytes. */
  maximumSegmentSize: number;
  /** SO_SNDBUF, in bytes; Linux sets twice the given size. */
  sendBufferSize: number;
  /** SO_RCVBUF, in bytes; Linux sets twice the given size. */
  receiveBufferSize: number;
  /** SO_OOBINLINE: urgent data stays in the stream. */
  outOfBandInline: boolean;
  /** SO_ACCEPTCONN: whether the socket listens. Read only. */
  acceptsConnections: boolean;
  /** SO_TYPE: the number of the socket's type. Read only. */
  type: number;
  /** IPV6_V6ONLY: an IPv6 socket leaves IPv4 to other sockets. */
  ipv6Only: boolean;
  /** IP_TTL: how many routers a packet may pass, 1 to 255. */
  timeToLive: number;
  /** IPV6_UNICAST_HOPS: the same for IPv6; -1 for the system's own choice. */
  ipv6Hops: number;
  /** IP_PKTINFO: `receiveMessage()` reports the destination of datagrams. */
  receivePacketInfo: boolean;
  /** IPV6_RECVPKTINFO: the same for IPv6. */
  ipv6ReceivePacketInfo: boolean;
  /** IP_RECVTTL: `receiveMessage()` reports the time to live of datagrams. */
  receiveTimeToLive: boolean;
  /** IPV6_RECVHOPLIMIT: the same for IPv6. */
  ipv6ReceiveHopLimit: boolean;
  /** SO_TIMESTAMP(NS): `receiveMessage()` reports the arrival of messages. */
  receiveTimestamp: boolean;
  /** IP_MULTICAST_TTL: the time to live of multicast, 0 to 255. */
  multicastTimeToLive: number;
  /** IP_MULTICAST_LOOP: this machine receives its own multicast. */
  multicastLoop: boolean;
  /** IPV6_MULTICAST_HOPS: how many routers multicast may pass; -1 for the system's own choice. */
  ipv6MulticastHops: number;
  /** IPV6_MULTICAST_LOOP: this machine receives its own multicast. */
  ipv6MulticastLoop: boolean;
  /** IPV6_MULTICAST_IF: the number of the interface that multicast leaves by. */
  ipv6MulticastInterface: number;
}

/** The place of an option: its level, its number, and the type of its `int`. */
interface OptionPlace {
  readonly level: number;
  /** Null on a system that lacks the option. */
  readonly number: number | null;
  readonly type: "boolean" | "number";
}

let places: Readonly<Record<keyof SocketOptions, OptionPlace>> | undefined;

/**
 * The place of an option on this system.
 *
 * @throws {TypeError} if there is no such name
 * @throws {Deno.errors.NotSupported} if this system lacks the option
 */
export function optionPlace(
  name: keyof SocketOptions,
): OptionPlace & { readonly number: number } {
  places ??= socketOptions(system().constants);
  const place = places[name];
  if (place === undefined) throw new TypeError(`Unknown option "${name}"`);
  const { level, number, type } = place;
  if (number !== null) return { level, number, type };
  throw new Deno.errors.NotSupported(
    `Cannot use option "${name}": ${system().name} lacks it`,
  );
}

function flag(level: number, number: number | null): OptionPlace {
  return { level, number, type: "boolean" };
}

function value(level: number, number: number | null): OptionPlace {
  return { level, number, type: "number" };
}

/** Every named option of one system. */
function socketOptions(
  c: Constants,
): Readonly<Record<keyof SocketOptions, OptionPlace>> {
  return {
    reuseAddress: flag(c.SOL_SOCKET, c.SO_REUSEADDR),
    reusePort: flag(c.SOL_SOCKET, c.SO_REUSEPORT),
    broadcast: flag(c.SOL_SOCKET, c.SO_BROADCAST),
    keepAlive: flag(c.SOL_SOCKET, c.SO_KEEPALIVE),
    keepAliveIdle: value(c.IPPROTO_TCP, c.TCP_KEEPIDLE),
    keepAliveInterval: value(c.IPPROTO_TCP, c.TCP_KEEPINTVL),
    keepAliveCount: value(c.IPPROTO_TCP, c.TCP_KEEPCNT),
    noDelay: flag(c.IPPROTO_TCP, c.TCP_NODELAY),
    maximumSegmentSize: value(c.IPPROTO_TCP, c.TCP_MAXSEG),
    sendBufferSize: value(c.SOL_SOCKET, c.SO_SNDBUF),
    receiveBufferSize: value(c.SOL_SOCKET, c.SO_RCVBUF),
    outOfBandInline: flag(c.SOL_SOCKET, c.SO_OOBINLINE),
    acceptsConnections: flag(c.SOL_SOCKET, c.SO_ACCEPTCONN),
    type: value(c.SOL_SOCKET, c.SO_TYPE),
    ipv6Only: flag(c.IPPROTO_IPV6, c.IPV6_V6ONLY),
    timeToLive: value(c.IPPROTO_IP, c.IP_TTL),
    ipv6Hops: value(c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS),
    receivePacketInfo: flag(c.IPPROTO_IP, c.IP_RECVPKTINFO),
    ipv6ReceivePacketInfo: flag(c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO),
    receiveTimeToLive: flag(c.IPPROTO_IP, c.IP_RECVTTL),
    ipv6ReceiveHopLimit: flag(c.IPPROTO_IPV6, c.IPV6_RECVHOPLIMIT),
    receiveTimestamp: flag(c.SOL_SOCKET, c.SO_TIMESTAMP),
    multicastTimeToLive: value(c.IPPROTO_IP, c.IP_MULTICAST_TTL),
    multicastLoop: flag(c.IPPROTO_IP, c.IP_MULTICAST_LOOP),
    ipv6MulticastHops: value(c.IPPROTO_IPV6, c.IPV6_MULTICAST_HOPS),
    ipv6MulticastLoop: flag(c.IPPROTO_IPV6, c.IPV6_MULTICAST_LOOP),
    ipv6MulticastInterface: value(c.IPPROTO_IPV6, c.IPV6_MULTICAST_IF),
  };
}
