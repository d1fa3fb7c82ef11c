/**
 * Sockets as the operating system has them: non-blocking and close-on-exec
 * from birth, one method for each call.
 *
 * @module
 */

import { tellClose } from "./close_watch.ts";
import { system } from "./current_system.ts";
import {
  fileDescriptor,
  retrying,
  setBlocking,
  setCloseOnExec,
  WOULD_BLOCK,
  wouldBlock,
} from "./descriptor.ts";
import { type SystemError, systemError } from "./errors.ts";
import { interfaceNumber } from "./interface.ts";
import { parseIPv4, parseIPv6 } from "./ip_address.ts";
import { libc } from "./libc.ts";
import { keepAddress, type KeptAddress, keptAddress } from "./kept_address.ts";
import { checkMemory } from "./memory.ts";
import {
  decodeAddress,
  domainOf,
  encodeAddress,
  familyOf,
  formatAddress,
  readFamily,
  SOCKADDR_STORAGE_BYTES,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";
import { type SocketOptions, socketOptions } from "./socket_options.ts";
import { GatheredMessage, type MessageBatch } from "./structs/message.ts";

/** How a socket carries data: as a stream, or message by message. */
export type SocketType = "stream" | "datagram" | "seqpacket" | "raw";

/** Which direction `Socket.shutdown` ends. */
export type ShutdownDirection = "read" | "write" | "both";

/** What `Socket.recvFrom` received. */
export interface ReceivedFrom {
  /** How many bytes are in the buffer; what did not fit is lost with the datagram. */
  readonly bytes: number;
  /**
   * Whom they are from: null where recvfrom(2) has no address, as of a stream over TCP,
   * or one that has no form here, as of a netlink socket.
   */
  readonly address: SocketAddress | null;
}

/** The kernel writes an address here, and its length there; both are read at once. */
const addressBytes = new Uint8Array(new ArrayBuffer(SOCKADDR_STORAGE_BYTES));
const addressLength = new Uint32Array(new ArrayBuffer(4));

function expectAddress(): void {
  addressLength[0] = SOCKADDR_STORAGE_BYTES;
}

function receivedAddress(): SocketAddress {
  return decodeAddress(addressBytes, addressLength[0]!, system());
}

function domainNumber(domain: SocketDomain): number {
  const { AF_INET, AF_INET6, AF_UNIX } = system().constants;
  const numbers = { IPv4: AF_INET, IPv6: AF_INET6, unix: AF_UNIX };
  const number = numbers[domain as keyof typeof numbers];
  if (number === undefined) {
    throw new TypeError(
      `Cannot use domain "${domain}": it must be "IPv4", "IPv6" or "unix"`,
    );
  }
  return number;
}

function typeNumber(type: SocketType): number {
  const { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW } =
    system().constants;
  const number = {
    stream: SOCK_STREAM,
    datagram: SOCK_DGRAM,
    seqpacket: SOCK_SEQPACKET,
    raw: SOCK_RAW,
  }[type];
  if (number === undefined) {
    throw new TypeError(
      `Cannot use type "${type}": it must be "stream", "datagram", "seqpacket" or "raw"`,
    );
  }
  return number;
}

/** The flags that `socket()` takes where it takes any: SOCK_NONBLOCK | SOCK_CLOEXEC. */
function birthFlags(): number {
  const { SOCK_NONBLOCK, SOCK_CLOEXEC } = system().constants;
  return (SOCK_NONBLOCK ?? 0) | (SOCK_CLOEXEC ?? 0);
}

/** What birth could not give: both flags, and silence instead of SIGPIPE. */
function completeBirth(fd: number): void {
  const { SOCK_NONBLOCK, SOL_SOCKET, SO_NOSIGPIPE } = system().constants;
  if (SOCK_NONBLOCK === null) {
    setBlocking(fd, false);
    setCloseOnExec(fd);
  }
  if (SO_NOSIGPIPE !== null) {
    // It fails on a connection that is gone already, which its reader will hear.
    libc().setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, Int32Array.of(1), 4);
  }
}

function createFd(family: number, type: number, protocol: number): number {
  const fd = retrying(
    "socket",
    () => libc().socket(family, type | birthFlags(), protocol),
  );
  completeBirth(fd);
  return fd;
}

