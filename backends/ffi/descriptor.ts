/**
 * Plain file descriptors: the counterpart of Python's `os` module.
 *
 * @module
 */

import { notifyClose } from "./close_watch.ts";
import { system } from "./current_system.ts";
import { systemError } from "./errors.ts";
import { fcntl, libc } from "./libc.ts";
import { checkMemory } from "./memory.ts";
import {
  duplicateSocket,
  isOpenSocket,
  setNotInherited,
  setSocketBlocking,
} from "./windows_socket.ts";
import { MOST_AT_ONCE, winsock } from "./winsock.ts";

/** The result of a read, a write or a receive that would have to wait. */
export const WOULD_BLOCK: -1 = -1;

/** Anything that has a file descriptor: its number, or an object with an `fd`. */
export type FileObject = number | { readonly fd: number };

/** The largest number that C's `int` can carry. */
const INT_MAX = 0x7fff_ffff;

/**
 * The number of a file object.
 *
 * @param fileobj A number, or an object with an `fd`
 * @throws {TypeError} if it has no number
 * @throws {RangeError} if the number is negative, as after `close()`, or too large
 */
export function fileDescriptor(fileobj: FileObject): number {
  const fd: unknown = typeof fileobj === "object" && fileobj !== null
    ? fileobj.fd
    : fileobj;
  if (typeof fd !== "number" || !Number.isInteger(fd)) {
    throw new TypeError(`Cannot use ${describe(fd)} as a file descriptor`);
  }
  if (fd < 0 || fd > INT_MAX) {
    throw new RangeError(`Cannot use ${fd} as a file descriptor`);
  }
  return fd;
}

function describe(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** Whether pipes, terminals and files have descriptors; on Windows only sockets have. */
export const hasPipes: boolean = winsock === null;

let again = -1;

/**
 * Whether a failed receive has filled its memory. A datagram that does not fit is an
 * error of Winsock's, WSAEMSGSIZE, though its first bytes are received.
 */
export function isCutShort(number: number): boolean {
  return winsock !== null && number === system().errno.EMSGSIZE;
}

/**
 * Sorts the failure of a call.
 *
 * @param syscall The call, as in "recv"
 * @param number Its error number
 * @returns true if the call would have to wait; false if a signal interrupted it, and
 *   the caller has to repeat it
 * @throws {SystemError} for every other error
 */
export function wouldBlock(syscall: string, number: number): boolean {
  if (again === -1) again = system().errno.EAGAIN!;
  if (number === again) return true;
  if (number === system().errno.EINTR) return false;
  throw systemError(syscall, number);
}

/**
 * Repeats a call that a signal interrupted.
 *
 * @param call Returns its result or -errno
 * @param detail The subject of the call, for the message of an error
 * @throws {SystemError} for every other error
 */
export function retrying(
  syscall: string,
  call: () => number,
  detail?: string,
): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    if (-result !== system().errno.EINTR) {
      throw systemError(syscall, -result, detail);
    }
  }
}

/**
 * Reads available bytes, as read(2) does. From a descriptor that blocks, such as
 * standard input, it waits.
 *
 * @param fileobj A descriptor, or an object with one
 * @param buffer Room for the bytes
 * @returns the number of bytes; 0 at end of file and for an empty buffer;
 *   `WOULD_BLOCK` (-1) if nothing is available
 * @throws {TypeError} if it is no buffer, or one that was transferred away
 * @throws {SystemError} if the call fails
 */
export function read(fileobj: FileObject, buffer: BufferSource): number {
  const fd = fileDescriptor(fileobj);
  const length = checkMemory(buffer, buffer?.byteLength);
  for (;;) {
    const count = winsock === null
      ? libc().read(fd, buffer, length)
      : libc().recv(fd, buffer, length, 0);
    if (count >= 0) return count;
    if (wouldBlock("read", -count)) return WOULD_BLOCK;
  }
}

/**
 * Writes as much as fits now, as write(2) does. To a descriptor that blocks it waits
 * until everything fits.
 *
 * @param fileobj A descriptor, or an object with one
 * @param data The bytes
 * @returns the number of bytes that were taken, `WOULD_BLOCK` (-1) if there is no
 *   room
 * @throws {TypeError} if it is no buffer, or one that was transferred away
 * @throws {SystemError} if the call fails: `Deno.errors.BrokenPipe` if the read end
 *   is closed
 */
export function write(fileobj: FileObject, data: BufferSource): number {
  const fd = fileDescriptor(fileobj);
  const length = checkMemory(data, data?.byteLength);
  for (;;) {
    const count = winsock === null
      ? libc().write(fd, data, length)
      : libc().send(fd, data, Math.min(length, MOST_AT_ONCE), 0);
    if (count >= 0) return count;
    if (wouldBlock("write", -count)) return WOULD_BLOCK;
  }
}

/**
 * Closes a descriptor. It is closed even if the call reports an error. So a close is
 * never repeated after EINTR: another file may have the number by then (close(2),
 * "Dealing with error returns from close()").
 *
 * @throws {SystemError} if the number was not open
 */
