/**
 * sendmsg(2) and recvmsg(2): one message with descriptors and control messages.
 *
 * Source: unix(7), "SCM_RIGHTS"; cmsg(3).
 *
 * @module
 */

import {
  namedControl,
  rawControl,
  type ReceivedControl,
  type SentControl,
} from "./control_messages.ts";
import { system } from "./current_system.ts";
import {
  close,
  fileDescriptor,
  type FileObject,
  lacking,
  setCloseOnExec,
  WOULD_BLOCK,
  wouldBlock,
} from "./descriptor.ts";
import { addressOf, libc } from "./libc.ts";
import { checkMemory } from "./memory.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import {
  addressBytes,
  addressLength,
  expectAddress,
  receivedAddress,
} from "./received_address.ts";
import {
  type AnyAddress,
  domainOfFamily,
  encodeFor,
  readFamily,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
} from "./socket_address.ts";
import { checkFlags, quietly } from "./socket_fd.ts";
import {
  cmsghdrLayout,
  controlSpace,
  decodeControl,
  encodeControl,
  type RawControlMessage,
} from "./structs/control.ts";
import { IOVEC_BYTES, MessageHeaders } from "./structs/message.ts";
import {
  receiveWindowsMessage,
  sendWindowsMessage,
} from "./windows_message.ts";
import { winsock } from "./winsock.ts";

/** The result of `Socket.recvFrom`. */
export interface ReceivedFrom<A extends AnyAddress = SocketAddress> {
  /** How many bytes are in the buffer; bytes that did not fit are lost. */
  readonly bytes: number;
  /**
   * The sender. Null if recvfrom(2) has no address, as of a stream over TCP, or one
   * of a domain that is "other".
   */
  readonly address: A | null;
}

/** The options of `Socket.sendMessage()`. */
export interface SendMessageOptions<A extends AnyAddress = SocketAddress> {
  /** The destination. Default: the peer */
  readonly address?: A;
  /** Descriptors that the receiver gets copies of: Unix sockets only. Default: none */
  readonly descriptors?: readonly FileObject[];
  /** Control messages. Default: none */
  readonly control?: SentControl;
  /** MSG_* of `<sys/socket.h>`. Default: 0 */
  readonly flags?: number;
}

/** The options of `Socket.receiveMessage()`. */
export interface ReceiveMessageOptions {
  /** How many descriptors to accept; further ones are closed. Default: 0 */
  readonly descriptors?: number;
  /** Room for other control messages, in bytes. Default: 256 */
  readonly control?: number;
  /** MSG_* of `<sys/socket.h>`. Default: 0 */
  readonly flags?: number;
}

/** The result of `Socket.receiveMessage()`. */
export interface ReceivedMessage<A extends AnyAddress = SocketAddress> {
  /** How many bytes are in the buffer. */
  readonly bytes: number;
  /** The sender; null if the system has no address of it. */
  readonly address: A | null;
  /** The descriptors, close-on-exec, which you have to close. */
  readonly descriptors: number[];
  /** The control messages. */
  readonly control: ReceivedControl;
  /** Whether the message was longer than the buffer (MSG_TRUNC). */
  readonly truncated: boolean;
  /** Whether descriptors were closed, or control messages lost (MSG_CTRUNC). */
  readonly controlTruncated: boolean;
}

const SEND_OPTIONS: OptionNames<SendMessageOptions> = {
  address: true,
  descriptors: true,
  control: true,
  flags: true,
};

const RECEIVE_OPTIONS: OptionNames<ReceiveMessageOptions> = {
  descriptors: true,
  control: true,
  flags: true,
};

/** `<sys/socket.h>`: 0 on every system. */
const AF_UNSPEC = 0;

/** The message of a call, and its one piece: each call fills them anew. */
let header: MessageHeaders | undefined;
const iovec = new BigUint64Array(new ArrayBuffer(IOVEC_BYTES));

/** Memory that the header points at: it must not be collected during the call. */
const held: BufferSource[] = [];

/** The header, which points at a piece and at control messages. */
function headerOf(
  memory: BufferSource,
  length: number,
  control: Uint8Array<ArrayBuffer>,
): MessageHeaders {
  header ??= new MessageHeaders(system().msghdr, 1);
  held.push(memory, control);
  const { address: first, length: second } = system().iovec;
  iovec[first] = addressOf(memory);
  iovec[second] = BigInt(length);
  header.setPieces(0, addressOf(iovec), 1);
  const address = control.length > 0 ? addressOf(control) : 0n;
  header.setControl(0, address, control.length);
  header.setName(0, 0n, 0);
  return header;
}

/** See `Socket.sendMessage()`. */
export function sendMessage(
  fd: number,
  family: number,
  data: BufferSource,
  options: SendMessageOptions<AnyAddress>,
): number {
  const { address, descriptors = [], control = {}, flags = 0 } = options;
  checkOptions(options, SEND_OPTIONS);
  checkFlags(flags);
  const isIPv6 = family === system().constants.AF_INET6;
  const messages = rawControl(control, isIPv6, system());
  if (descriptors.length > 0) messages.push(rightsOf(descriptors));
  const encoded = encodeControl(messages, cmsghdrLayout(system()));
  const nameLength = address === undefined
    ? 0
    : encodeFor(family, addressBytes, address, system());
  // Last: reading the options can run code that transfers the memory away.
  const length = checkMemory(data, data?.byteLength);
  if (length === 0 && descriptors.length > 0) {
    throw new RangeError("Cannot pass descriptors without a byte of data");
  }
  const header = headerOf(data, length, encoded);
  if (nameLength > 0) header.setName(0, addressOf(addressBytes), nameLength);
  try {
    for (;;) {
      const count = winsock === null
        ? libc().sendmsg(fd, header.bytes, quietly(flags))
        : sendWindowsMessage(winsock, fd, header.bytes, flags);
      if (count >= 0) return count;
      if (wouldBlock("sendmsg", -count)) return WOULD_BLOCK;
    }
  } finally {
    held.length = 0;
  }
}

