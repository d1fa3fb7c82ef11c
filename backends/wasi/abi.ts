/**
 * The numbers of WASI preview 1 that are neither errors nor rights.
 *
 * Source of every one: `wasi/api.h` of wasi-libc (Debian's `wasi-libc`), which is
 * generated from `wasi_snapshot_preview1.witx`. The names are the header's,
 * without `__WASI_`.
 *
 * @module
 */

/** The module under which a program imports preview 1. */
export const PREVIEW1 = "wasi_snapshot_preview1";

// __wasi_clockid_t

/** The time of day, in nanoseconds since 1970. */
export const CLOCKID_REALTIME = 0;
/** A clock that never jumps; where it starts is not said. */
export const CLOCKID_MONOTONIC = 1;
/** The processor time of the program; nothing can wait for it here. */
export const CLOCKID_PROCESS_CPUTIME_ID = 2;
/** The processor time of the thread; nothing can wait for it here. */
export const CLOCKID_THREAD_CPUTIME_ID = 3;

// __wasi_eventtype_t, which is also the tag of a subscription

/** A clock has reached its time. */
export const EVENTTYPE_CLOCK = 0;
/** A descriptor can be read from. */
export const EVENTTYPE_FD_READ = 1;
/** A descriptor can be written to. */
export const EVENTTYPE_FD_WRITE = 2;

// __wasi_eventrwflags_t

/** The peer sends no more. */
export const EVENTRWFLAGS_FD_READWRITE_HANGUP = 1 << 0;

// __wasi_subclockflags_t

/** The timeout is a time of its clock, not a span from now. */
export const SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME = 1 << 0;

// __wasi_filetype_t

/** None of the others: a pipe, for one. */
export const FILETYPE_UNKNOWN = 0;
/** A disk, for one. */
export const FILETYPE_BLOCK_DEVICE = 1;
/** A terminal. */
export const FILETYPE_CHARACTER_DEVICE = 2;
/** A directory. */
export const FILETYPE_DIRECTORY = 3;
/** A regular file. */
export const FILETYPE_REGULAR_FILE = 4;
/** A datagram socket. */
export const FILETYPE_SOCKET_DGRAM = 5;
/** A stream socket, also one that listens. */
export const FILETYPE_SOCKET_STREAM = 6;
/** A symbolic link. */
export const FILETYPE_SYMBOLIC_LINK = 7;

// __wasi_lookupflags_t

/** The last component of the path may be a symbolic link, which is followed. */
export const LOOKUPFLAGS_SYMLINK_FOLLOW = 1 << 0;

// __wasi_oflags_t

/** `path_open`: make the file if there is none. */
export const OFLAGS_CREAT = 1 << 0;
/** `path_open`: fail if it is no directory. */
export const OFLAGS_DIRECTORY = 1 << 1;
/** `path_open`: fail if there is one already. */
export const OFLAGS_EXCL = 1 << 2;
/** `path_open`: empty it. */
export const OFLAGS_TRUNC = 1 << 3;

// __wasi_fstflags_t

/** `path_filestat_set_times`: when it was read is the time given. */
export const FSTFLAGS_ATIM = 1 << 0;
/** `path_filestat_set_times`: when it was read is now. */
export const FSTFLAGS_ATIM_NOW = 1 << 1;
/** `path_filestat_set_times`: when it was written is the time given. */
export const FSTFLAGS_MTIM = 1 << 2;
/** `path_filestat_set_times`: when it was written is now. */
export const FSTFLAGS_MTIM_NOW = 1 << 3;

// __wasi_fdflags_t

/** Each write goes to the end of the file. */
export const FDFLAGS_APPEND = 1 << 0;
/** No call waits: it fails with AGAIN instead. */
export const FDFLAGS_NONBLOCK = 1 << 2;

// __wasi_riflags_t, __wasi_roflags_t, __wasi_sdflags_t

/** `sock_recv`: leave in the queue what is returned. */
export const RIFLAGS_RECV_PEEK = 1 << 0;
/** `sock_recv`: wait until the buffers are full. */
export const RIFLAGS_RECV_WAITALL = 1 << 1;
/** `sock_recv` returned a part of a datagram; the rest is lost. */
export const ROFLAGS_RECV_DATA_TRUNCATED = 1 << 0;
/** `sock_shutdown`: receive no more. */
export const SDFLAGS_RD = 1 << 0;
/** `sock_shutdown`: send no more. */
export const SDFLAGS_WR = 1 << 1;
