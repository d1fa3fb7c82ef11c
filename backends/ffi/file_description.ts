/**
 * Says what a descriptor is, from the system: a socket with its addresses, a pipe, a
 * terminal, an epoll instance.
 *
 * Nothing is changed, and no data is read.
 *
 * @module
 */

import { isWindows, system } from "./current_system.ts";
import { isSystemError } from "./errors.ts";
import { fileCalls } from "./file_calls.ts";
import { statusOf } from "./file_status.ts";
import { libc } from "./libc.ts";
import {
  addressBytes,
  addressLength,
  expectAddress,
  receivedAddress,
} from "./received_address.ts";
import {
  domainOfFamily,
  readFamily,
  type SocketAddress,
  type SocketDomain,
} from "./socket_address.ts";
import { type SocketType, typeOfNumber } from "./socket_fd.ts";
import {
  fileType,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFREG,
  S_IFSOCK,
} from "./structs/stat.ts";
import { isTerminal } from "./terminal.ts";

/**
 * The kinds of descriptors. Those from "epoll" to "pidfd" are Linux's. A number that is
 * not open is "closed", as the -1 of a connection that is still connecting.
 */
export type FileKind =
  | "socket"
  | "pipe"
  | "terminal"
  | "device"
  | "file"
  | "directory"
  | "epoll"
  | "eventfd"
  | "timerfd"
  | "signalfd"
  | "inotify"
  | "pidfd"
  | "other"
  | "closed";

/**
 * The answer of the system for a descriptor. A field that does not apply is null.
 *
 * Sources: fstat(2), getsockname(2), getpeername(2), socket(7), proc_pid_fd(5).
 */
export interface FileDescription {
  /** The kind of the descriptor. */
  readonly kind: FileKind;
  /** Of a socket, the kind of its addresses. */
  readonly domain: SocketDomain | null;
  /** Of a socket, how it carries data. */
  readonly type: SocketType | "other" | null;
  /** Whether it is a listening socket. */
  readonly listening: boolean;
  /** Of an IP or a Unix socket, its own address. */
  readonly localAddress: SocketAddress | null;
  /** Of an IP or a Unix socket, the address of its peer. */
  readonly remoteAddress: SocketAddress | null;
  /** The path of a file, a terminal or a device; Linux only. */
  readonly path: string | null;
}

const NOTHING: FileDescription = {
  kind: "other",
  domain: null,
  type: null,
  listening: false,
  localAddress: null,
  remoteAddress: null,
  path: null,
};

/** Linux's names of files without an inode of their own, as /proc has them. */
const ANONYMOUS: Readonly<Record<string, FileKind>> = {
  "[eventpoll]": "epoll",
  "[eventfd]": "eventfd",
  "[timerfd]": "timerfd",
  "[signalfd]": "signalfd",
  "inotify": "inotify",
  "[pidfd]": "pidfd",
};

/** Describes a descriptor. A number that is not open is no error. */
export function describeFile(fd: number): FileDescription {
  const type = typeOf(fd);
  switch (type) {
    case null:
      return { ...NOTHING, kind: "closed" };
    case S_IFSOCK:
      return describeSocket(fd);
    case S_IFIFO:
      return { ...NOTHING, kind: "pipe", path: namedPath(fd) };
    case S_IFCHR:
      return {
        ...NOTHING,
        kind: isTerminal(fd) ? "terminal" : "device",
        path: namedPath(fd),
      };
    case S_IFBLK:
      return { ...NOTHING, kind: "device", path: namedPath(fd) };
    case S_IFREG:
      return describeRegular(fd);
    case S_IFDIR:
      return { ...NOTHING, kind: "directory", path: namedPath(fd) };
    default:
      return { ...NOTHING, kind: anonymousKind(fd) };
  }
}

/**
 * Returns the type of a file, one of S_IF*; null if the number is not open. Windows has
 * sockets alone.
 */
function typeOf(fd: number): number | null {
  if (isWindows) {
    const type = socketOption(fd, system().constants.SO_TYPE);
    return type === null ? null : S_IFSOCK;
  }
  try {
    return fileType(statusOf(fd).mode);
  } catch (error) {
    if (isSystemError(error)) return null;
    throw error;
  }
}

function describeSocket(fd: number): FileDescription {
  const { constants } = system();
  const type = socketOption(fd, constants.SO_TYPE);
  const result = getName(libc().getsockname, fd);
  const hasName = result >= 0 && addressLength[0]! > 0;
  const family = hasName
    ? readFamily(addressBytes, system())
    : constants.AF_UNIX;
  const localAddress = hasName ? readableAddress() : null;
  const hasPeer = getName(libc().getpeername, fd) >= 0;
  return {
    ...NOTHING,
    kind: "socket",
    domain: domainOfFamily(family, system()),
    type: type === null ? null : typeOfNumber(type),
    listening: socketOption(fd, constants.SO_ACCEPTCONN) === 1,
    localAddress,
    remoteAddress: hasPeer ? readableAddress() : null,
  };
}

/** Calls getsockname(2) or getpeername(2). */
function getName(
  call: ReturnType<typeof libc>["getsockname"],
  fd: number,
): number {
  expectAddress();
  return call(fd, addressBytes, addressLength);
}

/** Returns the address that was just received; null of a domain without a codec. */
function readableAddress(): SocketAddress | null {
  try {
    const address = receivedAddress();
    return "path" in address || "hostname" in address ? address : null;
  } catch {
    return null;
  }
}

const value = new Int32Array(new ArrayBuffer(4));
const valueLength = new Uint32Array(new ArrayBuffer(4));

/** Returns an option of the socket level; null if the socket does not have it. */
function socketOption(fd: number, number: number): number | null {
  valueLength[0] = 4;
  const { SOL_SOCKET } = system().constants;
  const { getsockopt } = libc();
  const result = getsockopt(fd, SOL_SOCKET, number, value, valueLength);
  return result < 0 ? null : value[0]!;
}

/** Describes a regular file. A pidfd of Linux 6.9 and later counts as one. */
function describeRegular(fd: number): FileDescription {
  const kind = anonymousKind(fd);
  return kind === "other"
    ? { ...NOTHING, kind: "file", path: namedPath(fd) }
    : { ...NOTHING, kind };
}

/** Returns the kind that the link of a descriptor in /proc names: Linux only. */
function anonymousKind(fd: number): FileKind {
  const link = linkOf(fd) ?? "";
  if (link.startsWith("pidfd:")) return "pidfd";
  return ANONYMOUS[link.replace(/^anon_inode:/, "")] ?? "other";
}

/** Returns the path of a file that has one. */
function namedPath(fd: number): string | null {
  const link = linkOf(fd);
  return link?.startsWith("/") ? link : null;
}

/** PATH_MAX of `<linux/limits.h>`. */
const target = new Uint8Array(new ArrayBuffer(4096));
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the link of a descriptor in /proc; null on other systems. */
function linkOf(fd: number): string | null {
  if (system().os !== "linux") return null;
  const name = encoder.encode(`/proc/self/fd/${fd}\0`);
  const { currentDirectory } = system();
  const length = fileCalls.readlinkat(
    currentDirectory,
    name,
    target,
    target.length,
  );
  return length < 0 ? null : decoder.decode(target.subarray(0, length));
}
