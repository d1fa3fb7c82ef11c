/**
 * What a guest's descriptor can stand for: a stream that we serve, or a file
 * that `node:wasi` does.
 *
 * @module
 */

import type { FileObject } from "../ffi/descriptor.ts";

/** A file or directory of the runtime's own WASI. */
export interface GuestFile {
  readonly kind: "file";
  /** Its number there. */
  readonly number: number;
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
export type GuestDescriptor = GuestFile | GuestStream;
