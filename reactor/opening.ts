/**
 * `Reactor.open`: streams on paths, and on descriptors of any kind.
 *
 * @module
 */

import {
  close,
  dup,
  fileDescriptor,
  type FileObject,
  requireFiles,
} from "../backends/ffi/descriptor.ts";
import type { OpenFile } from "../backends/ffi/open_file.ts";
import { sharedFile } from "../backends/ffi/shared_file.ts";
import {
  type FileMode,
  OPEN_FILE_OPTIONS,
  openFile,
  type OpenFileOptions,
} from "../backends/ffi/open_path.ts";
import { checkOptions, type OptionNames } from "../backends/ffi/options.ts";
import {
  CONNECTION_OPTIONS,
  type ConnectionOptions,
  streamSettings,
} from "./connection_options.ts";
import type { Loop } from "./loop.ts";
import { FileStream } from "./file_stream.ts";
import type { Stream } from "./stream.ts";
import { fileTransport } from "./transport.ts";

/** Options of `Reactor.open`. Those of `OpenFileOptions` are for paths alone. */
export interface OpenOptions extends ConnectionOptions, OpenFileOptions {
  /**
   * "r" to read, "w" to write, "r+" for both. Default: "r" for a path, the mode of a
   * descriptor. Standard input (0) is only read, and standard output (1) and standard
   * error (2) are only written.
   */
  readonly mode?: FileMode;
  /**
   * Makes a terminal raw (cfmakeraw(3)): each key is input at once, without an echo, and
   * Ctrl-C is a byte instead of a signal. Default: false.
   */
  readonly raw?: boolean;
}

const OPEN_OPTIONS: OptionNames<OpenOptions> = {
  ...CONNECTION_OPTIONS,
  ...OPEN_FILE_OPTIONS,
  mode: true,
  raw: true,
};

/** Standard error, the last of the three standard streams of `<unistd.h>`. */
const STANDARD_ERROR = 2;

/**
 * Makes a stream.
 *
 * @throws as `Reactor.open`
 */
export function open(
  loop: Loop,
  target: FileObject | string,
  options: OpenOptions,
): Stream {
  checkOptions(options, OPEN_OPTIONS);
  checkTarget(target);
  requireFiles();
  const settings = streamSettings(loop, fileTransport, options);
  loop.checkOpen();
  const file = typeof target === "string"
    ? openedPath(target, options)
    : takenOver(target, options);
  try {
    if (options.raw) file.makeRaw();
    return new FileStream(loop, file, settings);
  } catch (error) {
    if (belongsToCaller(target)) file.release();
    else file.close();
    throw error;
  }
}

/** Objects of Deno, as `Deno.stdin`, have no descriptor. */
function checkTarget(target: unknown): void {
  if (typeof target === "string" || typeof target === "number") return;
  if (typeof target === "object" && target !== null && "fd" in target) return;
  throw new TypeError(
    `Cannot open ${Deno.inspect(target, { depth: 0 })}: ` +
      "pass a path or a descriptor, which is 0 for standard input",
  );
}

/** Whether a descriptor is the caller's until there is a stream. */
function belongsToCaller(target: FileObject | string): boolean {
  return typeof target !== "string" && fileDescriptor(target) > STANDARD_ERROR;
}

function openedPath(path: string, options: OpenOptions): OpenFile {
  const { mode = "r" } = options;
  return closingIfRefused(openFile(path, mode, forPaths(options)), mode);
}

function forPaths(options: OpenOptions): OpenFileOptions {
  const names = Object.keys(options).filter((name) =>
    Object.hasOwn(OPEN_FILE_OPTIONS, name)
  );
  return Object.fromEntries(
    names.map((name) => [name, options[name as keyof OpenFileOptions]]),
  );
}

/** The owner of a descriptor; of a duplicate, if the standard streams have its number. */
function takenOver(fileobj: FileObject, options: OpenOptions): OpenFile {
  const [name] = Object.keys(forPaths(options));
  if (name !== undefined) {
    throw new TypeError(`Cannot use option "${name}" without a path`);
  }
  const fd = fileDescriptor(fileobj);
  if (fd > STANDARD_ERROR) return sharedFile(fd, options.mode);
  const { mode = fd === 0 ? "r" : "w" } = options;
  return closingIfRefused(dup(fd), mode);
}

/** The owner of a descriptor that nothing else knows yet. */
function closingIfRefused(fd: number, mode: FileMode): OpenFile {
  try {
    return sharedFile(fd, mode);
  } catch (error) {
    close(fd);
    throw error;
  }
}
