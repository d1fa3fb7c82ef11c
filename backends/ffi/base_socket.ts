/**
 * The part of a socket that carries no data: its descriptor, options and addresses.
 *
 * @module
 */

import { notifyClose } from "./close_watch.ts";
import { system } from "./current_system.ts";
import { closeFd, setBlocking } from "./descriptor.ts";
import { type SystemError, systemError } from "./errors.ts";
import { libc } from "./libc.ts";
import { checkMemory } from "./memory.ts";
import { type PeerCredentials, readCredentials } from "./peer_credentials.ts";
import { membershipIPv4, membershipIPv6 } from "./multicast.ts";
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
  formatAddress,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";
import { type SocketType, typeOfNumber } from "./socket_fd.ts";
import { optionPlace, type SocketOptions } from "./socket_options.ts";
import { winsock } from "./winsock.ts";

/** The largest number that C's `int` can carry. */
const INT_MAX = 0x7fff_ffff;

/** The direction that `Socket.shutdown` ends. */
export type ShutdownDirection = "read" | "write" | "both";

/**
 * The descriptor of a socket, with its options and addresses. `Socket` extends it
 * with the calls that connect, send and receive.
 */
export abstract class BaseSocket<A extends AnyAddress = SocketAddress>
  implements Disposable {
  #fd: number;
  /** The AF_* number of its domain. */
  protected readonly family: number;

  /** Takes over an open descriptor. */
  protected constructor(fd: number, family: number) {
    this.#fd = fd;
    this.family = family;
  }

  /** Encodes an address of the socket's domain into `addressBytes`. */
  protected encode(address: AnyAddress): number {
    return encodeFor(this.family, addressBytes, address, system());
  }

  /** The descriptor; -1 once the socket is closed or detached. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * The kind of address that it has. A socket of domain "other" sends, receives and
   * has options like any other; a method that takes or returns an address throws.
   */
  get domain(): SocketDomain {
    return domainOfFamily(this.family, system());
  }

  /**
   * How the socket carries data (SO_TYPE).
   *
   * @throws {Deno.errors.BadResource} if the socket is closed
   */
  get type(): SocketType | "other" {
    return typeOfNumber(this.getOption("type"));
  }

  /**
   * Gives the socket an address, as bind(2) does. With port 0 the system chooses
   * one: see `localAddress`.
   *
   * @throws {TypeError} if the address is of another domain or malformed
   * @throws {RangeError} if its port or the length of its path is out of range
   * @throws {SystemError} `Deno.errors.AddrInUse`, `Deno.errors.AddrNotAvailable`,
   *   `Deno.errors.PermissionDenied` for ports below 1024
   */
  bind(address: A): void {
    const length = this.encode(address);
    const result = libc().bind(openFd(this), addressBytes, length);
    if (result < 0) throw systemError("bind", -result, formatAddress(address));
  }

  /**
   * Starts to accept connections, as listen(2) does.
   *
   * @param backlog How many connections may wait; the system has a limit too
   * @throws {RangeError} if the backlog is negative or no whole number
   * @throws {SystemError} `Deno.errors.AddrInUse`
   */
  listen(backlog: number = system().constants.SOMAXCONN): void {
    if (!Number.isInteger(backlog) || backlog < 0 || backlog > INT_MAX) {
      throw new RangeError(`Cannot use a backlog of ${backlog}`);
    }
    const result = libc().listen(openFd(this), backlog);
    if (result < 0) throw systemError("listen", -result);
  }

  /**
   * The socket's own address, with the port that the system chose after a bind to
   * port 0.
   *
   * @throws {Deno.errors.BadResource} if the socket is closed
   */
  get localAddress(): A {
    expectAddress();
    const fd = openFd(this);
    const result = libc().getsockname(fd, addressBytes, addressLength);
    if (result < 0) return this.#unboundAddress(-result) as A;
    return receivedAddress() as A;
  }

  /** Winsock has no address of a socket that is not bound, where POSIX has zeros. */
  #unboundAddress(number: number): SocketAddress {
    if (winsock === null || number !== system().errno.EINVAL) {
      throw systemError("getsockname", number);
    }
    const { domain } = this;
    if (domain === "unix") return { path: "" };
    return { hostname: domain === "IPv6" ? "::" : "0.0.0.0", port: 0 };
  }

  /**
   * The address of the peer.
   *
   * @throws {SystemError} `Deno.errors.NotConnected`
   */
  get remoteAddress(): A {
    expectAddress();
    const fd = openFd(this);
    const result = libc().getpeername(fd, addressBytes, addressLength);
    if (result < 0) throw systemError("getpeername", -result);
    return receivedAddress() as A;
  }

  /**
   * The process at the other end of a Unix socket, as it was when it connected or
   * began to listen.
   *
   * @throws {Deno.errors.NotSupported} on illumos
   * @throws {SystemError} `Deno.errors.NotConnected`; if it is no Unix socket, that on
   *   Linux, and `ENOPROTOOPT` and others elsewhere
   */
  get peerCredentials(): PeerCredentials {
    return readCredentials((level, number, byteLength) =>
      this.getRawOption(level, number, byteLength)
    );
  }

  /**
   * Reads an option by its name.
   *
   * @param name One of `SocketOptions`
   * @throws {TypeError} if there is no such name
   * @throws {Deno.errors.NotSupported} if this system lacks it
   * @throws {SystemError} if it does not fit this socket
   */
  getOption<Name extends keyof SocketOptions>(name: Name): SocketOptions[Name] {
    const { level, number, type } = optionPlace(name);
    // Winsock writes a single byte for some of the booleans.
    const word = new Uint8Array(new ArrayBuffer(4));
    word.set(this.getRawOption(level, number, 4));
    const value = new DataView(word.buffer).getInt32(0, true);
    return (type === "boolean" ? value !== 0 : value) as SocketOptions[Name];
  }

  /**
   * Sets an option by its name.
   *
   * @param name One of `SocketOptions`
   * @param value A boolean or a number, as `SocketOptions` declares it
   * @throws {TypeError} if there is no such name, or the value is of another type
   * @throws {RangeError} if the value is no whole number of 32 bits
   * @throws {Deno.errors.NotSupported} if this system lacks the option
   * @throws {SystemError} if it does not fit this socket
   */
  setOption<Name extends keyof SocketOptions>(
    name: Name,
    value: SocketOptions[Name],
  ): void {
    const { level, number, type } = optionPlace(name);
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
   * @param byteLength The largest length of its value
   * @returns the bytes that the system wrote
   * @throws {RangeError} if the length is negative, no whole number or too large
   * @throws {SystemError} `ENOPROTOOPT` if the socket has no such option, and others
   */
  getRawOption(
    level: number,
    number: number,
    byteLength: number,
  ): Uint8Array<ArrayBuffer> {
    // An object may be a smaller number in the first of two conversions, the room.
    // The kernel would write behind it.
    if (
      !Number.isInteger(byteLength) || byteLength < 0 || byteLength > INT_MAX
    ) {
      throw new RangeError(`Cannot read ${byteLength} bytes of an option`);
    }
    const value = new Uint8Array(new ArrayBuffer(byteLength));
    const length = Uint32Array.of(byteLength);
    const fd = openFd(this);
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
    const bytes = typeof value === "number" ? intOf(value) : value;
    const length = checkMemory(bytes, bytes?.byteLength);
    const fd = openFd(this);
    const result = libc().setsockopt(fd, level, number, bytes, length);
    if (result < 0) throw systemError("setsockopt", -result);
  }

  /**
   * Joins a multicast group: the socket receives datagrams to it from now on.
   *
   * @param group The group's numeric address
   * @param networkInterface For IPv4 the address of the interface, for IPv6 its
   *   number or its name. Default: the system chooses
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

  #setMembership(
    group: string,
    networkInterface: string | number | undefined,
    join: boolean,
  ): void {
    const membership = this.domain === "IPv6" ? membershipIPv6 : membershipIPv4;
    const { level, number, value } = membership(group, networkInterface, join);
    this.setRawOption(level, number, value);
  }

  /**
   * Ends one direction of a connection, as shutdown(2) does. After "write" the peer
   * reads to end of file, and may still send.
   *
   * @param direction "read", "write" or "both"
   * @throws {TypeError} if there is no such direction
   * @throws {SystemError} `Deno.errors.NotConnected`
   */
  shutdown(direction: ShutdownDirection): void {
    const how = shutdownNumber(direction);
    const result = libc().shutdown(openFd(this), how);
    if (result < 0) throw systemError("shutdown", -result);
  }

  /**
   * Takes the pending error (SO_ERROR) off the socket: the result of a connect, or
   * an error that an ICMP message reported.
   *
   * @param syscall The call that the error names as the failed one
   * @param detail The subject of that call, as in the address of a connect
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
   * Makes `close()` reset a TCP connection instead of ending it, so that the peer
   * learns of the loss (SO_LINGER with a time of 0).
   */
  resetOnClose(): void {
    const { SOL_SOCKET, SO_LINGER } = system().constants;
    // struct linger { int l_onoff; int l_linger; }, of which Windows has two halves of
    // the first word; an error does no harm here.
    libc().setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, Int32Array.of(1, 0), 8);
  }

  /**
   * Lets calls on this socket wait, for a plain client. A call that waits stops
   * everything in its thread.
   *
   * @param blocking Whether calls wait. A new socket's calls do not
   */
  setBlocking(blocking: boolean): void {
    setBlocking(openFd(this), blocking);
  }

  /**
   * Gives the descriptor away: the caller has to close it.
   *
   * @returns the descriptor; the socket counts as closed from now on
   * @throws {Deno.errors.BadResource} if the socket is closed
   */
  detach(): number {
    const fd = openFd(this);
    this.#fd = -1;
    return fd;
  }

  /**
   * Closes the socket. Closing it again does nothing, even if another file has its
   * number by then. Unregister it from its selector first.
   */
  close(): void {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    notifyClose(fd);
    this.#fd = -1;
    closeFd(fd);
  }

  /** Closes the socket at the end of a `using` scope. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The SHUT_* number of a direction. */
function shutdownNumber(direction: ShutdownDirection): number {
  const { SHUT_RD, SHUT_WR, SHUT_RDWR } = system().constants;
  switch (direction) {
    case "read":
      return SHUT_RD;
    case "write":
      return SHUT_WR;
    case "both":
      return SHUT_RDWR;
    default:
      throw new TypeError(
        `Cannot shut down "${direction}": it must be "read", "write" or "both"`,
      );
  }
}

/** Memory for the value of an option. The system has read it when a call returns. */
const int = new Int32Array(new ArrayBuffer(4));

function intOf(value: number): Int32Array<ArrayBuffer> {
  int[0] = value;
  return int;
}

/**
 * The descriptor of an open socket.
 *
 * @throws {Deno.errors.BadResource} if the socket is closed
 */
export function openFd({ fd }: { readonly fd: number }): number {
  if (fd === -1) throw closedError();
  return fd;
}

/** The error of a call on a closed socket. */
export function closedError(): Error {
  return new Deno.errors.BadResource("Socket is closed");
}
