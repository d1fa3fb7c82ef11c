/**
 * The error numbers of WASI preview 1, and the mapping from the system's errors.
 *
 * Source of the numbers: `__wasi_errno_t` in `wasi/api.h` of wasi-libc.
 *
 * @module
 */

import { isSystemError } from "../ffi/errors.ts";

/** The number of every error, by its name in C. */
export const ERRNO = {
  ESUCCESS: 0,
  E2BIG: 1,
  EACCES: 2,
  EADDRINUSE: 3,
  EADDRNOTAVAIL: 4,
  EAFNOSUPPORT: 5,
  EAGAIN: 6,
  EALREADY: 7,
  EBADF: 8,
  EBADMSG: 9,
  EBUSY: 10,
  ECANCELED: 11,
  ECHILD: 12,
  ECONNABORTED: 13,
  ECONNREFUSED: 14,
  ECONNRESET: 15,
  EDEADLK: 16,
  EDESTADDRREQ: 17,
  EDOM: 18,
  EDQUOT: 19,
  EEXIST: 20,
  EFAULT: 21,
  EFBIG: 22,
  EHOSTUNREACH: 23,
  EIDRM: 24,
  EILSEQ: 25,
  EINPROGRESS: 26,
  EINTR: 27,
  EINVAL: 28,
  EIO: 29,
  EISCONN: 30,
  EISDIR: 31,
  ELOOP: 32,
  EMFILE: 33,
  EMLINK: 34,
  EMSGSIZE: 35,
  EMULTIHOP: 36,
  ENAMETOOLONG: 37,
  ENETDOWN: 38,
  ENETRESET: 39,
  ENETUNREACH: 40,
  ENFILE: 41,
  ENOBUFS: 42,
  ENODEV: 43,
  ENOENT: 44,
  ENOEXEC: 45,
  ENOLCK: 46,
  ENOLINK: 47,
  ENOMEM: 48,
  ENOMSG: 49,
  ENOPROTOOPT: 50,
  ENOSPC: 51,
  ENOSYS: 52,
  ENOTCONN: 53,
  ENOTDIR: 54,
  ENOTEMPTY: 55,
  ENOTRECOVERABLE: 56,
  ENOTSOCK: 57,
  ENOTSUP: 58,
  ENOTTY: 59,
  ENXIO: 60,
  EOVERFLOW: 61,
  EOWNERDEAD: 62,
  EPERM: 63,
  EPIPE: 64,
  EPROTO: 65,
  EPROTONOSUPPORT: 66,
  EPROTOTYPE: 67,
  ERANGE: 68,
  EROFS: 69,
  ESPIPE: 70,
  ESRCH: 71,
  ESTALE: 72,
  ETIMEDOUT: 73,
  ETXTBSY: 74,
  EXDEV: 75,
  ENOTCAPABLE: 76,
} as const;

/** The name of an error in C, as in "EAGAIN". */
export type ErrnoName = keyof typeof ERRNO;

// The numbers that several files use.
export const ESUCCESS = ERRNO.ESUCCESS;
export const EAGAIN = ERRNO.EAGAIN;
export const EBADF = ERRNO.EBADF;
export const EFAULT = ERRNO.EFAULT;
export const EINVAL = ERRNO.EINVAL;
export const ENOTSUP = ERRNO.ENOTSUP;
export const ENOTSOCK = ERRNO.ENOTSOCK;
export const ESPIPE = ERRNO.ESPIPE;
export const ENOTDIR = ERRNO.ENOTDIR;
export const ENOTCONN = ERRNO.ENOTCONN;
export const EMSGSIZE = ERRNO.EMSGSIZE;
export const EBUSY = ERRNO.EBUSY;
export const EISDIR = ERRNO.EISDIR;
export const ELOOP = ERRNO.ELOOP;
export const EMFILE = ERRNO.EMFILE;
export const ENAMETOOLONG = ERRNO.ENAMETOOLONG;
export const ENOENT = ERRNO.ENOENT;
export const EPERM = ERRNO.EPERM;
export const EROFS = ERRNO.EROFS;

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(ERRNO).map(([name, number]) => [number, name]),
);

/**
 * Returns the name of an error number of WASI, as in "EAGAIN"; "E" and the number
 * where WASI has none.
 *
 * @example
 * ```ts
 * import { wasiErrnoName } from "@pollux/reactor/wasi";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(wasiErrnoName(6), "EAGAIN");
 * ```
 */
export function wasiErrnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

/** Names of some systems, and the name that WASI has for the same error. */
const SYNONYMS: Readonly<Record<string, ErrnoName>> = {
  EWOULDBLOCK: "EAGAIN",
  EOPNOTSUPP: "ENOTSUP",
  ESHUTDOWN: "EPIPE",
  EHOSTDOWN: "EHOSTUNREACH",
};

/** The number of a system's error, by its name there; EIO where WASI has none. */
export function wasiErrno(code: string): number {
  return ERRNO[SYNONYMS[code] ?? code as ErrnoName] ?? ERRNO.EIO;
}

/** Ends a call of the guest, which returns the error number. The host sees no error. */
export class Refusal extends Error {
  override name = "Refusal";
  /** The error number that the call returns. */
  readonly errno: number;

  constructor(errno: number) {
    super(wasiErrnoName(errno));
    this.errno = errno;
  }
}

/**
 * The error number that a guest's call returns after it has thrown.
 *
 * @throws {unknown} the error itself, if it is a fault of the host
 */
export function errnoOf(error: unknown): number {
  if (error instanceof Refusal) return error.errno;
  if (isSystemError(error)) return wasiErrno(error.code);
  if (error instanceof Deno.errors.BadResource) return EBADF;
  if (error instanceof Deno.errors.NotSupported) return ENOTSUP;
  throw error;
}