/**
 * Sends one message to the address in `addressBytes`. See `Socket.sendTo()`.
 *
 * @param addressLength The length of the address
 */
export function sendEncoded(
  fd: number,
  data: BufferSource,
  addressLength: number,
  flags: number = 0,
): number {
  const length = checkMemory(data, data?.byteLength);
  const all = quietly(flags);
  for (;;) {
    const { sendto } = libc();
    const count = sendto(fd, data, length, all, addressBytes, addressLength);
    if (count >= 0) return count;
    if (wouldBlock("sendto", -count)) return WOULD_BLOCK;
  }
}

/** Descriptors as a control message: SCM_RIGHTS. */
function rightsOf(descriptors: readonly FileObject[]): RawControlMessage {
  const { SOL_SOCKET, SCM_RIGHTS } = system().constants;
  if (SCM_RIGHTS === null) throw lacking("descriptors in messages");
  const fds = Int32Array.from(descriptors, fileDescriptor);
  return {
    level: SOL_SOCKET,
    type: SCM_RIGHTS,
    data: new Uint8Array(fds.buffer),
  };
}

/** See `Socket.receiveMessage()`. */
export function receiveMessage(
  fd: number,
  family: number,
  buffer: BufferSource,
  options: ReceiveMessageOptions,
): ReceivedMessage<AnyAddress> | null {
  const { descriptors = 0, control = 256, flags = 0 } = options;
  checkOptions(options, RECEIVE_OPTIONS);
  checkCount("descriptors", descriptors);
  checkCount("bytes of control messages", control);
  checkFlags(flags);
  const length = checkMemory(buffer, buffer?.byteLength);
  const layout = cmsghdrLayout(system());
  const rights = descriptors > 0 ? controlSpace(4 * descriptors, layout) : 0;
  const room = new Uint8Array(new ArrayBuffer(control + rights));
  const all = flags | (system().constants.MSG_CMSG_CLOEXEC ?? 0);
  try {
    for (;;) {
      const header = headerOf(buffer, length, room);
      expectAddress();
      header.setName(0, addressOf(addressBytes), SOCKADDR_STORAGE_BYTES);
      const bytes = winsock === null
        ? libc().recvmsg(fd, header.bytes, all)
        : receiveWindowsMessage(winsock, fd, header.bytes, length, all);
      if (bytes >= 0) return received(bytes, family, header, room, descriptors);
      if (wouldBlock("recvmsg", -bytes)) return null;
    }
  } finally {
    held.length = 0;
  }
}

function received(
  bytes: number,
  family: number,
  header: MessageHeaders,
  room: Uint8Array<ArrayBuffer>,
  limit: number,
): ReceivedMessage<AnyAddress> {
  const { MSG_TRUNC, MSG_CTRUNC } = system().constants;
  const flags = header.flags(0);
  const control = room.subarray(0, header.controlLength(0));
  const messages = decodeControl(control, cmsghdrLayout(system()));
  addressLength[0] = header.nameLength(0);
  const descriptors = takeDescriptors(messages);
  const surplus = descriptors.splice(limit);
  for (const fd of surplus) close(fd);
  return {
    bytes,
    address: sender(family),
    descriptors,
    control: namedControl(messages.filter((m) => !isRights(m)), system()),
    truncated: (flags & MSG_TRUNC) !== 0,
    controlTruncated: (flags & MSG_CTRUNC) !== 0 || surplus.length > 0,
  };
}

function isRights({ level, type }: RawControlMessage): boolean {
  const { SOL_SOCKET, SCM_RIGHTS } = system().constants;
  return level === SOL_SOCKET && type === SCM_RIGHTS;
}

/** All descriptors that came with a message, close-on-exec. */
function takeDescriptors(messages: readonly RawControlMessage[]): number[] {
  const fds = messages.filter(isRights).flatMap(({ data }) => [
    ...new Int32Array(data.buffer, 0, data.length >> 2),
  ]);
  if (system().constants.MSG_CMSG_CLOEXEC === null) fds.forEach(setCloseOnExec);
  return fds;
}

/** The address in `addressBytes`; null without one, or if it has no form here. */
export function sender(family: number): AnyAddress | null {
  const domain = domainOfFamily(family, system());
  if (domain === "other") return null;
  // Winsock leaves the room for it untouched, as of a stream.
  const isUntouched = readFamily(addressBytes, system()) === AF_UNSPEC;
  const isMissing = addressLength[0] === 0 || isUntouched;
  return isMissing && domain !== "unix" ? null : receivedAddress();
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count >= 0 && count <= 0xffff) return;
  throw new RangeError(`Cannot receive ${count} ${name}`);
}
