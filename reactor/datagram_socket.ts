/**
 * Creates datagram sockets.
 *
 * @module
 */

import { canSegment, joinReceived } from "../backends/ffi/segmentation.ts";
import { Socket } from "../backends/ffi/socket.ts";
import {
  domainOf,
  type InternetAddress,
  type SocketAddress,
  type UnixAddress,
} from "../backends/ffi/socket_address.ts";
import { checkOptions, type OptionNames } from "../backends/ffi/options.ts";
import {
  checkAddressOptions,
  checkGivenSocket,
  hostnameOf,
  numericHostname,
  portOf,
} from "./addresses.ts";

/** The address of a datagram socket, and its properties. */
export interface DatagramOptions {
  /**
   * A numeric address, or "localhost" for "127.0.0.1". Default: any address of the domain
   * of `remoteAddress`, else of IPv4.
   */
  readonly hostname?: string;
  /** A port, 0 to 65535. Default: 0, the system chooses one. */
  readonly port?: number;
  /** The path of a Unix socket, instead of a port; "" for a socket without a name. */
  readonly path?: string;
  /**
   * A socket of type "datagram", instead of an address. The reactor's object owns it from
   * then on.
   */
  readonly socket?: Socket;
  /** Allows sending to broadcast addresses (`SO_BROADCAST`, socket(7)). Default: false. */
  readonly broadcast?: boolean;
  /**
   * Allows several sockets on one port; the system distributes datagrams among them
   * (`SO_REUSEPORT`, socket(7)). Default: false.
   */
  readonly reusePort?: boolean;
  /**
   * Binds although another socket has the port, as mDNS does to share one
   * (`SO_REUSEADDR`, socket(7)). Default: false.
   */
  readonly reuseAddress?: boolean;
  /** The only peer to send to and to receive from, see `Datagram.connect`. Default: none. */
  readonly remoteAddress?: SocketAddress;
  /**
   * `send()` throws a `RangeError` while more bytes than this are queued. Each message
   * counts with its bytes and 256 more. Default: 128 MiB.
   */
  readonly maximumQueued?: number;
  /**
   * Whether messages are parts of memory that is reused after `onMessage` returns. That
   * is faster for programs that look at the bytes or pass them on at once. All such
   * sockets of a reactor share the memory: `data.buffer` shows bytes that any of them
   * received before. Other reactors have other memory. Default: false.
   */
  readonly reuseBuffer?: boolean;
  /**
   * Whether the kernel splits and joins messages of UDP, where it can: Linux, udp(7).
   * Callbacks and receivers see the same messages in each case.
   *
   * By default it splits. Messages of one size to one peer are sent as one (UDP_SEGMENT):
   * those of `sendSegments()` and `sendMany()`, and replies that are gathered. With true
   * it also joins received messages of one source and size (UDP_GRO). This pays if peers
   * send many at once. With false it does neither.
   */
  readonly offload?: boolean;
}

const DATAGRAM_OPTIONS: OptionNames<DatagramOptions> = {
  hostname: true,
  port: true,
  path: true,
  socket: true,
  broadcast: true,
  reusePort: true,
  reuseAddress: true,
  remoteAddress: true,
  maximumQueued: true,
  reuseBuffer: true,
  offload: true,
};

const ADDRESS: OptionNames<InternetAddress & UnixAddress> = {
  hostname: true,
  port: true,
  path: true,
};

const MAXIMUM_QUEUED = 128 * 1024 * 1024;

/** A datagram socket, and the way in which it is used. */
export interface DatagramSocket {
  readonly socket: Socket;
  readonly maximumQueued: number;
  /** Whether callbacks see the memory that it receives into. */
  readonly reuseBuffer: boolean;
  /** Whether the kernel joins messages that it receives. */
  readonly joins: boolean;
  /** Whether the kernel splits messages that it sends. */
  readonly splits: boolean;
}

/**
 * Creates a datagram socket. If a step fails, the socket is closed again.
 *
 * @throws {TypeError} if an address is malformed, or an option unknown
 * @throws {RangeError} if a port, the length of a path or `maximumQueued` is out of range
 * @throws {SystemError} `Deno.errors.AddrInUse` and others
 */
export function createDatagramSocket(options: DatagramOptions): DatagramSocket {
  checkAddressOptions(options, DATAGRAM_OPTIONS);
  const { maximumQueued = MAXIMUM_QUEUED, remoteAddress } = options;
  const { reuseBuffer = false, offload } = options;
  if (!(maximumQueued >= 0)) {
    throw new RangeError(`Cannot queue ${maximumQueued} bytes at the most`);
  }
  const peer = remoteAddress && peerAddress(remoteAddress);
  const socket = options.socket !== undefined
    ? adopt(options, peer)
    : create(options, peer);
  const joins = offload === true && joinReceived(socket.fd);
  const splits = offload !== false && canSegment(socket.fd);
  return { socket, maximumQueued, reuseBuffer, joins, splits };
}

/** Creates the socket that the options describe. */
function create(
  options: DatagramOptions,
  peer: SocketAddress | undefined,
): Socket {
  const address = bindAddress(options, peer);
  const socket = Socket.createFor(address, "datagram");
  try {
    if (options.broadcast) socket.setOption("broadcast", true);
    if (options.reusePort) socket.setOption("reusePort", true);
    if (options.reuseAddress) socket.setOption("reuseAddress", true);
    if (!("path" in address) || address.path !== "") socket.bind(address);
    if (peer !== undefined) socket.connect(peer);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Takes over the socket of the options. */
function adopt(
  options: DatagramOptions,
  peer: SocketAddress | undefined,
): Socket {
  const { socket, hostname, port, path, reusePort, reuseAddress } = options;
  const others = { hostname, port, path, reusePort, reuseAddress };
  checkGivenSocket(socket, "datagram", others);
  if (options.broadcast) socket.setOption("broadcast", true);
  if (peer !== undefined) socket.connect(peer);
  socket.setBlocking(false);
  return socket;
}

function peerAddress(address: SocketAddress): SocketAddress {
  checkOptions(address, ADDRESS);
  if ("path" in address) return address;
  const hostname = hostnameOf(address.hostname ?? "", "");
  return { hostname: numericHostname(hostname), port: portOf(address.port) };
}

/** The address to bind to: by default one of the domain of the peer. */
function bindAddress(
  { hostname, port, path }: DatagramOptions,
  peer: SocketAddress | undefined,
): SocketAddress {
  if (path !== undefined) return { path };
  const bare = hostname === undefined && port === undefined;
  const domain = peer === undefined ? "IPv4" : domainOf(peer);
  if (bare && domain === "unix") return { path: "" };
  const given = hostnameOf(hostname, domain === "IPv6" ? "::" : "0.0.0.0");
  return { hostname: numericHostname(given), port: portOf(port ?? 0) };
}