/** One connection off a listener's backlog: its descriptor, or -errno. */
function acceptFd(listener: number): number {
  const { accept, accept4 } = libc();
  if (accept4 !== null && birthFlags() !== 0) {
    return accept4(listener, addressBytes, addressLength, birthFlags());
  }
  const fd = accept(listener, addressBytes, addressLength);
  if (fd >= 0) completeBirth(fd);
  return fd;
}

/** One for the thread: it is filled and used within one call. */
let gathered: GatheredMessage | undefined;

let sendFlags = -1;

/** MSG_NOSIGNAL where there is one: a broken pipe is an error here, never a signal. */
function quietly(flags: number): number {
  if (sendFlags === -1) sendFlags = system().constants.MSG_NOSIGNAL ?? 0;
  return flags | sendFlags;
}

/**
 * A socket. It never waits: a call that would have to returns `WOULD_BLOCK`,
 * `null` or `false`, and a `Selector` says when to try again.
 *
 * A closed socket's `fd` is -1, and every call on it throws
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
export class Socket implements Disposable {
  #fd: number;
  readonly #family: number;
  /** Whom `accept()` had it from, or `connect()` was given. */
  #peer: KeptAddress | null;

  private constructor(
    fd: number,
    family: number,
    peer: KeptAddress | null = null,
  ) {
    this.#fd = fd;
    this.#family = family;
    this.#peer = peer;
  }

  /**
   * Makes a socket, as socket(2) does.
   *
   * @param domain Which kind of address it has
   * @param type How it carries data
   * @param protocol A number of IPPROTO_*, 0 for the usual one of the type
   * @throws {TypeError} if there is no such domain, or no such type
   * @throws {Deno.errors.NotCapable} without `--allow-ffi`
   * @throws {SystemError} if the system has no such socket, or no descriptor left; a
   *   raw one is `Deno.errors.PermissionDenied` but for root
   */
  static create(
    domain: SocketDomain = "IPv4",
    type: SocketType = "stream",
    protocol: number = 0,
  ): Socket {
    const family = domainNumber(domain);
    return new Socket(createFd(family, typeNumber(type), protocol), family);
  }

  /**
   * Creates a socket of the domain that an address belongs to.
   *
   * @param address An address that the socket can be bound to or connected to
   * @param type How it carries data. Default: "stream"
   * @throws {TypeError} if the hostname is no string
   * @throws as `create`
   *
   * @example
   * ```ts
   * import { Socket } from "@pollux/reactor/socket";
   * import { assertEquals } from "@std/assert";
   *
   * const address = { hostname: "::1", port: 8001 };
   * using socket = Socket.createFor(address);
   * assertEquals(socket.domain, "IPv6");
   * ```
   */
  static createFor(
    address: SocketAddress,
    type: SocketType = "stream",
  ): Socket {
    return Socket.create(domainOf(address), type);
  }

  /**
   * Takes over a descriptor that something else opened: an inherited listener,
   * one end of a pair. From now on this object closes it; it is made
   * non-blocking and close-on-exec.
   *
   * @param fd A number that is open, and nobody else's to close
   * @throws {TypeError} if it is no whole number
   * @throws {RangeError} if it is negative
   * @throws {SystemError} if it is no socket: `ENOTSOCK`, `EBADF`
   */
  static adopt(fd: number): Socket {
    fileDescriptor(fd);
    expectAddress();
    const result = libc().getsockname(fd, addressBytes, addressLength);
    if (result < 0) throw systemError("getsockname", -result);
    const { AF_UNIX } = system().constants;
    // Some systems have nothing to say of a Unix socket without a name.
    const family = addressLength[0] === 0
      ? AF_UNIX
      : readFamily(addressBytes, system());
    setBlocking(fd, false);
    setCloseOnExec(fd);
    return new Socket(fd, family);
  }

  /**
   * Two connected sockets of the Unix domain; see `socketPair`.
   *
   * @throws as `socketPair`
   */
  static pair(type: SocketType = "stream"): [Socket, Socket] {
    const ends = new Int32Array(new ArrayBuffer(8));
    const { AF_UNIX } = system().constants;
    retrying(
      "socketpair",
      () =>
        libc().socketpair(AF_UNIX, typeNumber(type) | birthFlags(), 0, ends),
    );
    for (const fd of ends) completeBirth(fd);
    return [new Socket(ends[0]!, AF_UNIX), new Socket(ends[1]!, AF_UNIX)];
  }

  /** The descriptor; -1 once the socket is closed or detached. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Which kind of address it has. One of an "other" kind, as of netlink, sends, receives
   * and has options like the rest; what takes or gives an address it cannot be asked for.
   */
  get domain(): SocketDomain {
    const { AF_INET, AF_INET6, AF_UNIX } = system().constants;
    if (this.#family === AF_INET) return "IPv4";
    if (this.#family === AF_INET6) return "IPv6";
    return this.#family === AF_UNIX ? "unix" : "other";
  }

  /**
   * Gives the socket an address, as bind(2) does. Port 0 lets the system choose:
   * see `localAddress`.
   *
   * @throws {TypeError} if the address is of another domain or malformed
   * @throws {RangeError} if its port or the length of its path is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse`, `Deno.errors.AddrNotAvailable`,
   *   `Deno.errors.PermissionDenied` for ports below 1024
   */
  bind(address: SocketAddress): void {
    const length = this.#encode(address);
    const result = libc().bind(this.#open(), addressBytes, length);
    if (result < 0) throw systemError("bind", -result, formatAddress(address));
  }

  /**
   * Starts to accept connections, as listen(2) does.
   *
   * @param backlog How many may wait to be accepted; the system has its own limit too
   * @throws {RangeError} if the backlog is negative or no whole number
   * @throws {SystemError} `Deno.errors.AddrInUse`
   */
  listen(backlog: number = system().constants.SOMAXCONN): void {
    if (!Number.isInteger(backlog) || backlog < 0 || backlog > 0x7fff_ffff) {
      throw new RangeError(`Cannot use a backlog of ${backlog}`);
    }
    const result = libc().listen(this.#open(), backlog);
    if (result < 0) throw systemError("listen", -result);
  }

  /**
   * Takes one connection off the backlog, as accept4(2) does.
   *
   * @returns the connection, non-blocking and close-on-exec, or null if none waits
   * @throws {SystemError} among others `EMFILE` and `ECONNABORTED`, after which the
   *   listener goes on
   */
  accept(): Socket | null {
    expectAddress();
    return this.#accept();
  }

  /**
   * As `accept`, with the peer's address, which the system gives at no further
   * cost, also of a peer that is gone by now.
   *
   * @returns the connection and its peer's address, or null if none waits
   * @throws {SystemError} as `accept`
   */
  acceptFrom(): [connection: Socket, address: SocketAddress] | null {
    expectAddress();
    const connection = this.#accept();
    if (connection === null) return null;
    try {
      return [connection, receivedAddress()];
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #accept(): Socket | null {
    const listener = this.#open();
    const family = this.#family;
    for (;;) {
      const fd = acceptFd(listener);
      if (fd >= 0) {
        const length = addressLength[0]!;
        const peer = keepAddress(addressBytes, length, family);
        return new Socket(fd, family, peer);
      }
      if (wouldBlock("accept", -fd)) return null;
    }
  }

  /**
   * Connects to a peer, or starts to, as connect(2) does.
   *
   * @param address Whom to. A datagram socket only notes it, as the one peer to talk to
   * @returns true if the connection stands, false while it is under way: when the
   *   socket becomes writable, `takeError()` says how it ended
   * @throws {TypeError} if the address is of another domain or malformed
   * @throws {SystemError} `Deno.errors.ConnectionRefused`,
   *   `Deno.errors.NetworkUnreachable`, `Deno.errors.NotFound` for a missing path;
   *   `Deno.errors.WouldBlock` if the backlog of a Unix listener is full
   */
  connect(address: SocketAddress): boolean {
    const length = this.#encode(address);
    const fd = this.#open();
    this.#peer = keepAddress(addressBytes, length, this.#family);
    const result = libc().connect(fd, addressBytes, length);
    if (result >= 0) return true;
    const number = -result;
    const { EINPROGRESS, EINTR } = system().errno;
    // An interrupted connect goes on by itself, as POSIX has it: never call it again.
    if (number === EINPROGRESS || number === EINTR) return false;
    throw systemError("connect", number, formatAddress(address));
  }

  /**
   * Receives what is there, as recv(2) does.
   *
   * @param buffer Where the bytes go
   * @param length How many bytes of it to use: all, if left out
   * @param flags MSG_* of `<sys/socket.h>`: 2 is MSG_PEEK on every system
   * @returns the number of bytes, 0 at end of file (or for an empty datagram, or an
   *   empty buffer), `WOULD_BLOCK` (-1) if there is nothing yet
   * @throws {TypeError} if it is no buffer, or one that was transferred away
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
      const count = libc().recv(this.#fd, buffer, length, flags);
      if (count >= 0) return count;
      if (this.#wouldBlock("recv", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Receives one message, and who sent it, as recvfrom(2) does.
   *
   * @param buffer Where the bytes go; what does not fit is lost
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns null if there is nothing yet
   * @throws {TypeError} as `recv`
   * @throws {SystemError} as `recv`
   */
  recvFrom(buffer: BufferSource, flags: number = 0): ReceivedFrom | null {
    const length = checkMemory(buffer, buffer?.byteLength);
    for (;;) {
      expectAddress();
      const bytes = libc().recvfrom(
        this.#fd,
        buffer,
        length,
        flags,
        addressBytes,
        addressLength,
      );
      if (bytes >= 0) return { bytes, address: this.#sender() };
      if (this.#wouldBlock("recvfrom", -bytes)) return null;
    }
  }

  /**
   * Sends as much as there is room for, as send(2) does.
   *
   * @param data What to send
   * @param length How many bytes of it: all, if left out
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} if it is no buffer, or one that was transferred away
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
      const count = libc().send(this.#fd, data, length, quietly(flags));
      if (count >= 0) return count;
      if (this.#wouldBlock("send", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Sends several pieces of memory with one call, as sendmsg(2) does.
   *
   * @param pieces What to send; no more than 64 of them are taken at once
   * @param first Which of them comes first
   * @param offset How many bytes of the first were sent already
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} if a piece is no `Uint8Array`
   * @throws {RangeError} if the offset is not within the first piece
   * @throws {SystemError} as `send`
   */
  sendPieces(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number = 0,
    offset: number = 0,
  ): number {
    gathered ??= new GatheredMessage(system().msghdr);
    gathered.gather(pieces, first, offset);
    for (;;) {
      const count = libc().sendmsg(this.#fd, gathered.bytes, quietly(0));
      if (count >= 0) return count;
      if (this.#wouldBlock("sendmsg", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Sends one message to an address, as sendto(2) does.
   *
   * @param data The message
   * @param address Whom to
   * @param flags MSG_* of `<sys/socket.h>`
   * @returns how many bytes were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {TypeError} as `send`, or if the address is of another domain or malformed
   * @throws {RangeError} if its port or the length of its path is out of range
   * @throws {SystemError} `EMSGSIZE` if the datagram is too large, and others
   */
  sendTo(
    data: BufferSource,
    address: SocketAddress,
    flags: number = 0,
  ): number {
    const length = this.#encode(address);
    return this.sendToEncoded(data, addressBytes, length, flags);
  }

  /**
   * As `sendTo`, with the bytes of a `struct sockaddr` as they were received.
   *
   * @param address The bytes
   * @param addressLength How many of them count
   * @returns as `sendTo`
   * @throws {SystemError} as `sendTo`
   */
  sendToEncoded(
    data: BufferSource,
    address: Uint8Array<ArrayBuffer>,
    addressLength: number,
    flags: number = 0,
  ): number {
    const length = checkMemory(data, data?.byteLength);
    for (;;) {
      const count = libc().sendto(
        this.#fd,
        data,
        length,
        quietly(flags),
        address,
        addressLength,
      );
      if (count >= 0) return count;
      if (this.#wouldBlock("sendto", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Receives several messages with one call: recvmmsg(2), or one with recvmsg(2)
   * where that is all the system has.
   *
   * @param batch As it was made, or `reset()` since it was last received into
   * @returns how many messages are in the batch, `WOULD_BLOCK` (-1) if there is none yet
   * @throws {SystemError} as `recv`
   */
  receiveBatch(batch: MessageBatch): number {
    const { recvmmsg, recvmsg } = libc();
    for (;;) {
      const count = recvmmsg !== null
        ? recvmmsg(this.#fd, batch.bytes, batch.capacity, 0, null)
        : recvmsg(this.#fd, batch.bytes, 0);
      if (count >= 0) {
        if (recvmmsg !== null) return count;
        batch.setLength(0, count);
        return 1;
      }
      if (this.#wouldBlock("recvmmsg", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Puts a message into a batch that is to be sent.
   *
   * @param address Whom to; a connected socket needs none
   * @throws {TypeError} if the address is of another domain or malformed
   */
  prepareMessage(
    batch: MessageBatch,
    index: number,
    data: Uint8Array<ArrayBuffer>,
    address: SocketAddress | null,
  ): void {
    const length = address === null
      ? 0
      : this.#encodeInto(batch.address(index), address);
    batch.prepare(index, data, length);
  }

  /**
   * Sends several messages with one call: sendmmsg(2), or one with sendmsg(2)
   * where that is all the system has.
   *
   * @param count How many messages of the batch
   * @returns how many were taken, `WOULD_BLOCK` (-1) if there was no room
   * @throws {SystemError} as `sendTo`, of the first message that was not taken
   */
  sendBatch(batch: MessageBatch, count: number): number {
    const { sendmmsg, sendmsg } = libc();
    for (;;) {
      const sent = sendmmsg !== null
        ? sendmmsg(this.#fd, batch.bytes, count, quietly(0))
        : sendmsg(this.#fd, batch.bytes, quietly(0));
      if (sent >= 0) return sendmmsg !== null ? sent : 1;
      if (this.#wouldBlock("sendmmsg", -sent)) return WOULD_BLOCK;
    }
  }

  /**
   * Joins a multicast group: datagrams to it are received from now on.
   *
   * @param group The group's numeric address
   * @param networkInterface For IPv4 the address of the interface, for IPv6 its
   *   number or its name; the system chooses, if left out
   * @throws {TypeError} if the group is no address of the socket's domain, or there is
   *   no such interface
   * @throws {SystemError} `Deno.errors.AddrInUse` if it is joined already, and others
   */
  joinGroup(group: string, networkInterface?: string | number): void {
    this.#setMembership(group, networkInterface, true);
  }

  /**
   * Leaves a multicast group.
   *
   * @param group As it was joined
   * @param networkInterface As it was joined
   * @throws as `joinGroup`; `Deno.errors.AddrNotAvailable` if it was not joined
   */
  leaveGroup(group: string, networkInterface?: string | number): void {
    this.#setMembership(group, networkInterface, false);
  }

  /**
   * Ends one direction of a connection, as shutdown(2) does: after "write" the
   * peer reads what was sent, then end of file, and may go on sending.
   *
   * @param direction "read", "write" or "both"
   * @throws {TypeError} if there is no such direction
   * @throws {SystemError} `Deno.errors.NotConnected`
   */
  shutdown(direction: ShutdownDirection): void {
    const { SHUT_RD, SHUT_WR, SHUT_RDWR } = system().constants;
    const how = { read: SHUT_RD, write: SHUT_WR, both: SHUT_RDWR }[direction];
    if (how === undefined) {
      throw new TypeError(
        `Cannot shut down "${direction}": it must be "read", "write" or "both"`,
      );
    }
    const result = libc().shutdown(this.#open(), how);
    if (result < 0) throw systemError("shutdown", -result);
  }

  /**
   * Reads an option that has a name here.
   *
   * @param name One of `SocketOptions`
   * @throws {TypeError} if there is no such name
   * @throws {Deno.errors.NotSupported} if this system lacks it
   * @throws {SystemError} if it does not fit this socket
   */
  getOption<Name extends keyof SocketOptions>(name: Name): SocketOptions[Name] {
    const { level, number, type } = this.#optionPlace(name);
    const value = new DataView(this.getRawOption(level, number, 4).buffer)
      .getInt32(0, true);
    return (type === "boolean" ? value !== 0 : value) as SocketOptions[Name];
  }

  /**
   * Sets an option that has a name here.
   *
   * @param name One of `SocketOptions`
   * @param value A boolean or a number, as `SocketOptions` has it
   * @throws {TypeError} if there is no such name, or the value is of another type
   * @throws {RangeError} if the value is no whole number of 32 bits
   * @throws {Deno.errors.NotSupported} if this system lacks the option
   * @throws {SystemError} if it does not fit this socket
   */
  setOption<Name extends keyof SocketOptions>(
    name: Name,
    value: SocketOptions[Name],
  ): void {
    const { level, number, type } = this.#optionPlace(name);
    const given: string = typeof value;
    if (given !== type) {
      throw new TypeError(
        `Cannot set option "${name}" to ${value}: it must be a ${type}`,
      );
    }
    this.setRawOption(level, number, Number(value));
  }

  /**
   * Reads any option by its numbers, as getsockopt(2) does.
   *
   * @param level SOL_* or IPPROTO_*
   * @param number The option's number
   * @param byteLength How many bytes its value may have
   * @returns the bytes that the system wrote
   * @throws {SystemError} `ENOPROTOOPT` if the socket has no such option, and others
   */
  getRawOption(
    level: number,
    number: number,
    byteLength: number,
  ): Uint8Array<ArrayBuffer> {
    const value = new Uint8Array(new ArrayBuffer(byteLength));
    const length = Uint32Array.of(byteLength);
    const fd = this.#open();
    const result = libc().getsockopt(fd, level, number, value, length);
    if (result < 0) throw systemError("getsockopt", -result);
    return length[0] === byteLength ? value : value.slice(0, length[0]);
  }

  /**
   * Sets any option by its numbers, as setsockopt(2) does.
   *
   * @param level SOL_* or IPPROTO_*
   * @param number The option's number
   * @param value The bytes of the option's struct, or a number for a C `int`
   * @throws {TypeError} if it is neither bytes nor a number
   * @throws {RangeError} if a number does not fit an `int`
   * @throws {SystemError} `ENOPROTOOPT` if the socket has no such option, and others
   */
  setRawOption(
    level: number,
    number: number,
    value: Uint8Array<ArrayBuffer> | number,
  ): void {
    if (typeof value === "number" && value !== (value | 0)) {
      throw new RangeError(`Cannot set a socket option to ${value}`);
    }
    const bytes = typeof value === "number" ? Int32Array.of(value) : value;
    checkMemory(bytes, bytes?.byteLength);
    const result = libc().setsockopt(
      this.#open(),
      level,
      number,
      bytes,
      bytes.byteLength,
    );
    if (result < 0) throw systemError("setsockopt", -result);
  }

  /**
   * Where this socket is; the port that the system chose, after a bind to port 0.
   *
   * @throws {Deno.errors.BadResource} if the socket is closed
   */
  get localAddress(): SocketAddress {
    expectAddress();
    const fd = this.#open();
    const result = libc().getsockname(fd, addressBytes, addressLength);
    if (result < 0) throw systemError("getsockname", -result);
    return receivedAddress();
  }

  /**
   * Where the peer is.
   *
   * @throws {SystemError} `Deno.errors.NotConnected`
   */
  get remoteAddress(): SocketAddress {
    expectAddress();
    const fd = this.#open();
    const result = libc().getpeername(fd, addressBytes, addressLength);
    if (result < 0) throw systemError("getpeername", -result);
    return receivedAddress();
  }

  /**
   * The peer's address as `accept()` had it from the system, or as `connect()` was
   * given it: also of a peer that is gone, and of a socket that is closed. Null
   * without either.
   *
   * @ignore
   */
  get keptRemoteAddress(): SocketAddress | null {
    return this.#peer === null ? null : keptAddress(this.#peer);
  }

  /**
   * The error that waits on the socket (SO_ERROR), which this call takes off it:
   * how a connect ended, or what an ICMP message reported.
   *
   * @param syscall The call that is to be named as the one that failed
   * @param detail What it was about, as in the address of a connect
   * @returns the error, which is not thrown; null if there is none
   */
  takeError(
    syscall: string = "connect",
    detail?: string,
  ): SystemError | null {
    const { SOL_SOCKET, SO_ERROR } = system().constants;
    const value = this.getRawOption(SOL_SOCKET, SO_ERROR, 4);
    const number = new DataView(value.buffer).getInt32(0, true);
    return number === 0 ? null : systemError(syscall, number, detail);
  }

  /**
   * Has `close()` reset a TCP connection instead of ending it: the peer learns
   * that something was lost (SO_LINGER with no time to linger).
   */
  resetOnClose(): void {
    const { SOL_SOCKET, SO_LINGER } = system().constants;
    // struct linger { int l_onoff; int l_linger; }; a socket that is gone needs none.
    libc().setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8);
  }

  /**
   * Lets calls on this socket wait, for a plain client that has nothing else to
   * do. A call that waits stops everything in its thread.
   *
   * @param blocking False, as at the beginning, or true
   */
  setBlocking(blocking: boolean): void {
    setBlocking(this.#open(), blocking);
  }

  /**
   * Gives the descriptor away: whoever calls this closes it.
   *
   * @returns the descriptor; the socket counts as closed from now on
   * @throws {Deno.errors.BadResource} if the socket is closed
   */
  detach(): number {
    const fd = this.#open();
    this.#fd = -1;
    return fd;
  }

  /**
   * Closes the socket. Closing it again does nothing, also where another file
   * has its number by then. Unregister it from its selector first.
   */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    tellClose(fd);
    this.#fd = -1;
    libc().close(fd);
  }

  /** Closes the socket at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    if (this.#fd === -1) throw closedError();
    return this.#fd;
  }

  /** Sorts a failure; a closed socket is told apart here, off the fast path. */
  #wouldBlock(syscall: string, number: number): boolean {
    if (this.#fd === -1) throw closedError();
    return wouldBlock(syscall, number);
  }

  /** `struct ip_mreq` (two IPv4 addresses) or `struct ipv6_mreq` (address, number). */
  #setMembership(
    group: string,
    networkInterface: string | number | undefined,
    join: boolean,
  ): void {
    const c = system().constants;
    if (this.#family === c.AF_INET6) {
      const request = new Uint8Array(new ArrayBuffer(20));
      request.set(requireAddress(parseIPv6(group), group));
      const number = requireInterface(networkInterface ?? 0);
      new DataView(request.buffer).setUint32(16, number, true);
      const option = join ? c.IPV6_JOIN_GROUP : c.IPV6_LEAVE_GROUP;
      return this.setRawOption(c.IPPROTO_IPV6, option, request);
    }
    const request = new Uint8Array(new ArrayBuffer(8));
    const local = String(networkInterface ?? "0.0.0.0");
    request.set(requireAddress(parseIPv4(group), group));
    request.set(requireAddress(parseIPv4(local), local), 4);
    const option = join ? c.IP_ADD_MEMBERSHIP : c.IP_DROP_MEMBERSHIP;
    this.setRawOption(c.IPPROTO_IP, option, request);
  }

  /** Without an address there are bytes all the same: they are not to be lost. */
  #sender(): SocketAddress | null {
    const { domain } = this;
    if (domain === "other") return null;
    return addressLength[0] === 0 && domain !== "unix"
      ? null
      : receivedAddress();
  }

  #encode(address: SocketAddress): number {
    return this.#encodeInto(addressBytes, address);
  }

  #encodeInto(
    target: Uint8Array<ArrayBuffer>,
    address: SocketAddress,
  ): number {
    if (familyOf(address, system()) !== this.#family) {
      throw new TypeError(
        `Cannot use address ${
          formatAddress(address)
        } with a socket of domain ${this.domain}`,
      );
    }
    return encodeAddress(target, address, system());
  }

  #optionPlace(
    name: keyof SocketOptions,
  ): { level: number; number: number; type: string } {
    const place = socketOptions(system().constants)[name];
    if (place === undefined) throw new TypeError(`Unknown option "${name}"`);
    const { level, number, type } = place;
    if (number === null) {
      throw new Deno.errors.NotSupported(
        `Cannot use option "${name}": ${system().name} lacks it`,
      );
    }
    return { level, number, type };
  }
}

function requireInterface(given: string | number): number {
  const number = interfaceNumber(String(given));
  if (number !== null) return number;
  throw new TypeError(`Cannot use "${given}" as a network interface`);
}

function requireAddress(
  bytes: Uint8Array<ArrayBuffer> | null,
  text: string,
): Uint8Array<ArrayBuffer> {
  if (bytes !== null) return bytes;
  throw new TypeError(`Cannot use "${text}" as an address of this socket`);
}

function closedError(): Error {
  return new Deno.errors.BadResource("Socket is closed");
}

/**
 * Two connected sockets of the Unix domain, as socketpair(2) makes them.
 *
 * @param type How they carry data: "stream", "datagram" or "seqpacket"
 * @throws {TypeError} if there is no such type
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
 * assertEquals(right.recv(buffer), 2); // each message on its own
 * left.close();
 * right.close();
 * ```
 */
export function socketPair(type: SocketType = "stream"): [Socket, Socket] {
  return Socket.pair(type);
}
