/**
 * Opens a path for readiness: a FIFO, a terminal, a device, a regular file.
 *
 * @module
 */

import { checkOptions, type OptionNames } from "./options.ts";
import { system } from "./current_system.ts";
import { requireFiles, retrying } from "./descriptor.ts";
import { open } from "./libc.ts";

/** How a file is opened: "r" to read, "w" to write, "r+" for both. */
export type FileMode = "r" | "w" | "r+";

/** The flags of open(2) that have a name here, and the permissions of a new file. */
export interface OpenFileOptions {
  /** Creates the file if it is missing (O_CREAT). Default: false. */
  readonly create?: boolean;
  /** Creates the file, and fails if it exists (O_CREAT and O_EXCL). Default: false. */
  readonly exclusive?: boolean;
  /** Each write goes to the end of the file (O_APPEND). Default: false. */
  readonly append?: boolean;
  /** Discards the content of a regular file (O_TRUNC). Default: false. */
  readonly truncate?: boolean;
  /**
   * The permissions of a file that is created, from 0 to 0o7777. The umask of the
   * process is taken off. Default: 0o666.
   */
  readonly permissions?: number;
}

/** The names of the options. */
export const OPEN_FILE_OPTIONS: OptionNames<OpenFileOptions> = {
  create: true,
  exclusive: true,
  append: true,
  truncate: true,
  permissions: true,
};

const FILE_MODES: readonly unknown[] = ["r", "w", "r+"];

/**
 * Checks a mode.
 *
 * @throws {TypeError} if it is none
 */
export function checkMode(mode: unknown): void {
  if (FILE_MODES.includes(mode)) return;
  const shown = typeof mode === "string" ? JSON.stringify(mode) : String(mode);
  throw new TypeError(`Cannot open with mode ${shown}: it is "r", "w" or "r+"`);
}

/**
 * Opens a file for readiness: a FIFO, a terminal, a device. It is close-on-exec, and
 * non-blocking unless the options say otherwise. A terminal does not become the
 * controlling one (O_NOCTTY), whose hang-up would end the process.
 *
 * @param path The file's path
 * @param mode "r" to read, "w" to write, "r+" for both. Default: "r"
 * @param options Flags of open(2), and `blocking`: whether the open and later calls
 *   wait. Default: false
 * @throws {TypeError} if the path has a NUL inside, the mode is no mode, or an option is
 *   unknown. All flags but `blocking` need a mode that writes
 * @throws {RangeError} if the permissions are out of range
 * @throws {Deno.errors.NotSupported} on Windows
 * @throws {SystemError} if the file cannot be opened: `Deno.errors.NotFound`,
 *   `Deno.errors.PermissionDenied`, `ENXIO` for the write end of a FIFO without a
 *   reader
 *
 * @example A device
 * ```ts
 * import { close, openFile, read } from "@pollux/reactor/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const zero = openFile("/dev/zero"); // or a serial port, a FIFO, a terminal
 * assertEquals(read(zero, new Uint8Array(16)), 16);
 * close(zero);
 * ```
 */
export function openFile(
  path: string,
  mode: FileMode = "r",
  options: OpenFileOptions & { readonly blocking?: boolean } = {},
): number {
  checkOptions(options, { ...OPEN_FILE_OPTIONS, blocking: true });
  checkMode(mode);
  if (path.includes("\0")) {
    throw new TypeError(
      `Cannot use path ${JSON.stringify(path)}: it contains a NUL`,
    );
  }
  requireFiles();
  const { O_NONBLOCK, O_NOCTTY, O_CLOEXEC } = system().constants;
  const waits = options.blocking ? 0 : O_NONBLOCK;
  const flags = flagsOf(mode, options) | waits | O_NOCTTY | O_CLOEXEC;
  const name = new TextEncoder().encode(`${path}\0`);
  return retrying(
    "open",
    () => open(name, flags, permissionsOf(options)),
    `'${path}'`,
  );
}

/** `<fcntl.h>`: O_RDONLY is 0, O_WRONLY 1 and O_RDWR 2 on every system. */
export const ACCESS: Readonly<Record<FileMode, number>> = {
  "r": 0,
  "w": 1,
  "r+": 2,
};

function flagsOf(mode: FileMode, options: OpenFileOptions): number {
  const { create, exclusive, append, truncate } = options;
  if (mode === "r" && (create || exclusive || append || truncate)) {
    throw new TypeError(
      'Cannot create, append to or truncate a file with mode "r"',
    );
  }
  const { O_CREAT, O_EXCL, O_APPEND, O_TRUNC } = system().constants;
  return ACCESS[mode] | (create || exclusive ? O_CREAT : 0) |
    (exclusive ? O_EXCL : 0) | (append ? O_APPEND : 0) |
    (truncate ? O_TRUNC : 0);
}

function permissionsOf({ permissions = 0o666 }: OpenFileOptions): number {
  const isWithin = permissions >= 0 && permissions <= 0o7777;
  if (Number.isInteger(permissions) && isWithin) return permissions;
  throw new RangeError(
    `Cannot use ${permissions} as permissions: they are 0 to 0o7777`,
  );
}
