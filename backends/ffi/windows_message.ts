/**
 * sendmsg and recvmsg on Windows, where control messages have calls of their own.
 *
 * WSARecvMsg is no export of Winsock: each provider of sockets returns its address.
 * Calling it takes a permission for all libraries. Under a scoped one, and for streams,
 * WSARecvFrom takes its place, and no control messages arrive.
 *
 * Sources: WSASendMsg, LPFN_WSARECVMSG, WSARecvFrom of the Windows Sockets 2 reference.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { errorByValue, type ForeignFunction } from "./errno.ts";
import { libc } from "./libc.ts";
import { errno } from "./library.ts";
import { hasFullPermission } from "./permission.ts";
import type { Winsock } from "./winsock.ts";

/** `<mswsock.h>`: SIO_GET_EXTENSION_FUNCTION_POINTER, and WSAID_WSARECVMSG. */
const GET_EXTENSION = 0xc8000006;
const WSAID_WSARECVMSG = Uint32Array.of(
  0xf689d7c8,
  0x436b6f1f,
  0x4fe5538a,
  0x22c351e3,
);

/** The results that a call writes: a count of bytes, flags, the length of an address. */
const count = new Uint32Array(new ArrayBuffer(4));
const flags = new Uint32Array(new ArrayBuffer(4));
const length = new Uint32Array(new ArrayBuffer(4));

/** The bytes of a WSAMSG, perhaps of one in an array. */
type MessageBytes = ArrayBuffer | Int32Array<ArrayBuffer>;

/** `int WSARecvMsg(SOCKET, LPWSAMSG, LPDWORD, LPWSAOVERLAPPED, LPWSAOVERLAPPED_…)` */
const WSARecvMsg = {
  parameters: ["i32", "buffer", "buffer", "pointer", "pointer"],
  result: "i32",
} as const;

type ReceiveMessage = (
  socket: number,
  message: MessageBytes,
  count: Uint32Array<ArrayBuffer>,
  overlapped: null,
  routine: null,
) => number;

/** Calls with the bytes of each message. */
export interface MessageNotes {
  sent(socket: number, bytes: number): void;
  received(socket: number, bytes: number): void;
}

/** Null until something counts the messages. */
let notes: MessageNotes | null = null;

/** Has a function called after each message: its call returns no length, but an error. */
export function noteMessages(calls: MessageNotes): void {
  notes = calls;
}

/** Null if there is none, or it must not be called. */
let receiveMessage: ReceiveMessage | null | undefined;

/**
 * sendmsg.
 *
 * @param message The bytes of a WSAMSG
 * @returns the number of bytes that were sent, or the error number negated
 */
export function sendWindowsMessage(
  { WSASendMsg, WSASendTo }: Winsock,
  socket: number,
  message: MessageBytes,
  sendFlags: number,
): number {
  const fields = new Fields(message);
  const result = fields.controlLength > 0
    ? WSASendMsg(socket, message, sendFlags, count, null, null)
    : WSASendTo(
      socket,
      fields.pieces,
      fields.pieceCount,
      count,
      sendFlags,
      fields.name,
      fields.nameLength,
      null,
      null,
    );
  if (result < 0) return result;
  notes?.sent(socket, count[0]!);
  return count[0]!;
}

/**
 * recvmsg.
 *
 * @param message The bytes of a WSAMSG, whose lengths and flags are changed
 * @param room The bytes that its piece has room for
 * @returns the number of received bytes, or the error number negated
 */
