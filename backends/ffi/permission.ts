/**
 * The permission that Pollux needs, in the words that Deno wants it in.
 *
 * @module
 */

import { system } from "./current_system.ts";

function opens(path: string): boolean {
  try {
    Deno.dlopen(path, {}).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/**
 * The narrowest flag under which Pollux runs on this machine, as in
 * `--allow-ffi=/lib/x86_64-linux-gnu/libc.so.6`.
 *
 * Deno compares the text of the path, so a plain `--allow-ffi=libc.so.6` does
 * not do. Whoever may call the C library may do whatever the process may: the
 * flag keeps other libraries out, not system calls.
 *
 * @returns `--allow-ffi` where the library is in none of the usual places
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
  const path = system().libraries.find((library) =>
    library.startsWith("/") && opens(library)
  );
  return path === undefined ? "--allow-ffi" : `--allow-ffi=${path}`;
}
