/**
 * What a guest's descriptor can stand for: a stream, a file or a directory.
 *
 * @module
 */

import { close, type FileObject } from "../../backends/ffi/descriptor.ts";
import type { DirectoryEntry } from "../../backends/ffi/structs/dirent.ts";

/** A file that a guest has opened: regular, or a device. */
export class GuestFile {
  readonly kind = "file";
  readonly fd: number;
  /** `FILETYPE_*`. */
  readonly filetype: number;
  /** `RIGHTS_*`. */
  readonly rights: bigint;
  /** `FDFLAGS_*`. */
  flags: number;
  /** Whether what the file system knows of it may be changed. */
  readonly writable: boolean;

  constructor(
    fd: number,
    filetype: number,
    rights: bigint,
    flags: number,
    writable: boolean,
  ) {
    this.fd = fd;
    this.writable = writable;
    this.filetype = filetype;
    this.rights = rights;
    this.flags = flags;
  }

  /** Lets go of it. */
  close(): void {
    close(this.fd);
  }
}

/** A directory: one that a guest was given, or one beneath it. */
export class GuestDirectory {
  readonly kind = "directory";
  /** Whether anything in it may be changed. */
  readonly writable: boolean;
  /** The path under which the guest sees it; undefined if it was not given but opened. */
  readonly preopen: string | undefined;
  /** Its entries, as they were when the guest began to read them. */
  entries: readonly DirectoryEntry[] | undefined;
  #fd: number;

  constructor(fd: number, writable: boolean, preopen?: string) {
    this.#fd = fd;
    this.writable = writable;
    this.preopen = preopen;
  }

  /** Its descriptor. */
  get fd(): number {
    return this.#fd;
  }

  /** Gives it the descriptor that it did not have yet. */
  attach(fd: number): void {
    this.#fd = fd;
  }

  /** Lets go of it. */
  close(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }
}

/** A socket or a standard stream: something that may have to be waited for. */
export interface GuestStream {
  readonly kind: "stream";
  /** Who is waited for. */
  readonly fileobj: FileObject;
  /** `FILETYPE_*`. */
  readonly filetype: number;
  /** `RIGHTS_*` of its own. */
  readonly rights: bigint;
  /** `RIGHTS_*` of what it accepts. */
  readonly rightsInheriting: bigint;
  /** Whether calls fail with EAGAIN instead of waiting: the guest's own setting. */
  nonblocking: boolean;

  /** Reads into the pieces. @returns the number of bytes, or `WOULD_BLOCK` */
  read(pieces: readonly Uint8Array<ArrayBuffer>[]): number;

  /** Writes the pieces. @returns the number of bytes, or `WOULD_BLOCK` */
  write(pieces: readonly Uint8Array<ArrayBuffer>[]): number;

  /** How many bytes can be read, at least, of what is ready; `END` if there are no more. */
  available(): number;

  /** Lets go of it. */
  close(): void;
}

/** What `available()` says at the end of the file. */
export const END = -1;

/** What a number of a guest stands for. */
export type GuestDescriptor = GuestFile | GuestDirectory | GuestStream;
