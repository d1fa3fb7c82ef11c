/**
 * From an error number to the error that a Deno program expects.
 *
 * @module
 */

import { libc } from "./libc.ts";
import { system } from "./current_system.ts";
import { type Winsock, winsock } from "./winsock.ts";

/**
 * An error of the operating system, as every failed call throws it. It is an instance
 * of the matching `Deno.errors.*` class, a `TypeError` for `EINVAL`, or a plain
 * `Error` if Deno has no class.
 *
 * The message is Deno's own, then the call and its object, as in `Connection refused
 * (os error 111): connect 127.0.0.1:8001`. `EMFILE` and `ENFILE` have no stack: to print
 * one takes a descriptor, without which Deno ends the process.
 *
 * Source of the names: `<errno.h>`.
 */
export interface SystemError extends Error {
  /** The name of the error number in `<errno.h>`, as in "ECONNREFUSED". */
  readonly code: string;
  /** The error number of this system, as in 111. */
  readonly errno: number;
  /** The call that failed, as in "connect". */
  readonly syscall: string;
  /** The subject of the call, if it is known: an address, a path, a descriptor. */
  readonly detail?: string;
}

type ErrorClass = new (message: string) => Error;

/** The classes that Deno itself throws; an error without a row is a plain `Error`. */
const classes: Readonly<Record<string, ErrorClass>> = {
  EPERM: Deno.errors.PermissionDenied,
  EACCES: Deno.errors.PermissionDenied,
  ENOENT: Deno.errors.NotFound,
  EINTR: Deno.errors.Interrupted,
  EBADF: Deno.errors.BadResource,
  EAGAIN: Deno.errors.WouldBlock,
  EBUSY: Deno.errors.Busy,
  EEXIST: Deno.errors.AlreadyExists,
  ENOTDIR: Deno.errors.NotADirectory,
  EISDIR: Deno.errors.IsADirectory,
  EINVAL: TypeError,
  EPIPE: Deno.errors.BrokenPipe,
  ELOOP: Deno.errors.FilesystemLoop,
  ENOSYS: Deno.errors.NotSupported,
  EOPNOTSUPP: Deno.errors.NotSupported,
  ENOTSUP: Deno.errors.NotSupported,
  EAFNOSUPPORT: Deno.errors.NotSupported,
  EPROTONOSUPPORT: Deno.errors.NotSupported,
  EADDRINUSE: Deno.errors.AddrInUse,
  EADDRNOTAVAIL: Deno.errors.AddrNotAvailable,
  ENETUNREACH: Deno.errors.NetworkUnreachable,
  ENETDOWN: Deno.errors.NetworkUnreachable,
  EHOSTUNREACH: Deno.errors.NetworkUnreachable,
  ECONNABORTED: Deno.errors.ConnectionAborted,
  ECONNRESET: Deno.errors.ConnectionReset,
  ENOTCONN: Deno.errors.NotConnected,
  ETIMEDOUT: Deno.errors.TimedOut,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
};

let names: Map<number, string> | undefined;

/**
 * Returns the name of an error number, as in "EAGAIN"; "E" and the number if
 * `<errno.h>` has none.
 */
export function errnoName(errno: number): string {
  names ??= new Map(
    Object.entries(system().errno).map(([name, number]) => [number, name]),
  );
  for (const [number, name] of Object.entries(system().errnoNames ?? {})) {
    names.set(Number(number), name);
  }
  return names.get(errno) ?? `E${errno}`;
}

/** FORMAT_MESSAGE_FROM_SYSTEM and FORMAT_MESSAGE_IGNORE_INSERTS of `<winbase.h>`. */
const FROM_SYSTEM = 0x1000;
const IGNORE_INSERTS = 0x200;

/**
 * Returns the message of the system for an error number, as in "Connection refused". On
 * Windows it is in the language of the user, as in Deno's own errors.
 */
export function errnoMessage(errno: number): string {
  if (winsock !== null) return windowsMessage(winsock, errno);
  const text = new Uint8Array(new ArrayBuffer(256));
  libc().strerror_r(errno, text, text.length);
  const length = text.indexOf(0);
  return new TextDecoder().decode(text.subarray(0, length)) ||
    `Unknown error ${errno}`;
}

function windowsMessage({ FormatMessageW }: Winsock, number: number): string {
  const text = new Uint16Array(new ArrayBuffer(1024));
  const flags = FROM_SYSTEM | IGNORE_INSERTS;
  const length = FormatMessageW(
    flags,
    null,
    number,
    0,
    text,
    text.length,
    null,
  );
  // Without a text, 317 is ERROR_MR_MID_NOT_FOUND, in the words of Rust and Deno.
  return String.fromCharCode(...text.subarray(0, length)).trimEnd() ||
    `OS Error ${number} (FormatMessageW() returned error 317)`;
}

/**
 * Creates the error of a failed call with Deno's own message, as in `Connection
 * refused (os error 111)`. With a detail it ends as Deno's file errors do, in
 * `: connect 127.0.0.1:8001`.
 *
 * @param syscall The call that failed, as in "connect"
 * @param errno Its error number
 * @param detail The subject of the call: an address, a path, a descriptor
 */
export function systemError(
  syscall: string,
  errno: number,
  detail?: string,
): SystemError {
  const code = errnoName(errno);
  const object = detail === undefined ? "" : `: ${syscall} ${detail}`;
  const message = `${errnoMessage(errno)} (os error ${errno})${object}`;
  const error = OUT_OF_DESCRIPTORS.has(code)
    ? withoutStack(() => new Error(message))
    : new (classes[code] ?? Error)(message);
  const properties = { code, errno, syscall };
  return Object.assign(
    error,
    detail === undefined ? properties : { ...properties, detail },
  );
}

/** The errors of a program without the descriptors that printing a stack takes. */
const OUT_OF_DESCRIPTORS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);

/**
 * Makes an error whose stack has no frames. Deno opens files to print the lines of a
 * stack, and ends the process if it cannot. Printing such an error, or leaving it
 * uncaught, would end the program.
 */
function withoutStack(make: () => Error): Error {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * Whether an error came from the operating system.
 *
 * @example
 * ```ts
 * import { close, isSystemError, Socket } from "@pollux/reactor/socket";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using socket = Socket.create();
 * try {
 *   socket.bind({ hostname: "192.0.2.1", port: 8001 }); // not an address of this machine
 * } catch (error) {
 *   assert(isSystemError(error) && error instanceof Deno.errors.AddrNotAvailable);
 *   assertEquals([error.code, error.syscall], ["EADDRNOTAVAIL", "bind"]);
 * }
 * ```
 */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "errno" in error && "syscall" in error;
}
