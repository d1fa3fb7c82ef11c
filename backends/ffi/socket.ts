/**
 * Sockets as the operating system has them: created non-blocking and close-on-exec,
 * with one method for each call.
 *
 * @module
 */

import { BaseSocket, closedError, openFd } from "./base_socket.ts";
import { system } from "./current_system.ts";
import {
  fileDescriptor,
  isCutShort,
  setBlocking,
  setCloseOnExec,
  WOULD_BLOCK,
  wouldBlock,
} from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { GatheredMessage } from "./gathered_message.ts";
import { libc } from "./libc.ts";
import { loopbackPair } from "./loopback_pair.ts";
import { checkMemory } from "./memory.ts";
import {
  addressBytes,
  addressLength,
  expectAddress,
  keepAddress,
  type KeptAddress,
  keptAddress,
  receivedAddress,
} from "./received_address.ts";
import {
  type AddressOf,
  type AnyAddress,
  domainNumber,
  domainOf,
  formatAddress,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";
import {
  type ReceivedFrom,
  type ReceivedMessage,
  receiveMessage,
  type ReceiveMessageOptions,
  sendEncoded,
  sender,
  sendMessage,
  type SendMessageOptions,
} from "./socket_message.ts";
import {
  acceptFd,
  createFd,
  createPair,
  familyOfFd,
  quietly,
  type SocketType,
} from "./socket_fd.ts";
import { replaceUnspecified } from "./windows_socket.ts";
import { MOST_AT_ONCE, winsock } from "./winsock.ts";

/** One for the thread: each call fills it and uses it. */
let gathered: GatheredMessage | undefined;

/**
 * The peer's address, of `accept()` or `connect()`, even of a closed socket; else null.
 */
export let keptPeer: (socket: Socket) => SocketAddress | null;

/**
 * A socket. Its calls never wait: instead they return `WOULD_BLOCK`, `null` or
 * `false`, and a `Selector` reports when to try again.
 *
 * The `fd` of a closed socket is -1, and every call on it throws
 * `Deno.errors.BadResource`.
 *
 * Sources: socket(2), socket(7), ip(7), tcp(7), unix(7); POSIX.1-2017
 * `<sys/socket.h>`.
 *
 * @example A pair of connected sockets
 * ```ts
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [left, right] = socketPair();
 * left.send(new TextEncoder().encode("hello"));
 * const buffer = new Uint8Array(16);
 * assertEquals(right.recv(buffer), 5);
 * left.close();
 * assertEquals(right.recv(buffer), 0); // end of file
 * right.close();
 * ```
 */
export class Socket<A extends AnyAddress = SocketAddress>
  extends BaseSocket<A> {
  #peer: KeptAddress | null;

  static {
    keptPeer = (socket) =>
      socket.#peer === null ? null : keptAddress(socket.#peer);
  }

  private constructor(
    fd: number,
    family: number,
    peer: KeptAddress | null = null,
  ) {
    super(fd, family);
    this.#peer = peer;
  }

  /**
   * Creates a socket, as socket(2) does.
   *
   * @param domain The kind of its addresses. Default: "IPv4". Linux also has "netlink",
   *   "packet" and "vsock"
   * @param type How it carries data. Default: "stream"
   * @param protocol A number of IPPROTO_*, NETLINK_* or, in network order, ETH_P_*, as
   *   in 1 for ICMP. Default: 0, the usual one of the type
   * @throws {TypeError} if there is no such domain, or no such type
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} if the system has no such socket, or no descriptor left; a
   *   raw socket is `Deno.errors.PermissionDenied` except for root
   */
  static create<Domain extends SocketDomain = "IPv4">(
    domain?: Domain,
    type: SocketType = "stream",
    protocol: number = 0,
  ): Socket<AddressOf<Domain>> {
    const family = domainNumber(domain ?? "IPv4", system());
    return new Socket(createFd(family, type, protocol), family);
  }

  /**
   * Creates a socket of the domain that an address belongs to.
   *
   * @param address An address that the socket can be bound to or connected to
   * @param type How it carries data. Default: "stream"
   * @throws {TypeError} if the hostname is no string
   * @throws as `create`
   */
  static createFor(
    address: SocketAddress,
    type: SocketType = "stream",
  ): Socket {
    return Socket.create(domainOf(address), type);
  }

  /**
   * Takes over a descriptor from elsewhere: an inherited listener, one end of a
   * pair. It becomes non-blocking and close-on-exec, and this object closes it.
   *
   * @param fd An open descriptor that no other code closes
   * @throws {TypeError} if it is no whole number
   * @throws {RangeError} if it is negative
   * @throws {SystemError} if it is no socket: `ENOTSOCK`, `EBADF`
   */
  static adopt<A extends AnyAddress = SocketAddress>(fd: number): Socket<A> {
    fileDescriptor(fd);
    const family = familyOfFd(fd);
    setBlocking(fd, false);
    setCloseOnExec(fd);
    return new Socket(fd, family);
  }

  /** Creates two connected sockets, as `socketPair` does. */
  static pair(type: SocketType = "stream"): [Socket, Socket] {
    if (winsock !== null) return loopbackPair(type, Socket.create);
    const [left, right] = createPair(type);
    const { AF_UNIX } = system().constants;
    return [new Socket(left!, AF_UNIX), new Socket(right!, AF_UNIX)];
  }

  /**
   * Takes one connection off the backlog, as accept4(2) does.
   *
   * @returns the connection, non-blocking and close-on-exec; null if none waits
   * @throws {SystemError} among others `EMFILE` and `ECONNABORTED`, which do not end
   *   the listener
   */
  accept(): Socket<A> | null {
    expectAddress();
    const listener = openFd(this);
    const { family } = this;
    for (;;) {
      const fd = acceptFd(listener);
      if (fd >= 0) {
        return new Socket(fd, family, keepAddress(addressLength[0]!, family));
      }
      if (wouldBlock("accept", -fd)) return null;
    }
  }

  /**
   * As `accept`, with the peer's address, which is known even if the peer is gone.
   *
   * @returns both; null if no connection waits
   * @throws {SystemError} as `accept`
   */
  acceptFrom(): [connection: Socket<A>, address: A] | null {
    const connection = this.accept();
    if (connection === null) return null;
    try {
      return [connection, receivedAddress() as A];
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Connects to a peer, or starts to, as connect(2) does.
   *
   * @param address The peer's address. A datagram socket only remembers it
   * @returns true if the connection is established. False if it is in progress: when
   *   the socket becomes writable, `takeError()` returns how it ended
   * @throws {TypeError} if the address is of another domain or malformed
   * @throws {SystemError} `Deno.errors.ConnectionRefused`,
   *   `Deno.errors.NetworkUnreachable`, `Deno.errors.NotFound` for a missing path;
   *   `Deno.errors.WouldBlock` if the backlog of a Unix listener is full
   */
  connect(address: A): boolean {
    const length = this.encode(address);
    if (winsock !== null) replaceUnspecified(addressBytes);
    const fd = openFd(this);
    this.#peer = keepAddress(length, this.family);
    const result = libc().connect(fd, addressBytes, length);
    if (result >= 0) return true;
    const number = -result;
    const { EINPROGRESS, EINTR } = system().errno;
    // By POSIX an interrupted connect continues: never call it again.
    if (number === EINPROGRESS || number === EINTR) return false;
    throw systemError("connect", number, formatAddress(address));
  }

  /**
   * Receives available bytes, as recv(2) does.
   *
   * @param buffer Room for the bytes
   * @param length How many bytes of it to use. Default: all
   * @param flags MSG_* of `<sys/socket.h>`: 2 is MSG_PEEK on every system
   * @returns the number of bytes; 0 at end of file, for an empty datagram and for an
   *   empty buffer; `WOULD_BLOCK` (-1) if nothing is available
   * @throws {TypeError} if it is no buffer, or a transferred one, or flags are no `int`
   * @throws {RangeError} if the length is not within the buffer
   * @throws {SystemError} `Deno.errors.ConnectionReset` and others
   */
  recv(
    buffer: BufferSource,
    length: number = buffer?.byteLength,
    flags: number = 0,
  ): number {
    if (
      !ArrayBuffer.isView(buffer) || (length | 0) !== length || length <= 0 ||
      length > buffer.byteLength
    ) length = checkMemory(buffer, length);
    for (;;) {
      const count = libc().recv(this.fd, buffer, length, flags);
      if (count >= 0) return count;
      if (isCutShort(-count)) return length;
      if (this.#wouldBlock("recv", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Receives one message and its sender, as recvfrom(2) does.
   *
   * @param buffer Room for the bytes; bytes that do not fit are lost
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns null if nothing is available
   * @throws {TypeError} as `recv`
   * @throws {SystemError} as `recv`
   */
  recvFrom(buffer: BufferSource, flags: number = 0): ReceivedFrom<A> | null {
    const length = checkMemory(buffer, buffer?.byteLength);
    for (;;) {
      expectAddress();
      const bytes = libc().recvfrom(
        this.fd,
        buffer,
        length,
        flags,
        addressBytes,
        addressLength,
      );
      if (bytes >= 0 || isCutShort(-bytes)) {
        const address = sender(this.family) as A | null;
        return { bytes: bytes >= 0 ? bytes : length, address };
      }
      if (this.#wouldBlock("recvfrom", -bytes)) return null;
    }
  }

  /**
   * Sends as much as there is room for, as send(2) does.
   *
   * @param data The bytes
   * @param length How many of them. Default: all
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} as `recv`
   * @throws {RangeError} if the length is not within the data
   * @throws {SystemError} `Deno.errors.BrokenPipe` (never a signal),
   *   `Deno.errors.ConnectionReset` and others
   */
  send(
    data: BufferSource,
    length: number = data?.byteLength,
    flags: number = 0,
  ): number {
    if (
      !ArrayBuffer.isView(data) || (length | 0) !== length || length <= 0 ||
      length > data.byteLength
    ) length = checkMemory(data, length);
    for (;;) {
      const bytes = winsock === null ? length : Math.min(length, MOST_AT_ONCE);
      const count = libc().send(this.fd, data, bytes, quietly(flags));
      if (count >= 0) return count;
      if (this.#wouldBlock("send", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Sends several pieces of memory with one call, as sendmsg(2) does.
   *
   * @param pieces The pieces; one call takes no more than 64 of them
   * @param first The index of the first piece to send
   * @param offset How many bytes of it were sent already
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} if a piece is no `Uint8Array`
   * @throws {RangeError} if the start is not within the pieces
   * @throws {SystemError} as `send`
   */
  sendPieces(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number = 0,
    offset: number = 0,
  ): number {
    gathered ??= new GatheredMessage();
    gathered.gather(pieces, first, offset);
    for (;;) {
      const count = gathered.send(this.fd);
      if (count >= 0) return count;
      if (this.#wouldBlock("sendmsg", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Sends one message to an address, as sendto(2) does.
   *
   * @param data The message
   * @param address Its destination
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} as `send`, or if the address is of another domain or malformed
   * @throws {RangeError} if its port or the length of its path is out of range
   * @throws {SystemError} `EMSGSIZE` if the datagram is too large, and others
   */
  sendTo(
    data: BufferSource,
    address: A,
    flags: number = 0,
  ): number {
    const length = this.encode(address);
    return sendEncoded(openFd(this), data, length, flags);
  }

  /**
   * Sends one message with descriptors and control messages, as sendmsg(2) does.
   *
   * @param data The message
   * @param options Its destination, descriptors and control messages
   * @returns as `send`; the descriptors go with the first byte
   * @throws {TypeError} as `sendTo`, or if there is an unknown option
   * @throws {RangeError} as `sendTo`, for descriptors without data, and wrong numbers
   * @throws {Deno.errors.NotSupported} if this system lacks a control message
   * @throws {SystemError} as `sendTo`
   *
   * @example A descriptor for another process
   * ```ts
   * import { close, pipe, socketPair } from "@pollux/reactor/socket";
   * import { assertEquals } from "@std/assert";
   *
   * const [left, right] = socketPair();
   * const [reader, writer] = pipe();
   * left.sendMessage(new Uint8Array(1), { descriptors: [writer] });
   * const message = right.receiveMessage(new Uint8Array(1), { descriptors: 1 });
   * assertEquals(message?.descriptors.length, 1); // a copy, which you close
   * for (const fd of [reader, writer, ...message!.descriptors]) close(fd);
   * left.close();
   * right.close();
   * ```
   */
  sendMessage(
    data: BufferSource,
    options: SendMessageOptions<A> = {},
  ): number {
    return sendMessage(openFd(this), this.family, data, options);
  }

  /**
   * Receives one message with descriptors and control messages, as recvmsg(2) does.
   *
   * @param buffer Room for the bytes; bytes of a datagram that do not fit are lost
   * @returns null if nothing is available
   * @throws {TypeError} as `recv`, or if there is an unknown option
   * @throws {RangeError} if a count is not within 0 and 65535
   * @throws {SystemError} as `recv`
   */
  receiveMessage(
    buffer: BufferSource,
    options: ReceiveMessageOptions = {},
  ): ReceivedMessage<A> | null {
    const message = receiveMessage(openFd(this), this.family, buffer, options);
    return message as ReceivedMessage<A> | null;
  }

  /** Sorts a failure; the check for a closed socket is here, off the fast path. */
  #wouldBlock(syscall: string, number: number): boolean {
    if (this.fd === -1) throw closedError();
    return wouldBlock(syscall, number);
  }
}

/**
 * Creates two connected sockets of the Unix domain, as socketpair(2) does. On Windows
 * they are sockets of IPv4, connected on loopback.
 *
 * @param type How they carry data: "stream", "datagram" or "seqpacket"
 * @throws {TypeError} if there is no such type
 * @throws {Deno.errors.NotSupported} for "seqpacket" on Windows
 * @throws {SystemError} if there are no descriptors left
 *
 * @example
 * ```ts
 * import { socketPair } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [left, right] = socketPair("datagram");
 * left.send(new Uint8Array([1, 2]));
 * left.send(new Uint8Array([3]));
 * const buffer = new Uint8Array(16);
 * assertEquals(right.recv(buffer), 2); // each message is separate
 * left.close();
 * right.close();
 * ```
 */
export function socketPair(type: SocketType = "stream"): [Socket, Socket] {
  return Socket.pair(type);
}
