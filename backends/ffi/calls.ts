/**
 * Your own calls of the C library, or of any other library, done right. The error
 * number of a failed call is taken before other code can overwrite it. A call that a
 * signal interrupts is repeated, and variadic functions work on every processor.
 *
 * The narrow permission is enough: `--allow-ffi=` with the path of the library, which
 * `ffiPermissionFlag()` of `@pollux/reactor/socket` returns for the C library.
 *
 * @example inotify, which Deno has no descriptor of
 * ```ts
 * import { bindCalls, cString } from "@pollux/reactor/ffi";
 * import { close, read } from "@pollux/reactor/socket";
 *
 * using c = bindCalls({
 *   // int inotify_init1(int flags)
 *   inotify_init1: { parameters: ["i32"], result: "i32" },
 *   // int inotify_add_watch(int fd, const char *pathname, uint32_t mask)
 *   inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
 * });
 * const IN_NONBLOCK = 0x800, IN_CREATE = 0x100;
 * if (Deno.build.os === "linux") {
 *   const fd = c.inotify_init1(IN_NONBLOCK);
 *   c.inotify_add_watch(fd, cString("/tmp"), IN_CREATE);
 *   read(fd, new Uint8Array(4096)); // or register it with a reactor
 *   close(fd);
 * }
 * ```
 *
 * @module
 */

import {
  type CallDefinition,
  checkDefinition,
  Library,
  openCall,
} from "./bound_call.ts";
import {
  fileDescriptor,
  type FileObject,
  retrying,
  WOULD_BLOCK,
} from "./descriptor.ts";
import { type SystemError, systemError } from "./errors.ts";
import { addressOf, ioctl as callIoctl } from "./libc.ts";
import { libraryPath } from "./library.ts";
import { checkMemory } from "./memory.ts";
import { encodePath } from "./unix_path.ts";

export { findLibrary } from "./find_library.ts";
export { bytesAt, type ForeignAddress, textAt } from "./foreign_memory.ts";
export { EventFd, type EventFdOptions } from "./event_fd.ts";
export {
  TimerFd,
  type TimerFdClock,
  type TimerFdEvent,
  type TimerFdOptions,
} from "./timer_fd.ts";
export {
  addressOf,
  type CallDefinition,
  type FileObject,
  libraryPath,
  type SystemError,
  systemError,
  WOULD_BLOCK,
};

/** Definitions by name, as `bindCalls()` takes them. */
export type CallDefinitions = Readonly<Record<string, CallDefinition>>;

/** The function of a definition. */
export type Call<D extends CallDefinition> = Deno.DynamicLibrary<{
  call: {
    parameters: [
      ...D["parameters"],
      ...D["variadic"] extends readonly Deno.NativeType[] ? D["variadic"] : [],
    ];
    result: D["result"];
    nonblocking: D["nonblocking"] extends true ? true : false;
  };
}>["symbols"]["call"];

/**
 * The functions that `bindCalls()` returns. Disposing of them closes the library: each
 * throws `Deno.errors.BadResource` after that. One that you have put in a variable of
 * yours must not be called any more, because its code is gone.
 */
export type Calls<T extends CallDefinitions> =
  & Disposable
  & {
    readonly [Name in keyof T]: T[Name]["optional"] extends true
      ? Call<T[Name]> | null
      : Call<T[Name]>;
  };

/**
 * Binds functions of a library. Each is opened at its first use, so nothing is
 * opened for functions that you do not call. Deno's sanitizer takes a function that
 * is first used in a test for a leak, unless `openLibrary()` has opened it before.
 *
 * A function returns its result, and throws a `SystemError` with the error number if
 * it fails.
 *
 * @param definitions The functions, by their names
 * @param library The path of a library. Default: the C library
 * @returns the functions. The first use of each throws `Deno.errors.NotCapable`
 *   without permission, `Deno.errors.NotFound` without the library, and
 *   `Deno.errors.NotSupported` if the library lacks the function
 * @throws {TypeError} if a definition has an unknown key or type, or variadic floats
 *
 * @example
 * ```ts
 * import { bindCalls } from "@pollux/reactor/ffi";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * using c = bindCalls({
 *   // int getpgid(pid_t pid)
 *   getpgid: { parameters: ["i32"], result: "i32" },
 * });
 * assertEquals(c.getpgid(0), c.getpgid(Deno.pid));
 * assertThrows(() => c.getpgid(-1), Error, "(os error 3)"); // ESRCH
 * ```
 */
export function bindCalls<const T extends CallDefinitions>(
  definitions: T,
  library?: string,
): Calls<T> {
  const from = new Library(library);
  const forget: (() => void)[] = [];
  const getters = Object.entries(definitions).map(([key, definition]) => {
    checkDefinition(key, definition);
    let call: unknown;
    forget.push(() => call = undefined);
    const get = (): unknown =>
      call === undefined
        ? call = openCall(definition.name ?? key, definition, from)
        : call;
    return [key, { get, enumerable: true }];
  });
  const calls: object = {
    [Symbol.dispose](): void {
      from.close();
      for (const each of forget) each();
    },
  };
  Object.defineProperties(calls, Object.fromEntries(getters));
  return calls as Calls<T>;
}

/**
 * Returns a text as C has it: UTF-8 and a NUL. A lone surrogate from U+DC80 to U+DCFF
 * is the byte that it stands for in the paths of Unix sockets.
 *
 * @throws {TypeError} if the text has a NUL inside, or another lone surrogate
 *
 * @example
 * ```ts
 * import { cString } from "@pollux/reactor/ffi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(cString("tmp"), Uint8Array.of(0x74, 0x6d, 0x70, 0));
 * ```
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (!text.includes("\0")) return encodePath(`${text}\0`);
  throw new TypeError(
    `Cannot use ${JSON.stringify(text)} as a C string: it contains a NUL`,
  );
}

/**
 * Controls a device, as ioctl(2) does.
 *
 * @param fileobj A descriptor, or an object with one
 * @param request The number of the request, such as TIOCGWINSZ
 * @param argument Memory that the request reads or fills, or a number. Default: a
 *   null pointer
 * @returns the result, which is 0 for most requests
 * @throws {RangeError} if the request is no whole number of 32 bits
 * @throws {SystemError} `ENOTTY` if the file does not know the request, and others
 *
 * @example The bytes that wait in a pipe
 * ```ts
 * import { ioctl } from "@pollux/reactor/ffi";
 * import { close, pipe, write } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [reader, writer] = pipe();
 * write(writer, new Uint8Array(5));
 * const FIONREAD = Deno.build.os === "linux" ? 0x541b : 0x4004667f;
 * const count = new Int32Array(1);
 * ioctl(reader, FIONREAD, count);
 * assertEquals(count[0], 5);
 * close(reader);
 * close(writer);
 * ```
 */
export function ioctl(
  fileobj: FileObject,
  request: number,
  argument: BufferSource | number | null = null,
): number {
  const fd = fileDescriptor(fileobj);
  if (!Number.isInteger(request) || request < 0 || request > 0xffff_ffff) {
    throw new RangeError(`Cannot use ${request} as the request of an ioctl`);
  }
  if (argument !== null && typeof argument !== "number") {
    checkMemory(argument, argument?.byteLength);
  }
  return retrying("ioctl", () => callIoctl(fd, request, argument));
}
