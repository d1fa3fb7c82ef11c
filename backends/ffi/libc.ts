/**
 * The C library's functions, each opened at its first call, never at import.
 *
 * @module
 */

import { isWindows, system } from "./current_system.ts";
import { openFunctions } from "./library.ts";
import { type Functions, tables } from "./symbols.ts";

type Table = Deno.ForeignLibraryInterface;

/** The functions of a table, ready to be called. */
export type Calls<T extends Table> = Deno.DynamicLibrary<T>["symbols"];

/** The functions of the C library, ready to be called. */
export type Libc = Calls<Functions>;

/** The name that this system gives a symbol. */
function symbolName(symbol: string): string {
  const { renamedSymbols, strerrorSymbol } = system();
  const renamed = { ...renamedSymbols, strerror_r: strerrorSymbol };
  return renamed[symbol as keyof typeof renamed] ?? symbol;
}

/** Compiles the call of one function; null if it is optional and missing. */
function openFunction(key: string, table: Table): unknown {
  const definition = table[key]!;
  const name = symbolName(definition.name ?? key);
  return openFunctions({ [key]: { ...definition, name } })[key];
}

/** Puts another function in the place of one. */
type Setter = (call: unknown) => void;

/** Adds a getter for a function, which opens it at its first use. */
function addFunction(target: object, key: string, table: Table): Setter {
  let opened: unknown;
  const get = (): unknown =>
    opened === undefined ? opened = openFunction(key, table) : opened;
  Object.defineProperty(target, key, { get, enumerable: true });
  return (call) => opened = call;
}

/** Every object that `lazyFunctions()` made, with the setters of its functions. */
const made = new Map<object, ReadonlyMap<string, Setter>>();

/**
 * Makes an object with a getter for each function. Opening all of them takes 9 ms, and
 * a program uses a few. V8 compiles a getter into its callers, so a call costs the same
 * as without. Tables are not combined first: each start would wait for the copies.
 */
export function lazyFunctions<T extends Table>(
  tables: readonly Table[],
): Calls<T> {
  const lazy = {};
  const setters = new Map<string, Setter>();
  for (const table of tables) {
    for (const key of Object.keys(table)) {
      setters.set(key, addFunction(lazy, key, table));
    }
  }
  made.set(lazy, setters);
  return lazy as Calls<T>;
}

const lazy: Libc = lazyFunctions(tables);

/**
 * The C library's functions, each opened at its first call. One that fails returns
 * its error number, negated: see `errno.ts`.
 *
 * @throws as `libraryPath`, at the first call
 */
export function libc(): Libc {
  return lazy;
}

/** A function of the C library, by whatever parameters it has. */
export type AnyCall = (...parameters: never[]) => unknown;

/**
 * Replaces a function by a wrapper, as to count its calls. Callers find it at their next
 * call, so nothing is added to a call before. There is no way back: once V8 has seen two
 * functions at a call, it compiles neither into the caller.
 *
 * @param calls An object of `lazyFunctions()`
 * @param wrap Returns the wrapper of a function; not called where the system lacks it
 */
export function wrapFunction<C extends object>(
  calls: C,
  key: keyof C & string,
  wrap: (call: AnyCall) => AnyCall,
): void {
  const call = openIfAny(calls, key);
  if (call !== null) made.get(calls)!.get(key)!(wrap(call));
}

/** Returns a function; null where the system lacks it, as Windows does some. */
function openIfAny<C extends object>(calls: C, key: keyof C): AnyCall | null {
  try {
    return calls[key] as AnyCall | null;
  } catch (error) {
    if (error instanceof Deno.errors.NotSupported) return null;
    throw error;
  }
}

/**
 * Opens every function of the C library now, for tests with Deno's resource
 * sanitizer. Functions stay open as long as the program, and the sanitizer takes
 * one that opens during a test for a leak. Call it outside of the tests, after the
 * imports.
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
export function openLibrary(calls?: object): void {
  const all = calls === undefined ? made.keys() : [calls];
  for (const lazy of all) openAll(lazy);
}

function openAll(lazy: object): void {
  for (const key of Object.keys(lazy)) {
    try {
      void lazy[key as keyof typeof lazy];
    } catch (error) {
      // Windows has a part of these functions only.
      const isMissing = error instanceof Deno.errors.NotSupported;
      if (!isWindows || !isMissing) throw error;
    }
  }
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