export function close(fd: number): void {
  notifyClose(fileDescriptor(fd));
  const result = closeFd(fd);
  if (result >= 0 || -result === system().errno.EINTR) return;
  throw systemError("close", -result);
}

/** close(2), by its number: the result or -errno. */
export function closeFd(fd: number): number {
  return winsock === null ? libc().close(fd) : winsock.closesocket(fd);
}

/**
 * Makes a descriptor blocking or non-blocking.
 *
 * The flag belongs to the open file, not to the number. Other processes that share
 * the file, such as the shell behind standard input, see the change too.
 *
 * @param fileobj A descriptor, or an object with one
 * @param blocking Whether calls on it wait
 * @throws {SystemError} if the number is not open
 */
export function setBlocking(fileobj: FileObject, blocking: boolean): void {
  const fd = fileDescriptor(fileobj);
  if (winsock !== null) return setSocketBlocking(winsock, fd, blocking);
  const { F_GETFL, F_SETFL, O_NONBLOCK } = system().constants;
  const flags = retrying("fcntl", () => fcntl(fd, F_GETFL));
  const wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (wanted !== flags) retrying("fcntl", () => fcntl(fd, F_SETFL, wanted));
}

/**
 * Whether calls on a descriptor wait.
 *
 * @throws {Deno.errors.NotSupported} on Windows, which cannot be asked
 * @throws {SystemError} if the number is not open
 */
export function isBlocking(fileobj: FileObject): boolean {
  const fd = fileDescriptor(fileobj);
  if (winsock !== null) throw lacking("way to ask whether calls wait");
  const { F_GETFL, O_NONBLOCK } = system().constants;
  return (retrying("fcntl", () => fcntl(fd, F_GETFL)) & O_NONBLOCK) === 0;
}

/** The error of a call that Windows has no counterpart of. */
export function lacking(what: string): Error {
  return new Deno.errors.NotSupported(`${system().name} has no ${what}`);
}

/**
 * Checks that files, pipes and terminals have descriptors here.
 *
 * @throws {Deno.errors.NotSupported} on Windows
 */
export function requireFiles(): void {
  if (!hasPipes) throw lacking("readiness of files, pipes and consoles");
}

/** Whether a number is an open descriptor of this process. */
export function isOpen(fd: number): boolean {
  if (winsock !== null) return isOpenSocket(fd);
  return fcntl(fd, system().constants.F_GETFD) >= 0;
}

/** Has a descriptor closed in child processes. */
export function setCloseOnExec(fd: number): void {
  if (winsock !== null) return setNotInherited(winsock, fd);
  const { F_SETFD, FD_CLOEXEC } = system().constants;
  retrying("fcntl", () => fcntl(fd, F_SETFD, FD_CLOEXEC));
}

/**
 * Creates a pipe, non-blocking and close-on-exec at both ends.
 *
 * @returns the read end and the write end, as in pipe(2)
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} on Windows, whose pipes have no readiness:
 *   `socketPair()` works everywhere
 * @throws {SystemError} if there are no descriptors left
 *
 * @example
 * ```ts
 * import { close, pipe, read, WOULD_BLOCK, write } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [reader, writer] = pipe();
 * const buffer = new Uint8Array(16);
 * assertEquals(read(reader, buffer), WOULD_BLOCK);
 * write(writer, new TextEncoder().encode("hello"));
 * assertEquals(read(reader, buffer), 5);
 * close(writer);
 * assertEquals(read(reader, buffer), 0); // end of file
 * close(reader);
 * ```
 */
export function pipe(): [reader: number, writer: number] {
  requireFiles();
  const ends = new Int32Array(new ArrayBuffer(8));
  const { O_NONBLOCK, O_CLOEXEC } = system().constants;
  const { pipe, pipe2 } = libc();
  if (pipe2 !== null) {
    retrying("pipe2", () => pipe2(ends, O_NONBLOCK | O_CLOEXEC));
  } else {
    retrying("pipe", () => pipe(ends));
    for (const fd of ends) {
      setBlocking(fd, false);
      setCloseOnExec(fd);
    }
  }
  return [ends[0]!, ends[1]!];
}

/**
 * Checks that so many descriptors can be opened.
 *
 * @throws {SystemError} `EMFILE` or `ENFILE` if there are fewer
 */
export function requireDescriptors(count: number): void {
  // A process of Windows may have 16 million handles.
  if (winsock !== null) return;
  const [reader, writer] = pipe();
  const taken = [reader, writer];
  try {
    while (taken.length < count) taken.push(dup(reader));
  } finally {
    for (const fd of taken) close(fd);
  }
}

/**
 * Returns another number for the same open file, as dup(2) does. The new descriptor
 * is close-on-exec, even if the original is not.
 *
 * @throws {SystemError} if the number is not open, or there are none left
 */
export function dup(fileobj: FileObject): number {
  const fd = fileDescriptor(fileobj);
  if (winsock !== null) return duplicateSocket(winsock, fd);
  const copy = retrying("dup", () => libc().dup(fd));
  setCloseOnExec(copy);
  return copy;
}
