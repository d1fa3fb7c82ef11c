/**
 * An open descriptor of any kind, read and written by the plain calls: a pipe, a
 * terminal, a device, a regular file.
 *
 * @module
 */

import { notifyClose } from "./close_watch.ts";
import { system } from "./current_system.ts";
import {
  fileDescriptor,
  requireFiles,
  retrying,
  WOULD_BLOCK,
  wouldBlock,
} from "./descriptor.ts";
import { systemError } from "./errors.ts";
import { statusOf } from "./file_status.ts";
import { fcntl, libc } from "./libc.ts";
import { checkMemory, checkPiece } from "./memory.ts";
import type { FileMode } from "./open_path.ts";
import {
  fileType,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFREG,
} from "./structs/stat.ts";
import { FoundSettings } from "./terminal.ts";

/** O_ACCMODE, O_RDONLY and O_WRONLY of `<fcntl.h>`, the same on every system. */
const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;

const ALWAYS_READY: readonly number[] = [S_IFREG, S_IFDIR, S_IFBLK];

/**
 * The owner of a descriptor, as `Socket` is of a socket. It leaves the flags of the
 * file alone: with a blocking descriptor its calls block.
 */
export class OpenFile {
  #fd: number;
  /** Whether the descriptor was opened for reading. */
  readonly readable: boolean;
  /** Whether the descriptor was opened for writing. */
  readonly writable: boolean;
  /** Whether reads and writes never wait for others: a regular file, a directory, a disk. */
  readonly isAlwaysReady: boolean;
  /** A terminal whose other side was closed answers EIO: the end of the file. */
  readonly #isCharacterDevice: boolean;
  /** Restored by `close()`. */
  readonly #settings: FoundSettings | null;

  /**
   * Takes over a descriptor.
   *
   * @param mode The directions that are used. Default: those that it was opened for
   * @throws {TypeError} if it is not an integer, or was not opened for the mode
   * @throws {RangeError} if it is negative
   * @throws {SystemError} `Deno.errors.BadResource` if it is not open
   */
  constructor(fd: number, mode: FileMode = openedMode(fd)) {
    checkOpenedFor(fd, mode);
    this.readable = mode !== "w";
    this.writable = mode !== "r";
    const type = fileType(statusOf(fd).mode);
    this.isAlwaysReady = ALWAYS_READY.includes(type);
    this.#isCharacterDevice = type === S_IFCHR;
    this.#settings = this.#isCharacterDevice ? FoundSettings.of(fd) : null;
    this.#fd = fd;
  }

  /** The descriptor; -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Reads the bytes that are there, as read(2) does.
   *
   * @returns the number of bytes, 0 at end of file, `WOULD_BLOCK` (-1) if there are
   *   none yet
   * @throws {SystemError} if the call fails
   */
  read(buffer: Uint8Array<ArrayBuffer>): number {
    const length = checkMemory(buffer, buffer.length);
    for (;;) {
      const count = libc().read(this.#fd, buffer, length);
      if (count >= 0) return count;
      if (this.#isHungUp(-count)) return 0;
      if (wouldBlock("read", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Writes as many bytes as there is room for, as write(2) does.
   *
   * @returns the number of bytes that were taken, `WOULD_BLOCK` (-1) without room
   * @throws {SystemError} `Deno.errors.BrokenPipe` without a reader, and others
   */
  write(data: Uint8Array<ArrayBuffer>, length: number = data.length): number {
    const bytes = checkMemory(data, length);
    for (;;) {
      const count = libc().write(this.#fd, data, bytes);
      if (count >= 0) return count;
      if (wouldBlock("write", -count)) return WOULD_BLOCK;
    }
  }

  /**
   * Writes the first of several pieces of memory, which has the shape of
   * `Socket.sendPieces`.
   *
   * @param pieces Bytes to write
   * @param first Index of the first piece
   * @param offset Number of its bytes that were written before
   * @returns as `write`
   * @throws {TypeError} if the piece is not a `Uint8Array`
   */
  sendPieces(
    pieces: readonly Uint8Array<ArrayBuffer>[],
    first: number,
    offset: number,
  ): number {
    const piece = pieces[first]!;
    checkPiece(piece, offset);
    return this.write(offset === 0 ? piece : piece.subarray(offset));
  }

  /** Closes the descriptor, and leaves a terminal as it was found. */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#settings?.close();
    notifyClose(fd);
    this.#fd = -1;
    libc().close(fd);
  }

  /**
   * Makes a terminal raw until it is closed.
   *
   * @throws {SystemError} `ENOTTY` if it is no terminal
   */
  makeRaw(): void {
    if (this.#settings !== null) return this.#settings.makeRaw();
    throw systemError("tcgetattr", system().errno.ENOTTY!, `fd ${this.#fd}`);
  }

  /** Gives the descriptor back, still open, with a terminal as it was found. */
  release(): void {
    this.#settings?.close();
    this.#fd = -1;
  }

  #isHungUp(number: number): boolean {
    return this.#isCharacterDevice && number === system().errno.EIO;
  }
}

/**
 * The directions that a descriptor was opened for.
 *
 * @throws {TypeError} if it is not an integer
 * @throws {RangeError} if it is negative
 * @throws {Deno.errors.NotSupported} on Windows
 * @throws {SystemError} `Deno.errors.BadResource` if it is not open
 */
export function openedMode(fd: number): FileMode {
  fileDescriptor(fd);
  requireFiles();
  const flags = retrying(
    "fcntl",
    () => fcntl(fd, system().constants.F_GETFL),
    `fd ${fd}`,
  );
  const access = flags & O_ACCMODE;
  return access === O_RDONLY ? "r" : access === O_WRONLY ? "w" : "r+";
}

/**
 * Checks that a descriptor was opened for a mode.
 *
 * @throws as the constructor of `OpenFile`
 */
export function checkOpenedFor(fd: number, mode: FileMode): void {
  const opened = openedMode(fd);
  if (opened === "r+" || opened === mode) return;
  throw new TypeError(
    `Cannot use file descriptor ${fd} with mode "${mode}": ` +
      `it was opened with mode "${opened}"`,
  );
}
