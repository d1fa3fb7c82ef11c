/**
 * The entries of a guest's descriptor table: files, directories and streams.
 *
 * @module
 */

import { close, type FileObject } from "../../backends/ffi/descriptor.ts";
import { openDirectory } from "../../backends/ffi/files.ts";
import type { DirectoryEntry } from "../../backends/ffi/structs/dirent.ts";

/** A regular file or a device that a guest has opened. */
export class GuestFile {
  readonly kind = "file";
  readonly fd: number;
  /** `FILETYPE_*`. */
  readonly filetype: number;
  /** `RIGHTS_*`. */
  readonly rights: bigint;
  /** `FDFLAGS_*`. */
  flags: number;
  /** Whether its attributes may be changed. */
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

  /** Closes the descriptor of the host. */
  close(): void {
    close(this.fd);
  }
}

/** Where a preopened directory is. */
export interface Preopen {
  /** The guest's name for it. */
  readonly name: string;
  /** Its path on the host. */
  readonly path: string;
}

/** A preopened directory, or one below it. */
export class GuestDirectory {
  readonly kind = "directory";
  /** Whether its entries may be changed. */
  readonly writable: boolean;
  /** Undefined if the guest has opened it. */
  readonly preopen: Preopen | undefined;
  /** The entries, as of the guest's last reading from the beginning. */
  entries: readonly DirectoryEntry[] | undefined;
  #fd: number;

  constructor(fd: number, writable: boolean, preopen?: Preopen) {
    this.#fd = fd;
    this.writable = writable;
    this.preopen = preopen;
  }

  /** The descriptor of the host. */
  get fd(): number {
    return this.#fd;
  }

  /** Opens a preopened directory. @throws {SystemError} if that fails */
  open(): void {
    this.#fd = openDirectory(this.preopen!.path);
  }

  /** Closes the descriptor of the host. */
  close(): void {
    if (this.#fd >= 0) close(this.#fd);
    this.#fd = -1;
  }
}

/** A socket or a standard stream: a descriptor that may have to be waited for. */
export interface GuestStream {
  readonly kind: "stream";
  /** The file object to wait for. */
  readonly fileobj: FileObject;
  /** Whether there is nothing to wait for it by. */
  readonly isAlwaysReady?: boolean;
  /** `FILETYPE_*`. */
  readonly filetype: number;
  /** `RIGHTS_*` of the descriptor itself. */
  readonly rights: bigint;
  /** `RIGHTS_*` of accepted connections. */
  readonly rightsInheriting: bigint;
  /** Whether calls of the guest fail with EAGAIN instead of waiting. */
  nonblocking: boolean;

  /** Reads into the buffers. @returns the number of bytes, or `WOULD_BLOCK` */
  read(buffers: readonly Uint8Array<ArrayBuffer>[]): number;

  /** Writes the buffers. @returns the number of bytes, or `WOULD_BLOCK` */
  write(buffers: readonly Uint8Array<ArrayBuffer>[]): number;

  /** The least number of bytes that a ready stream has to read; `END` at the end of file. */
  available(): number;

  /** Ends the guest's use of it. */
  close(): void;
}

/** The result of `available()` at the end of file. */
export const END = -1;

/** An entry of a guest's descriptor table. */
export type GuestDescriptor = GuestFile | GuestDirectory | GuestStream;
