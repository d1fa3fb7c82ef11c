/**
 * Control messages by their names: the destination of a datagram, its time to live,
 * the time of its arrival.
 *
 * Sources: ip(7), ipv6(7), socket(7); `<netinet/in.h>`, `<netinet6/in6.h>` and
 * `<sys/socket.h>` of xnu-11417, FreeBSD 14, NetBSD 10 and illumos-gate; `<ws2ipdef.h>`
 * of Windows; RFC 3542.
 *
 * @module
 */

import { formatIPv4, formatIPv6, parseIPv4, parseIPv6 } from "./ip_address.ts";
import { uint8ArrayError } from "./memory.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import type { RawControlMessage } from "./structs/control.ts";
import type { System } from "./system.ts";

/** The destination address of a datagram, and its interface. */
export interface PacketInfo {
  /**
   * Received: the address that the datagram was sent to. Sent: its source address.
   * Null leaves it to the system
   */
  readonly address: string | null;
  /** The number of the interface. 0 leaves it to the system */
  readonly interface: number;
}

/** The control messages of a received message. */
export interface ReceivedControl {
  /** Its destination, if the option "receivePacketInfo" is set. */
  readonly packetInfo?: PacketInfo;
  /** Its time to live or hop limit, if the option "receiveTimeToLive" is set. */
  readonly timeToLive?: number;
  /** Its arrival in milliseconds since 1970, if the option "receiveTimestamp" is set. */
  readonly timestamp?: number;
  /** All other control messages, and those that were cut off for lack of room. */
  readonly others: readonly RawControlMessage[];
}

/** The control messages of a message to send. */
export interface SentControl {
  /** Its source address and its interface. */
  readonly packetInfo?: PacketInfo;
  /** Its time to live (IPv4) or hop limit (IPv6), 0 to 255. */
  readonly timeToLive?: number;
  /** Further control messages. */
  readonly others?: readonly RawControlMessage[];
}

const NAMES: OptionNames<SentControl> = {
  packetInfo: true,
  timeToLive: true,
  others: true,
};

/** The numbers of one system; null for messages that it lacks. */
interface ControlNumbers {
  /** `struct in_pktinfo`: the offsets of its address, source address and interface. */
  readonly packetInfo: {
    readonly type: number;
    readonly bytes: number;
    readonly address: number;
    readonly source: number;
    readonly interface: number;
  } | null;
  /** The type of a received IPv4 time to live, and of one to send. */
  readonly receivedTtl: number;
  readonly sentTtl: number | null;
  readonly packetInfo6: number;
  readonly hopLimit: number;
  /** SCM_TIMESTAMP, and the divisor that makes milliseconds of its fraction. */
  readonly timestamp: number;
  readonly perMillisecond: 1_000 | 1_000_000;
}

/** `struct in6_pktinfo { struct in6_addr ipi6_addr; unsigned ipi6_ifindex; }`. */
const PACKET_INFO6_BYTES = 20;

/** The bytes of a time that are read: the seconds, and 32 bits of the fraction. */
const TIME_BYTES = 12;

const plainInfo = { bytes: 12, address: 8, source: 4, interface: 0 };

