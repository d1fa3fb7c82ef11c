/**
 * The C library's functions, each opened at its first call, never at import.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { openFunctions } from "./library.ts";
import { functions } from "./symbols.ts";

/** The opened functions, ready to be called. */
export type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

/** The name that this system gives the symbol of a function. */
function symbolName(key: keyof Libc): string {
  const definition: Deno.ForeignFunction | Deno.ForeignStatic = functions[key];
  const { renamedSymbols, strerrorSymbol } = system();
  const renamed = { ...renamedSymbols, strerror_r: strerrorSymbol };
  const symbol = definition.name ?? key;
  return renamed[symbol as keyof typeof renamed] ?? symbol;
}

/** Compiles the call of one function; null if it is optional and missing. */
function openFunction(key: keyof Libc): unknown {
  const name = symbolName(key);
  return openFunctions({ [key]: { ...functions[key], name } })[key];
}

/**
 * An object with a getter for each function, which opens it at its first use. Opening
 * all of them takes 9 ms, and a program uses a few. V8 compiles a getter into its
 * callers, so a call costs the same as without.
 */
function lazyFunctions(): Libc {
  const getters = Object.keys(functions).map((key) => {
    let opened: unknown;
    const get = (): unknown =>
      opened === undefined ? opened = openFunction(key as keyof Libc) : opened;
    return [key, { get, enumerable: true }];
  });
  return Object.defineProperties({}, Object.fromEntries(getters)) as Libc;
}

const lazy: Libc = lazyFunctions();

/**
 * The C library's functions, each opened at its first call. One that fails returns
 * its error number, negated: see `errno.ts`.
 *
 * @throws as `libraryPath`, at the first call
 */
export function libc(): Libc {
  return lazy;
}

/**
 * Opens every function of the C library now, for tests with Deno's resource
 * sanitizer. Functions stay open as long as the program, and the sanitizer takes
 * one that opens during a test for a leak. Call it outside of the tests.
 *
 * @param calls Functions of `bindCalls()` to open instead, if your module keeps them
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} if none of the known libraries exists
 *
 * @example
 * ```ts
 * import { openLibrary } from "@pollux/reactor/socket";
 *
 * openLibrary(); // at the top of a test file
 * ```
 */
export function openLibrary(calls: object = lazy): void {
  for (const key of Object.keys(calls)) void calls[key as keyof typeof calls];
}

/** The address of a buffer's first byte, for the structs that hold pointers. */
export function addressOf(buffer: BufferSource): bigint {
  return libc().addressOf(buffer, buffer, 0);
}

/** `fcntl(fd, operation, argument)` or -errno, by this system's variadic convention. */
export function fcntl(fd: number, operation: number, argument = 0): number {
  return system().variadicOnStack
    ? libc().fcntlOnStack(fd, operation, 0, 0, 0, 0, 0, 0, argument)
    : libc().fcntl(fd, operation, argument);
}

/** `ioctl(fd, request, argument)` or -errno, by this system's variadic convention. */
export function ioctl(
  fd: number,
  request: number,
  argument: BufferSource | number | null,
): number {
  const calls = libc();
  if (typeof argument === "number") {
    return system().variadicOnStack
      ? calls.ioctlNumberOnStack(fd, request, 0, 0, 0, 0, 0, 0, argument)
      : calls.ioctlNumber!(fd, request, argument);
  }
  return system().variadicOnStack
    ? calls.ioctlOnStack(fd, request, 0, 0, 0, 0, 0, 0, argument)
    : calls.ioctl!(fd, request, argument);
}

/** `open(path, flags, mode)` or -errno, by this system's variadic convention. */
export function open(
  path: Uint8Array<ArrayBuffer>,
  flags: number,
  mode = 0,
): number {
  return system().variadicOnStack
    ? libc().openOnStack(path, flags, 0, 0, 0, 0, 0, 0, mode)
    : libc().open(path, flags, mode);
}

/** `openat(directory, path, flags, mode)` or -errno, by this system's variadic convention. */
export function openat(
  directory: number,
  path: Uint8Array<ArrayBuffer>,
  flags: number,
  mode = 0,
): number {
  return system().variadicOnStack
    ? libc().openatOnStack(directory, path, flags, 0, 0, 0, 0, 0, mode)
    : libc().openat(directory, path, flags, mode);
}
