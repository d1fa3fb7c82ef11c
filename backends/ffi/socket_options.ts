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
  readonly number: number;
  readonly type: "boolean" | "number";
}

/** The names of its level and of its number, and its type. */
type OptionNames = readonly [
  level: "SOL_SOCKET" | "IPPROTO_TCP" | "IPPROTO_IP" | "IPPROTO_IPV6",
  number: keyof Constants,
  type: OptionPlace["type"],
];

const OPTIONS: Readonly<Record<keyof SocketOptions, OptionNames>> = {
  reuseAddress: ["SOL_SOCKET", "SO_REUSEADDR", "boolean"],
  reusePort: ["SOL_SOCKET", "SO_REUSEPORT", "boolean"],
  broadcast: ["SOL_SOCKET", "SO_BROADCAST", "boolean"],
  keepAlive: ["SOL_SOCKET", "SO_KEEPALIVE", "boolean"],
  keepAliveIdle: ["IPPROTO_TCP", "TCP_KEEPIDLE", "number"],
  keepAliveInterval: ["IPPROTO_TCP", "TCP_KEEPINTVL", "number"],
  keepAliveCount: ["IPPROTO_TCP", "TCP_KEEPCNT", "number"],
  noDelay: ["IPPROTO_TCP", "TCP_NODELAY", "boolean"],
  maximumSegmentSize: ["IPPROTO_TCP", "TCP_MAXSEG", "number"],
  sendBufferSize: ["SOL_SOCKET", "SO_SNDBUF", "number"],
  receiveBufferSize: ["SOL_SOCKET", "SO_RCVBUF", "number"],
  outOfBandInline: ["SOL_SOCKET", "SO_OOBINLINE", "boolean"],
  acceptsConnections: ["SOL_SOCKET", "SO_ACCEPTCONN", "boolean"],
  type: ["SOL_SOCKET", "SO_TYPE", "number"],
  ipv6Only: ["IPPROTO_IPV6", "IPV6_V6ONLY", "boolean"],
  timeToLive: ["IPPROTO_IP", "IP_TTL", "number"],
  ipv6Hops: ["IPPROTO_IPV6", "IPV6_UNICAST_HOPS", "number"],
  receivePacketInfo: ["IPPROTO_IP", "IP_RECVPKTINFO", "boolean"],
  ipv6ReceivePacketInfo: ["IPPROTO_IPV6", "IPV6_RECVPKTINFO", "boolean"],
  receiveTimeToLive: ["IPPROTO_IP", "IP_RECVTTL", "boolean"],
  ipv6ReceiveHopLimit: ["IPPROTO_IPV6", "IPV6_RECVHOPLIMIT", "boolean"],
  receiveTimestamp: ["SOL_SOCKET", "SO_TIMESTAMP", "boolean"],
  multicastTimeToLive: ["IPPROTO_IP", "IP_MULTICAST_TTL", "number"],
  multicastLoop: ["IPPROTO_IP", "IP_MULTICAST_LOOP", "boolean"],
  ipv6MulticastHops: ["IPPROTO_IPV6", "IPV6_MULTICAST_HOPS", "number"],
  ipv6MulticastLoop: ["IPPROTO_IPV6", "IPV6_MULTICAST_LOOP", "boolean"],
  ipv6MulticastInterface: ["IPPROTO_IPV6", "IPV6_MULTICAST_IF", "number"],
};

/** The places that were asked for: servers set an option of each connection. */
const places = new Map<keyof SocketOptions, OptionPlace>();

/**
 * The place of an option on this system.
 *
 * @throws {TypeError} if there is no such name
 * @throws {Deno.errors.NotSupported} if this system lacks the option
 */
export function optionPlace(name: keyof SocketOptions): OptionPlace {
  let place = places.get(name);
  if (place === undefined) places.set(name, place = findPlace(name));
  return place;
}

function findPlace(name: keyof SocketOptions): OptionPlace {
  if (!Object.hasOwn(OPTIONS, name)) {
    throw new TypeError(`Unknown option "${name}"`);
  }
  const { constants } = system();
  const [level, number, type] = OPTIONS[name];
  const place = constants[number];
  if (place !== null) return { level: constants[level], number: place, type };
  throw new Deno.errors.NotSupported(
    `Cannot use option "${name}": ${system().name} lacks it`,
  );
}