const numbers: Readonly<Record<System["os"], ControlNumbers>> = {
  linux: {
    packetInfo: { type: 8, ...plainInfo },
    receivedTtl: 2, // IP_TTL
    sentTtl: 2,
    packetInfo6: 50,
    hopLimit: 52,
    timestamp: 35, // SCM_TIMESTAMPNS, a struct timespec
    perMillisecond: 1_000_000,
  },
  darwin: {
    packetInfo: { type: 26, ...plainInfo },
    receivedTtl: 24, // IP_RECVTTL
    sentTtl: null,
    packetInfo6: 46,
    hopLimit: 47,
    timestamp: 2,
    perMillisecond: 1_000,
  },
  freebsd: {
    packetInfo: null, // IP_RECVDSTADDR and IP_RECVIF are two messages: see `others`
    receivedTtl: 65, // IP_RECVTTL
    sentTtl: null,
    packetInfo6: 46,
    hopLimit: 47,
    timestamp: 2,
    perMillisecond: 1_000,
  },
  netbsd: {
    packetInfo: { type: 25, bytes: 8, address: 0, source: 0, interface: 4 },
    receivedTtl: 23, // IP_RECVTTL
    sentTtl: null,
    packetInfo6: 46,
    hopLimit: 47,
    timestamp: 8,
    perMillisecond: 1_000,
  },
  illumos: {
    packetInfo: { type: 0x1a, ...plainInfo },
    receivedTtl: 0xb, // IP_RECVTTL
    sentTtl: null,
    packetInfo6: 0xb,
    hopLimit: 0xc,
    timestamp: 0x1013,
    perMillisecond: 1_000,
  },
  windows: {
    packetInfo: { type: 19, bytes: 8, address: 0, source: 0, interface: 4 },
    receivedTtl: 21, // IP_RECVTTL
    sentTtl: null,
    packetInfo6: 19,
    hopLimit: 21,
    timestamp: -1, // it has none
    perMillisecond: 1_000,
  },
};

/** Names received control messages. */
export function namedControl(
  messages: readonly RawControlMessage[],
  system: System,
): ReceivedControl {
  const others: RawControlMessage[] = [];
  const named: {
    -readonly [Name in keyof ReceivedControl]: ReceivedControl[Name];
  } = { others };
  for (const message of messages) {
    const known = decode(message, system);
    if (known === null) others.push(message);
    else Object.assign(named, known);
  }
  return named;
}

type Named = Omit<ReceivedControl, "others">;

function decode(message: RawControlMessage, system: System): Named | null {
  const { IPPROTO_IP, IPPROTO_IPV6, SOL_SOCKET } = system.constants;
  const known = numbers[system.os];
  switch (message.level) {
    case IPPROTO_IP:
      return decodeIPv4(message, known);
    case IPPROTO_IPV6:
      return decodeIPv6(message, known);
    case SOL_SOCKET:
      return isWhole(message, known.timestamp, TIME_BYTES)
        ? { timestamp: decodeTime(message.data, known.perMillisecond) }
        : null;
    default:
      return null;
  }
}

/** Whether a message is of a type, and not cut off for lack of room. */
function isWhole(
  { type, data }: RawControlMessage,
  wanted: number,
  bytes: number,
): boolean {
  return type === wanted && data.length >= bytes;
}

function decodeIPv4(
  message: RawControlMessage,
  { packetInfo, receivedTtl }: ControlNumbers,
): Named | null {
  if (packetInfo && isWhole(message, packetInfo.type, packetInfo.bytes)) {
    return { packetInfo: decodeInfo(message.data, packetInfo) };
  }
  // A C int on Linux, one byte elsewhere.
  return isWhole(message, receivedTtl, 1)
    ? { timeToLive: message.data[0]! }
    : null;
}

function decodeIPv6(
  message: RawControlMessage,
  { packetInfo6, hopLimit }: ControlNumbers,
): Named | null {
  const view = new DataView(message.data.buffer);
  if (isWhole(message, packetInfo6, PACKET_INFO6_BYTES)) {
    const address = formatIPv6(message.data.subarray(0, 16));
    return { packetInfo: { address, interface: view.getUint32(16, true) } };
  }
  return isWhole(message, hopLimit, 4)
    ? { timeToLive: view.getInt32(0, true) }
    : null;
}

/** A `struct timespec` or `struct timeval`, whose fraction fits 32 bits. */
function decodeTime(data: Uint8Array<ArrayBuffer>, divisor: number): number {
  const view = new DataView(data.buffer);
  const seconds = Number(view.getBigInt64(0, true));
  return seconds * 1000 + view.getInt32(8, true) / divisor;
}

function decodeInfo(
  data: Uint8Array<ArrayBuffer>,
  layout: NonNullable<ControlNumbers["packetInfo"]>,
): PacketInfo {
  const view = new DataView(data.buffer);
  const { address, interface: number } = layout;
  return {
    address: formatIPv4(data.subarray(address, address + 4)),
    interface: view.getUint32(number, true),
  };
}

