/**
 * Sockets, pipes and plain descriptors, as the operating system has them: created
 * non-blocking, and ready to be registered with a selector.
 *
 * @example A socket that sends a datagram to itself
 * ```ts
 * import { Socket } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using socket = Socket.create("IPv4", "datagram");
 * socket.bind({ hostname: "127.0.0.1", port: 0 });
 * socket.sendTo(new Uint8Array([1, 2, 3]), socket.localAddress);
 *
 * const buffer = new Uint8Array(16);
 * assertEquals(socket.recvFrom(buffer)?.bytes, 3);
 * ```
 *
 * @module
 */

export {
  close,
  dup,
  fileDescriptor,
  type FileObject,
  isBlocking,
  pipe,
  read,
  setBlocking,
  WOULD_BLOCK,
  write,
} from "./descriptor.ts";
export { BaseSocket, type ShutdownDirection } from "./base_socket.ts";
export type { FileDescription, FileKind } from "./file_description.ts";
export { errnoName, isSystemError, type SystemError } from "./errors.ts";
export { openLibrary } from "./libc.ts";
export { type FileMode, openFile, type OpenFileOptions } from "./open_path.ts";
export { ffiPermissionFlag } from "./library.ts";
export { Socket, socketPair } from "./socket.ts";
export type {
  NetlinkAddress,
  PacketAddress,
  SpecialAddress,
  SpecialDomain,
  VsockAddress,
} from "./special_address.ts";
export {
  type AddressOf,
  type AnyAddress,
  formatAddress,
  type InternetAddress,
  type SocketAddress,
  type SocketDomain,
  type UnixAddress,
} from "./socket_address.ts";
export type { SocketOptions } from "./socket_options.ts";
export type {
  PacketInfo,
  ReceivedControl,
  SentControl,
} from "./control_messages.ts";
export type { PeerCredentials } from "./peer_credentials.ts";
export type {
  ReceivedFrom,
  ReceivedMessage,
  ReceiveMessageOptions,
  SendMessageOptions,
} from "./socket_message.ts";
export type { RawControlMessage } from "./structs/control.ts";
export type { SocketType } from "./socket_fd.ts";
