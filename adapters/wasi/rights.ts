/**
 * The rights of WASI preview 1: the calls that a descriptor allows.
 *
 * Source of the numbers: `__wasi_rights_t` in `wasi/api.h` of wasi-libc.
 *
 * wasi-libc, Rust and Go read them to find out whether a socket listens (listeners
 * cannot be written to), and whether it can be polled.
 *
 * @module
 */

/** `fd_read`, `sock_recv`. */
export const RIGHTS_FD_READ = 1n << 1n;
/** `fd_fdstat_set_flags`. */
export const RIGHTS_FD_FDSTAT_SET_FLAGS = 1n << 3n;
/** `fd_write`, `sock_send`. */
export const RIGHTS_FD_WRITE = 1n << 6n;
/** `fd_filestat_get`. */
export const RIGHTS_FD_FILESTAT_GET = 1n << 21n;
/** `poll_oneoff`. */
export const RIGHTS_POLL_FD_READWRITE = 1n << 27n;
/** `sock_shutdown`. */
export const RIGHTS_SOCK_SHUTDOWN = 1n << 28n;
/** `sock_accept`. */
export const RIGHTS_SOCK_ACCEPT = 1n << 29n;

const ANY = RIGHTS_FD_FDSTAT_SET_FLAGS | RIGHTS_FD_FILESTAT_GET |
  RIGHTS_POLL_FD_READWRITE;

/** The rights of a connection, or of a datagram socket. */
export const CONNECTION_RIGHTS: bigint = ANY | RIGHTS_FD_READ |
  RIGHTS_FD_WRITE | RIGHTS_SOCK_SHUTDOWN;

/** The rights of a listener. Accepted connections have `CONNECTION_RIGHTS`. */
export const LISTENER_RIGHTS: bigint = ANY | RIGHTS_FD_READ |
  RIGHTS_SOCK_ACCEPT;

/** The rights of standard input. */
export const INPUT_RIGHTS: bigint = ANY | RIGHTS_FD_READ;

/** The rights of standard output and standard error. */
export const OUTPUT_RIGHTS: bigint = ANY | RIGHTS_FD_WRITE;

/**
 * The rights of a file: bits 0 to 8, and those of `fd_filestat_get`,
 * `fd_filestat_set_size`, `fd_filestat_set_times` and `poll_oneoff`.
 */
export const FILE_RIGHTS: bigint = 0x1ffn | RIGHTS_FD_FILESTAT_GET |
  1n << 22n | 1n << 23n | RIGHTS_POLL_FD_READWRITE;

/**
 * The rights of a directory. Bits 9 to 13, 15 to 20 and 24 to 26 are the `path_*`
 * calls, 14 is `fd_readdir`, 4 `fd_sync`, and 0 `fd_datasync`.
 */
export const DIRECTORY_RIGHTS: bigint = 0x71f_fe00n | 1n | 1n << 4n |
  RIGHTS_FD_FDSTAT_SET_FLAGS | RIGHTS_FD_FILESTAT_GET | 1n << 23n |
  RIGHTS_POLL_FD_READWRITE;