/**
 * The control messages of names.
 *
 * @param isIPv6 Whether the socket is one of IPv6
 * @throws {TypeError} if there is an unknown name, the address is none of the socket, or
 *   data is no `Uint8Array`
 * @throws {RangeError} if the time to live is not within 0 and 255, or another number no
 *   whole one of 32 bits
 * @throws {Deno.errors.NotSupported} if the system lacks one
 */
export function rawControl(
  control: SentControl,
  isIPv6: boolean,
  system: System,
): RawControlMessage[] {
  checkOptions(control, NAMES);
  const { packetInfo, timeToLive, others = [] } = control;
  const messages = [...others];
  messages.forEach(checkRaw);
  if (packetInfo !== undefined) {
    messages.push(
      isIPv6 ? encodeInfo6(packetInfo, system) : encodeInfo(packetInfo, system),
    );
  }
  if (timeToLive !== undefined) {
    messages.push(encodeTimeToLive(timeToLive, isIPv6, system));
  }
  return messages;
}

/** Anything with a length would be sent as so many zeros, or one byte of each word. */
function checkRaw({ level, type, data }: RawControlMessage): void {
  const error = uint8ArrayError(data, "send");
  if (error !== null) throw error;
  if (level === (level | 0) && type === (type | 0)) return;
  throw new RangeError(
    `Cannot send a control message of level ${level} and type ${type}`,
  );
}

function encodeInfo(info: PacketInfo, system: System): RawControlMessage {
  const layout = numbers[system.os].packetInfo;
  if (layout === null) throw lacks("packetInfo", system);
  const data = new Uint8Array(new ArrayBuffer(layout.bytes));
  if (info.address !== null) {
    data.set(
      requireAddress(parseIPv4(info.address), info.address),
      layout.source,
    );
  }
  const view = new DataView(data.buffer);
  view.setUint32(layout.interface, requireInterface(info.interface), true);
  return { level: system.constants.IPPROTO_IP, type: layout.type, data };
}

function encodeInfo6(info: PacketInfo, system: System): RawControlMessage {
  const data = new Uint8Array(new ArrayBuffer(PACKET_INFO6_BYTES));
  if (info.address !== null) {
    data.set(requireAddress(parseIPv6(info.address), info.address));
  }
  const view = new DataView(data.buffer);
  view.setUint32(16, requireInterface(info.interface), true);
  const type = numbers[system.os].packetInfo6;
  return { level: system.constants.IPPROTO_IPV6, type, data };
}

function encodeTimeToLive(
  timeToLive: number,
  isIPv6: boolean,
  system: System,
): RawControlMessage {
  if (!Number.isInteger(timeToLive) || timeToLive < 0 || timeToLive > 255) {
    throw new RangeError(`Cannot use ${timeToLive} as a time to live`);
  }
  const { IPPROTO_IP, IPPROTO_IPV6 } = system.constants;
  const { sentTtl, hopLimit } = numbers[system.os];
  const type = isIPv6 ? hopLimit : sentTtl;
  if (type === null) throw lacks("timeToLive", system);
  const data = new Uint8Array(Int32Array.of(timeToLive).buffer);
  return { level: isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP, type, data };
}

function requireAddress(
  bytes: Uint8Array<ArrayBuffer> | null,
  text: string,
): Uint8Array<ArrayBuffer> {
  if (bytes !== null) return bytes;
  throw new TypeError(`Cannot use "${text}" as an address of this socket`);
}

/** A number outside of the field would become that of another interface. */
function requireInterface(number: number): number {
  if (Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff) {
    return number;
  }
  throw new RangeError(`Cannot use ${number} as the number of an interface`);
}

function lacks(name: string, system: System): Error {
  return new Deno.errors.NotSupported(
    `Cannot send the control message "${name}": ${system.name} lacks it`,
  );
}
