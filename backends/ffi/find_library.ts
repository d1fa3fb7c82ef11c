/**
 * Finds other libraries than the C library, by their names.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { opens } from "./library.ts";
import { isPermitted } from "./permission.ts";

/** Where package managers install libraries, next to where the C library is. */
const DIRECTORIES = [
  "/usr/local/lib",
  "/opt/homebrew/lib",
  "/opt/homebrew/opt/libpq/lib",
  "/usr/lib",
  "/usr/lib64",
  "/lib64",
];

/**
 * Returns the path of a library, for `bindCalls()` and for `--allow-ffi=`.
 *
 * @param names Its file names, as in "libpq.so.5". The first that opens is taken
 * @throws {Deno.errors.NotFound} if none can be opened, or none is permitted
 *
 * @example
 * ```ts
 * import { bindCalls, findLibrary } from "@pollux/reactor/ffi";
 *
 * try {
 *   using zlib = bindCalls(
 *     { zlibCompileFlags: { parameters: [], result: "u64" } },
 *     findLibrary("libz.so.1", "libz.dylib"),
 *   );
 *   zlib.zlibCompileFlags();
 * } catch (error) {
 *   if (!(error instanceof Deno.errors.NotFound)) throw error; // it is not installed
 * }
 * ```
 */
export function findLibrary(...names: string[]): string {
  const beside = system().libraries
    .filter((path) => path.startsWith("/"))
    .map((path) => path.slice(0, path.lastIndexOf("/")));
  const directories = new Set([...beside, ...DIRECTORIES]);
  for (const name of names) {
    for (const directory of directories) {
      const path = `${directory}/${name}`;
      if (isPermitted(path) && opens(path)) return path;
    }
  }
  throw new Deno.errors.NotFound(
    `Cannot find library ${names.map((name) => `"${name}"`).join(" or ")}`,
  );
}