export function receiveWindowsMessage(
  winsock: Winsock,
  socket: number,
  message: MessageBytes,
  room: number,
  receiveFlags: number,
): number {
  const fields = new Fields(message);
  flags[0] = receiveFlags;
  const withControl = fields.controlLength > 0 && isDatagram(socket)
    ? receiveMessage === undefined
      ? receiveMessage = findReceiveMessage(winsock, socket)
      : receiveMessage
    : null;
  const result = withControl === null
    ? receiveFrom(winsock, socket, fields)
    : receiveWithControl(withControl, socket, message, fields);
  if (result >= 0) {
    noteReceived(socket, count[0]!);
    return count[0]!;
  }
  const { EMSGSIZE } = system().errno;
  if (-result !== EMSGSIZE) return result;
  notes?.received(socket, room);
  fields.flags = flags[0]! | system().constants.MSG_TRUNC;
  return room;
}

/** A datagram may be empty; an empty receive of a stream is its end. */
function noteReceived(socket: number, bytes: number): void {
  if (notes === null) return;
  if (bytes > 0 || isDatagram(socket)) notes.received(socket, bytes);
}

function receiveWithControl(
  receive: ReceiveMessage,
  socket: number,
  message: MessageBytes,
  fields: Fields,
): number {
  fields.flags = flags[0]!;
  const result = receive(socket, message, count, null, null);
  flags[0] = fields.flags;
  return result;
}

function receiveFrom(
  { WSARecvFrom }: Winsock,
  socket: number,
  fields: Fields,
): number {
  length[0] = fields.nameLength;
  const result = WSARecvFrom(
    socket,
    fields.pieces,
    fields.pieceCount,
    count,
    flags,
    fields.name,
    length,
    null,
    null,
  );
  fields.nameLength = length[0]!;
  fields.controlLength = 0;
  fields.flags = flags[0]!;
  return result;
}

function isDatagram(socket: number): boolean {
  const { SOL_SOCKET, SO_TYPE, SOCK_STREAM } = system().constants;
  const type = Int32Array.of(0);
  libc().getsockopt(socket, SOL_SOCKET, SO_TYPE, type, Uint32Array.of(4));
  return type[0] !== SOCK_STREAM;
}

function findReceiveMessage(
  { WSAIoctl }: Winsock,
  socket: number,
): ReceiveMessage | null {
  if (!hasFullPermission()) return null;
  const address = new BigUint64Array(new ArrayBuffer(8));
  const result = WSAIoctl(
    socket,
    GET_EXTENSION,
    WSAID_WSARECVMSG,
    WSAID_WSARECVMSG.byteLength,
    address,
    address.byteLength,
    count,
    null,
    null,
  );
  if (result < 0) return null;
  const pointer = Deno.UnsafePointer.create<typeof WSARecvMsg>(address[0]!)!;
  const receive = new Deno.UnsafeFnPointer(pointer, WSARecvMsg);
  return errorByValue(
    receive.call.bind(receive) as ForeignFunction,
    WSARecvMsg.parameters.length,
    errno(),
  ) as ReceiveMessage;
}

/** The fields of a WSAMSG. */
class Fields {
  readonly #view: DataView;

  constructor(message: MessageBytes) {
    this.#view = ArrayBuffer.isView(message)
      ? new DataView(message.buffer, message.byteOffset)
      : new DataView(message);
  }

  get name(): bigint {
    return this.#view.getBigUint64(system().msghdr.name, true);
  }

  get nameLength(): number {
    return this.#view.getInt32(system().msghdr.namelen, true);
  }

  set nameLength(bytes: number) {
    this.#view.setInt32(system().msghdr.namelen, bytes, true);
  }

  get pieces(): bigint {
    return this.#view.getBigUint64(system().msghdr.iov, true);
  }

  get pieceCount(): number {
    return this.#view.getUint32(system().msghdr.iovlen, true);
  }

  get controlLength(): number {
    return this.#view.getUint32(system().msghdr.controllen, true);
  }

  set controlLength(bytes: number) {
    this.#view.setUint32(system().msghdr.controllen, bytes, true);
  }

  get flags(): number {
    return this.#view.getUint32(system().msghdr.flags, true);
  }

  set flags(flags: number) {
    this.#view.setUint32(system().msghdr.flags, flags, true);
  }
}
