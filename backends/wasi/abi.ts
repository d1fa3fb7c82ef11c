/**
 * The constants of WASI preview 1, except errors and rights.
 *
 * Source of each: `wasi/api.h` of wasi-libc (Debian's `wasi-libc`), which is
 * generated from `wasi_snapshot_preview1.witx`. The names are the header's,
 * without `__WASI_`.
 *
 * @module
 */

/** The module under which a program imports preview 1. */
export const PREVIEW1 = "wasi_snapshot_preview1";

// __wasi_clockid_t

/** Wall-clock time, in nanoseconds since 1970. */
export const CLOCKID_REALTIME = 0;
/** A clock that never jumps; its starting point is unspecified. */
export const CLOCKID_MONOTONIC = 1;
/** The CPU time of the program; this host has no wait for it. */
export const CLOCKID_PROCESS_CPUTIME_ID = 2;
/** The CPU time of the thread; this host has no wait for it. */
export const CLOCKID_THREAD_CPUTIME_ID = 3;

// __wasi_eventtype_t, which is also the tag of a subscription

/** A clock has reached its time. */
export const EVENTTYPE_CLOCK = 0;
/** A descriptor can be read from. */
export const EVENTTYPE_FD_READ = 1;
/** A descriptor can be written to. */
export const EVENTTYPE_FD_WRITE = 2;

// __wasi_eventrwflags_t

/** The end of file: the peer sends no more. */
export const EVENTRWFLAGS_FD_READWRITE_HANGUP = 1 << 0;

// __wasi_subclockflags_t

/** The timeout is a point in time, not relative to now. */
export const SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME = 1 << 0;

// __wasi_filetype_t

/** Any other type, such as a pipe. */
export const FILETYPE_UNKNOWN = 0;
/** A block device, such as a disk. */
export const FILETYPE_BLOCK_DEVICE = 1;
/** A character device, such as a terminal. */
export const FILETYPE_CHARACTER_DEVICE = 2;
/** A directory. */
export const FILETYPE_DIRECTORY = 3;
/** A regular file. */
export const FILETYPE_REGULAR_FILE = 4;
/** A datagram socket. */
export const FILETYPE_SOCKET_DGRAM = 5;
/** A stream socket, listeners included. */
export const FILETYPE_SOCKET_STREAM = 6;
/** A symbolic link. */
export const FILETYPE_SYMBOLIC_LINK = 7;

// __wasi_lookupflags_t

/** Follows a symbolic link in the last component of the path. */
export const LOOKUPFLAGS_SYMLINK_FOLLOW = 1 << 0;

// __wasi_oflags_t

/** `path_open`: create the file if it does not exist. */
export const OFLAGS_CREAT = 1 << 0;
/** `path_open`: fail unless it is a directory. */
export const OFLAGS_DIRECTORY = 1 << 1;
/** `path_open`: fail if the file exists. */
export const OFLAGS_EXCL = 1 << 2;
/** `path_open`: truncate the file to no bytes. */
export const OFLAGS_TRUNC = 1 << 3;

// __wasi_fstflags_t

/** `path_filestat_set_times`: set the access time to the given one. */
export const FSTFLAGS_ATIM = 1 << 0;
/** `path_filestat_set_times`: set the access time to now. */
export const FSTFLAGS_ATIM_NOW = 1 << 1;
/** `path_filestat_set_times`: set the modification time to the given one. */
export const FSTFLAGS_MTIM = 1 << 2;
/** `path_filestat_set_times`: set the modification time to now. */
export const FSTFLAGS_MTIM_NOW = 1 << 3;

// __wasi_fdflags_t

/** Each write appends to the file. */
export const FDFLAGS_APPEND = 1 << 0;
/** Calls fail with AGAIN instead of blocking. */
export const FDFLAGS_NONBLOCK = 1 << 2;

// __wasi_riflags_t, __wasi_roflags_t, __wasi_sdflags_t

/** `sock_recv`: leave the returned bytes in the queue. */
export const RIFLAGS_RECV_PEEK = 1 << 0;
/** `sock_recv`: wait until the buffers are full. */
export const RIFLAGS_RECV_WAITALL = 1 << 1;
/** `sock_recv` returned part of a datagram and discarded the rest. */
export const ROFLAGS_RECV_DATA_TRUNCATED = 1 << 0;
/** `sock_shutdown`: disable further receives. */
export const SDFLAGS_RD = 1 << 0;
/** `sock_shutdown`: disable further sends. */
export const SDFLAGS_WR = 1 << 1;
