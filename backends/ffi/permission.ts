/**
 * The permission for libraries: all of them, or those that `--allow-ffi=` names.
 *
 * @module
 */

/** Whether every library may be opened, or only those that --allow-ffi names. */
export function hasFullPermission(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** Whether a library may be opened. */
export function isPermitted(path: string): boolean {
  return hasFullPermission() || isGranted(path);
}

function isGranted(path: string): boolean {
  return Deno.permissions.querySync({ name: "ffi", path }).state === "granted";
}

/** The names that Deno lets us open: all of them, or those that are granted by path. */
export function permittedLibraries(
  libraries: readonly string[],
): readonly string[] {
  if (hasFullPermission()) return libraries;
  const paths = libraries.filter(isAbsolute);
  const granted = paths.filter(isGranted);
  // Without a grant the first path makes Deno ask, or report the missing permission.
  return granted.length > 0 ? granted : paths.slice(0, 1);
}

function isAbsolute(path: string): boolean {
  return path.startsWith("/") || /^[A-Z]:\\/.test(path);
}
