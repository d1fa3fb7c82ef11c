/**
 * Libraries: finds the C library of this system, with the permission that it needs,
 * and opens functions whose errors are values.
 *
 * Nothing is opened before the first call.
 *
 * @module
 */

import { isWindows, system } from "./current_system.ts";
import { type Errno, errorByValue } from "./errno.ts";
import { findLastError } from "./last_error.ts";
import { hasFullPermission, permittedLibraries } from "./permission.ts";
import { openOfWindows, windowsPermissionFlag } from "./windows_libraries.ts";

let path: string | undefined;

/**
 * The name under which the C library is opened.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} if none of the known libraries exists
 */
export function libraryPath(): string {
  if (isWindows) return path ??= permittedLibraries(system().libraries)[0]!;
  if (path === undefined) findLibrary({}).close();
  return path!;
}

/**
 * Opens functions of a library. One that can fail returns its error number, negated:
 * see `errno.ts`.
 *
 * @param file The library. Default: the C library
 * @throws as `libraryPath`; {TypeError} if the library lacks a function
 */
export function openFunctions<Symbols extends Deno.ForeignLibraryInterface>(
  definitions: Symbols,
  file?: string,
): Deno.StaticForeignLibraryInterface<Symbols> {
  return openClosable(definitions, file).functions;
}

/** As `openFunctions`, with a function that closes the library. */
export function openClosable<Symbols extends Deno.ForeignLibraryInterface>(
  definitions: Symbols,
  file: string | undefined = isWindows ? undefined : path,
  fails: (definition: Deno.ForeignFunction) => boolean = isSigned,
): {
  readonly functions: Deno.StaticForeignLibraryInterface<Symbols>;
  close(): void;
} {
  // The first functions that are opened show which library exists.
  const library = file === undefined
    ? findLibrary(definitions)
    : Deno.dlopen(file, definitions);
  const { symbols } = library;
  const functions = errorsByValue(symbols, definitions, fails);
  return { functions, close: () => library.close() };
}

/** Opens symbols of the first of the system's libraries that has them. */
function findLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> {
  if (isWindows) return openOfWindows(symbols);
  const failures: string[] = [];
  for (const candidate of permittedLibraries(system().libraries)) {
    try {
      const library = Deno.dlopen(candidate, symbols);
      path = candidate;
      return library;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      failures.push(`${candidate} (${(error as Error).message})`);
    }
  }
  throw new Deno.errors.NotSupported(
    `No C library could be opened on ${system().name}: tried ${
      failures.join(", ")
    }`,
  );
}

/**
 * The narrowest flag under which Pollux runs on this machine, as in
 * `--allow-ffi=/lib/x86_64-linux-gnu/libc.so.6`. On Windows it names three libraries:
 * `ws2_32.dll`, `kernel32.dll` and `ntdll.dll`.
 *
 * Deno compares the text of the path, so a plain `--allow-ffi=libc.so.6` is not
 * enough. Code that can call the C library can do anything the process can: the
 * flag keeps other libraries out, not system calls.
 *
 * @returns `--allow-ffi` if the library is in none of the usual places
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 *
 * @example
 * ```ts
 * import { ffiPermissionFlag } from "@pollux/reactor/socket";
 * import { assert } from "@std/assert";
 *
 * assert(ffiPermissionFlag().startsWith("--allow-ffi"));
 * ```
 */
export function ffiPermissionFlag(): string {
  if (isWindows) return windowsPermissionFlag();
  const path = system().libraries.find((library) =>
    library.startsWith("/") && opens(library)
  );
  return path === undefined ? "--allow-ffi" : `--allow-ffi=${path}`;
}

/** Whether a library can be opened. */
export function opens(path: string): boolean {
  try {
    Deno.dlopen(path, {}).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/**
 * The functions of a library, changed so that those which can fail return their
 * error number, negated. A `nonblocking` one fails on another thread, whose errno
 * cannot be read here: it returns -1 for every error.
 */
export function errorsByValue<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Deno.StaticForeignLibraryInterface<Symbols>,
  definitions: Symbols,
  fails: (definition: Deno.ForeignFunction) => boolean = isSigned,
): Deno.StaticForeignLibraryInterface<Symbols> {
  const changed = Object.entries(symbols).map(([key, symbol]) => {
    const definition = definitions[key] as Deno.ForeignFunction;
    const { parameters, result, nonblocking } = definition;
    if (symbol === null || nonblocking || !fails(definition)) {
      return [key, symbol];
    }
    const isPointer = result === "pointer" || result === "buffer";
    return [key, errorByValue(symbol, parameters.length, errno(), isPointer)];
  });
  return Object.fromEntries(changed);
}

function isSigned({ result }: Deno.ForeignFunction): boolean {
  return result === "i32" || result === "i64";
}

let errnoOfThread: Errno | undefined;

/** This thread's errno, found before the first function that can fail is called. */
export function errno(): Errno {
  return errnoOfThread ??= isWindows
    ? findLastError(openFunctions)
    : findErrno();
}

function findErrno(): Errno {
  const { errnoLocation } = openFunctions(
    {
      // int *__errno_location(void)
      errnoLocation: {
        name: system().errnoSymbol,
        parameters: [],
        result: "pointer",
      },
    } as const,
  );
  const location = errnoLocation()!;
  if (!hasFullPermission()) {
    // Under a scoped permission no memory can be mapped, but memcpy may read it.
    const { memcpy } = openFunctions(
      {
        // void *memcpy(void *dest, const void *src, size_t n)
        memcpy: { parameters: ["buffer", "pointer", "u32"], result: "pointer" },
      } as const,
    );
    const memory = new Int32Array(new ArrayBuffer(4));
    return { memory, location, copy: memcpy };
  }
  const memory = Deno.UnsafePointerView.getArrayBuffer(location, 4);
  return { memory: new Int32Array(memory), location, copy: null };
}
