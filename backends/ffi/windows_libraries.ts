/**
 * The libraries of Windows that stand in for the C library: Winsock for sockets, and two
 * others for memory, handles and errors. All three are part of every process.
 *
 * A scoped permission has to name their paths. Deno compares paths without regard to
 * case, but a plain name is then no name of a path.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { hasFullPermission, permittedLibraries } from "./permission.ts";

/** A library by its name. */
export type WindowsLibrary = "ws2_32" | "ntdll" | "kernel32";

const ALL: readonly WindowsLibrary[] = ["ws2_32", "ntdll", "kernel32"];

/** WSADATA of `<winsock2.h>`. */
const WSADATA_BYTES = 408;

/** MAKEWORD(2, 2): the version of Winsock since Windows 98. */
const WINSOCK_VERSION = 0x0202;

/** The path of a library, or its plain name where Deno takes that. */
export function windowsLibrary(name: WindowsLibrary): string {
  const paths = system().libraries.map((path) => path.replace("ws2_32", name));
  return permittedLibraries(paths)[0]!;
}

let started = false;

/**
 * Starts Winsock for this process. Each thread does so before its first call: Winsock
 * counts the calls, and ends with the process.
 */
function startWinsock(path: string): void {
  if (started) return;
  // int WSAStartup(WORD wVersionRequested, LPWSADATA lpWSAData), which returns an error
  // deno-lint-ignore pollux/bare-symbol -- it returns the error itself
  const { symbols: { WSAStartup: start } } = Deno.dlopen(
    path,
    { WSAStartup: { parameters: ["u16", "buffer"], result: "u32" } } as const,
  );
  const number = start(WINSOCK_VERSION, new Uint8Array(WSADATA_BYTES));
  if (number !== 0) {
    throw new Deno.errors.NotSupported(`Winsock does not start: ${number}`);
  }
  started = true;
}

/**
 * Opens symbols of the first library that has them. A function that may be missing is
 * looked for in Winsock alone.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi` for this library
 * @throws {Deno.errors.NotSupported} if Windows has no such function
 */
export function openOfWindows<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> {
  for (const name of ALL) {
    const path = windowsLibrary(name);
    try {
      const library = Deno.dlopen(path, symbols);
      if (name === "ws2_32") startWinsock(path);
      return library;
    } catch (error) {
      // A missing function is an Error of no class.
      if (error instanceof Deno.errors.NotCapable) throw error;
    }
  }
  const missing = Object.entries(symbols).map(([key, { name = key }]) => name);
  throw new Deno.errors.NotSupported(`Windows has no ${missing.join()}()`);
}

/** See `ffiPermissionFlag()`. */
export function windowsPermissionFlag(): string {
  const directory = hasFullPermission() ? systemDirectory() : "";
  const paths = ALL.map((name) =>
    directory === "" ? windowsLibrary(name) : `${directory}\\${name}.dll`
  );
  return `--allow-ffi=${paths.join()}`;
}

/** The directory of Windows' own libraries, which need not be on drive C. */
function systemDirectory(): string {
  // UINT GetSystemDirectoryW(LPWSTR lpBuffer, UINT uSize)
  const library = Deno.dlopen(
    windowsLibrary("kernel32"),
    {
      GetSystemDirectoryW: { parameters: ["buffer", "u32"], result: "u32" },
    } as const,
  );
  // deno-lint-ignore pollux/bare-symbol
  const { symbols: { GetSystemDirectoryW: get } } = library;
  const text = new Uint16Array(260);
  const length = get(text, text.length);
  library.close();
  return String.fromCharCode(...text.subarray(0, length));
}
