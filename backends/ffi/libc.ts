/**
 * The C library: opened at the first call, never at import.
 *
 * How the signatures below are written decides what a call costs. V8 calls a
 * symbol directly, in about 10 ns, as long as no argument has to be converted:
 * so lengths are `u32` (a number into `usize` costs 140 ns), results `i32`, and
 * memory is a `buffer`. Lengths and results stay below 2^31, where the narrow
 * types and C's `size_t` and `ssize_t` agree in every register.
 *
 * @module
 */

import { system } from "./current_system.ts";
import { type Errno, errorByValue } from "./errno.ts";
import type { System } from "./system.ts";

/** The functions of POSIX, each parameter as C declares it. */
const posix = {
  socket: {
    parameters: [
      "i32", // int domain
      "i32", // int type
      "i32", // int protocol
    ],
    result: "i32",
  },
  socketpair: {
    parameters: [
      "i32", // int domain
      "i32", // int type
      "i32", // int protocol
      "buffer", // int sv[2]
    ],
    result: "i32",
  },
  bind: {
    parameters: [
      "i32", // int sockfd
      "buffer", // const struct sockaddr *addr
      "u32", // socklen_t addrlen
    ],
    result: "i32",
  },
  listen: {
    parameters: [
      "i32", // int sockfd
      "i32", // int backlog
    ],
    result: "i32",
  },
  accept: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct sockaddr *addr
      "buffer", // socklen_t *addrlen
    ],
    result: "i32",
  },
  connect: {
    parameters: [
      "i32", // int sockfd
      "buffer", // const struct sockaddr *addr
      "u32", // socklen_t addrlen
    ],
    result: "i32",
  },
  shutdown: {
    parameters: [
      "i32", // int sockfd
      "i32", // int how
    ],
    result: "i32",
  },
  recv: {
    parameters: [
      "i32", // int sockfd
      "buffer", // void *buf
      "u32", // size_t len
      "i32", // int flags
    ],
    result: "i32",
  },
  recvfrom: {
    parameters: [
      "i32", // int sockfd
      "buffer", // void *buf
      "u32", // size_t len
      "i32", // int flags
      "buffer", // struct sockaddr *src_addr
      "buffer", // socklen_t *addrlen
    ],
    result: "i32",
  },
  recvmsg: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct msghdr *msg
      "i32", // int flags
    ],
    result: "i32",
  },
  send: {
    parameters: [
      "i32", // int sockfd
      "buffer", // const void *buf
      "u32", // size_t len
      "i32", // int flags
    ],
    result: "i32",
  },
  sendto: {
    parameters: [
      "i32", // int sockfd
      "buffer", // const void *buf
      "u32", // size_t len
      "i32", // int flags
      "buffer", // const struct sockaddr *dest_addr
      "u32", // socklen_t addrlen
    ],
    result: "i32",
  },
  sendmsg: {
    parameters: [
      "i32", // int sockfd
      "buffer", // const struct msghdr *msg
      "i32", // int flags
    ],
    result: "i32",
  },
  getsockopt: {
    parameters: [
      "i32", // int sockfd
      "i32", // int level
      "i32", // int optname
      "buffer", // void *optval
      "buffer", // socklen_t *optlen
    ],
    result: "i32",
  },
  setsockopt: {
    parameters: [
      "i32", // int sockfd
      "i32", // int level
      "i32", // int optname
      "buffer", // const void *optval
      "u32", // socklen_t optlen
    ],
    result: "i32",
  },
  getsockname: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct sockaddr *addr
      "buffer", // socklen_t *addrlen
    ],
    result: "i32",
  },
  getpeername: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct sockaddr *addr
      "buffer", // socklen_t *addrlen
    ],
    result: "i32",
  },
  read: {
    parameters: [
      "i32", // int fd
      "buffer", // void *buf
      "u32", // size_t count
    ],
    result: "i32",
  },
  write: {
    parameters: [
      "i32", // int fd
      "buffer", // const void *buf
      "u32", // size_t count
    ],
    result: "i32",
  },
  open: {
    parameters: [
      "buffer", // const char *pathname
      "i32", // int flags
      "i32", // variadic: mode_t mode
    ],
    result: "i32",
  },
  close: {
    parameters: [
      "i32", // int fd
    ],
    result: "i32",
  },
  unlink: {
    parameters: [
      "buffer", // const char *pathname
    ],
    result: "i32",
  },
  openat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "i32", // int flags
      "i32", // variadic: mode_t mode
    ],
    result: "i32",
  },
  mkdirat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "u32", // mode_t mode
    ],
    result: "i32",
  },
  unlinkat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "i32", // int flags
    ],
    result: "i32",
  },
  renameat: {
    parameters: [
      "i32", // int olddirfd
      "buffer", // const char *oldpath
      "i32", // int newdirfd
      "buffer", // const char *newpath
    ],
    result: "i32",
  },
  linkat: {
    parameters: [
      "i32", // int olddirfd
      "buffer", // const char *oldpath
      "i32", // int newdirfd
      "buffer", // const char *newpath
      "i32", // int flags
    ],
    result: "i32",
  },
  symlinkat: {
    parameters: [
      "buffer", // const char *target
      "i32", // int newdirfd
      "buffer", // const char *linkpath
    ],
    result: "i32",
  },
  readlinkat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "buffer", // char *buf
      "u32", // size_t bufsiz
    ],
    result: "i32",
  },
  utimensat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "buffer", // const struct timespec times[2]
      "i32", // int flags
    ],
    result: "i32",
  },
  futimens: {
    parameters: [
      "i32", // int fd
      "buffer", // const struct timespec times[2]
    ],
    result: "i32",
  },
  pread: {
    parameters: [
      "i32", // int fd
      "buffer", // void *buf
      "u32", // size_t count
      "i64", // off_t offset
    ],
    result: "i32",
  },
  pwrite: {
    parameters: [
      "i32", // int fd
      "buffer", // const void *buf
      "u32", // size_t count
      "i64", // off_t offset
    ],
    result: "i32",
  },
  lseek: {
    parameters: [
      "i32", // int fd
      "i64", // off_t offset
      "i32", // int whence
    ],
    result: "i64",
  },
  ftruncate: {
    parameters: [
      "i32", // int fd
      "i64", // off_t length
    ],
    result: "i32",
  },
  fsync: {
    parameters: [
      "i32", // int fd
    ],
    result: "i32",
  },
  fdopendir: {
    parameters: [
      "i32", // int fd
    ],
    result: "pointer",
  },
  readdir: {
    parameters: [
      "pointer", // DIR *dirp
    ],
    result: "pointer",
  },
  closedir: {
    parameters: [
      "pointer", // DIR *dirp
    ],
    result: "i32",
  },
  dup: {
    parameters: [
      "i32", // int oldfd
    ],
    result: "i32",
  },
  dup2: {
    parameters: [
      "i32", // int oldfd
      "i32", // int newfd
    ],
    result: "i32",
  },
  pipe: {
    parameters: [
      "buffer", // int pipefd[2]
    ],
    result: "i32",
  },
  fcntl: {
    parameters: [
      "i32", // int fd
      "i32", // int op
      "i32", // variadic: int arg
    ],
    result: "i32",
  },
  // Apple's arm64 takes variadic arguments from the stack: six unused words
  // fill the registers x2 to x7 before the argument that is meant.
  fcntlOnStack: {
    name: "fcntl",
    parameters: ["i32", "i32", "u32", "u32", "u32", "u32", "u32", "u32", "i32"],
    result: "i32",
  },
  openatOnStack: {
    name: "openat",
    parameters: [
      "i32",
      "buffer",
      "i32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "i32",
    ],
    result: "i32",
  },
  openOnStack: {
    name: "open",
    parameters: [
      "buffer",
      "i32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "u32",
      "i32",
    ],
    result: "i32",
  },
  poll: {
    parameters: [
      "buffer", // struct pollfd *fds
      "u32", // nfds_t nfds
      "i32", // int timeout
    ],
    result: "i32",
  },
  pollParked: {
    name: "poll",
    parameters: [
      "buffer", // struct pollfd *fds
      "u32", // nfds_t nfds
      "i32", // int timeout
    ],
    result: "i32",
    nonblocking: true,
  },
  select: {
    parameters: [
      "i32", // int nfds
      "buffer", // fd_set *readfds
      "buffer", // fd_set *writefds
      "buffer", // fd_set *exceptfds
      "buffer", // struct timeval *timeout
    ],
    result: "i32",
  },
  selectParked: {
    name: "select",
    parameters: [
      "i32", // int nfds
      "buffer", // fd_set *readfds
      "buffer", // fd_set *writefds
      "buffer", // fd_set *exceptfds
      "buffer", // struct timeval *timeout
    ],
    result: "i32",
    nonblocking: true,
  },
  getpid: {
    parameters: [],
    result: "i32",
  },
  memcpyFrom: {
    name: "memcpy",
    parameters: [
      "buffer", // void *dest
      "pointer", // const void *src
      "u32", // size_t n
    ],
    result: "pointer",
  },
  // memcpy(buffer, buffer, 0) returns its first argument: the address of a
  // buffer, also where --allow-ffi is scoped and Deno.UnsafePointer denied.
  addressOf: {
    name: "memcpy",
    parameters: [
      "buffer", // void *dest
      "buffer", // const void *src
      "u32", // size_t n
    ],
    result: "u64",
  },
  strerror_r: {
    parameters: [
      "i32", // int errnum
      "buffer", // char *buf
      "u32", // size_t buflen
    ],
    result: "i32",
  },
  errnoLocation: {
    parameters: [],
    result: "pointer",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions that some systems lack; a missing one is null. */
const extensions = {
  statx: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "i32", // int flags
      "u32", // unsigned int mask
      "buffer", // struct statx *statxbuf
    ],
    result: "i32",
    optional: true,
  },
  fstatat: {
    parameters: [
      "i32", // int dirfd
      "buffer", // const char *pathname
      "buffer", // struct stat *statbuf
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  fstat: {
    parameters: [
      "i32", // int fd
      "buffer", // struct stat *statbuf
    ],
    result: "i32",
    optional: true,
  },
  accept4: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct sockaddr *addr
      "buffer", // socklen_t *addrlen
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  pipe2: {
    parameters: [
      "buffer", // int pipefd[2]
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  dup3: {
    parameters: [
      "i32", // int oldfd
      "i32", // int newfd
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  recvmmsg: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct mmsghdr *msgvec
      "u32", // unsigned int vlen
      "i32", // int flags
      "buffer", // struct timespec *timeout
    ],
    result: "i32",
    optional: true,
  },
  sendmmsg: {
    parameters: [
      "i32", // int sockfd
      "buffer", // struct mmsghdr *msgvec
      "u32", // unsigned int vlen
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  eventfd: {
    parameters: [
      "u32", // unsigned int initval
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  timerfd_create: {
    parameters: [
      "i32", // int clockid
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  timerfd_settime: {
    parameters: [
      "i32", // int fd
      "i32", // int flags
      "buffer", // const struct itimerspec *new_value
      "pointer", // struct itimerspec *old_value
    ],
    result: "i32",
    optional: true,
  },
  ppoll: {
    parameters: [
      "buffer", // struct pollfd *fds
      "u32", // nfds_t nfds
      "buffer", // const struct timespec *tmo_p
      "pointer", // const sigset_t *sigmask
    ],
    result: "i32",
    optional: true,
  },
  if_nametoindex: {
    parameters: [
      "buffer", // const char *ifname
    ],
    result: "u32",
    optional: true,
  },
  epoll_create1: {
    parameters: [
      "i32", // int flags
    ],
    result: "i32",
    optional: true,
  },
  epoll_ctl: {
    parameters: [
      "i32", // int epfd
      "i32", // int op
      "i32", // int fd
      "buffer", // struct epoll_event *event
    ],
    result: "i32",
    optional: true,
  },
  epoll_wait: {
    parameters: [
      "i32", // int epfd
      "buffer", // struct epoll_event *events
      "i32", // int maxevents
      "i32", // int timeout
    ],
    result: "i32",
    optional: true,
  },
  epoll_waitParked: {
    name: "epoll_wait",
    parameters: [
      "i32", // int epfd
      "buffer", // struct epoll_event *events
      "i32", // int maxevents
      "i32", // int timeout
    ],
    result: "i32",
    nonblocking: true,
    optional: true,
  },
  epoll_pwait2: {
    parameters: [
      "i32", // int epfd
      "buffer", // struct epoll_event *events
      "i32", // int maxevents
      "buffer", // const struct timespec *timeout
      "pointer", // const sigset_t *sigmask
    ],
    result: "i32",
    optional: true,
  },
  ioctl: {
    parameters: [
      "i32", // int fd
      "u32", // unsigned long op
      "buffer", // variadic: char *argp
    ],
    result: "i32",
    optional: true,
  },
  ioctlParked: {
    name: "ioctl",
    parameters: [
      "i32", // int fd
      "u32", // unsigned long op
      "buffer", // variadic: char *argp
    ],
    result: "i32",
    nonblocking: true,
    optional: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

const functions = { ...posix, ...extensions } as const;

/** The opened functions, ready to be called. */
export type Libc = Deno.DynamicLibrary<typeof functions>["symbols"];

/** The name that this system gives the symbol of a function. */
function symbolName(key: string, system: System): string {
  const definition = functions[key as keyof Libc];
  const symbol = "name" in definition ? definition.name : key;
  const renamed: Record<string, string> = {
    ...system.renamedSymbols,
    errnoLocation: system.errnoSymbol,
    strerror_r: system.strerrorSymbol,
  };
  return renamed[key] ?? renamed[symbol] ?? symbol;
}

/** Whether every library may be opened, or only those that --allow-ffi names. */
export function hasFullPermission(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** The names that Deno lets us open: all of them, or those that are granted by path. */
function permittedLibraries(libraries: readonly string[]): readonly string[] {
  if (hasFullPermission()) return libraries;
  const paths = libraries.filter((library) => library.startsWith("/"));
  const granted = paths.filter((path) =>
    Deno.permissions.querySync({ name: "ffi", path }).state === "granted"
  );
  // With nothing granted the first path makes Deno ask, or say what is missing.
  return granted.length > 0 ? granted : paths.slice(0, 1);
}

let path: string | undefined;

/** Opens symbols of the first of the system's libraries that has them. */
function findLibrary<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols> {
  const failures: string[] = [];
  for (const candidate of permittedLibraries(system().libraries)) {
    try {
      const library = Deno.dlopen(candidate, symbols);
      path = candidate;
      return library;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      failures.push(`${candidate} (${(error as Error).message})`);
    }
  }
  throw new Deno.errors.NotSupported(
    `No C library could be opened on ${system().name}: tried ${
      failures.join(", ")
    }`,
  );
}

/**
 * The name under which the C library is opened.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} where there is no library that we know
 */
export function libraryPath(): string {
  if (path === undefined) findLibrary({}).close();
  return path!;
}

/** Compiles the way to one function; null if it is optional and missing. */
function openFunction(key: string): unknown {
  const definition = functions[key as keyof Libc];
  const name = symbolName(key, system());
  const wanted = { [key]: { ...definition, name } };
  // The first function that is opened shows which library there is.
  const { symbols } = path === undefined
    ? findLibrary(wanted)
    : Deno.dlopen(path, wanted);
  return errorsByValue(symbols, wanted)[key];
}

/**
 * The functions of a library, changed so that those which can fail return their
 * error number, negated. A `nonblocking` one fails on another thread, whose errno
 * cannot be read here: it returns -1, whatever it was.
 */
export function errorsByValue<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Deno.StaticForeignLibraryInterface<Symbols>,
  definitions: Symbols,
): Deno.StaticForeignLibraryInterface<Symbols> {
  const changed = Object.entries(symbols).map(([key, symbol]) => {
    const definition = definitions[key] as Deno.ForeignFunction;
    const { parameters, result, nonblocking } = definition;
    const fails = symbol !== null && !nonblocking &&
      (result === "i32" || result === "i64");
    return [
      key,
      fails ? errorByValue(symbol, parameters.length, errno()) : symbol,
    ];
  });
  return Object.fromEntries(changed);
}

/**
 * An object with a getter for each function, which opens it when it is first
 * asked for: to open all of them takes 9 ms, and a program uses a few. V8
 * compiles a getter into its callers, so a call costs the same as before.
 */
function lazyFunctions(): Libc {
  const getters = Object.keys(functions).map((key) => {
    let opened: unknown;
    const get = (): unknown =>
      opened === undefined ? opened = openFunction(key) : opened;
    return [key, { get, enumerable: true }];
  });
  return Object.defineProperties({}, Object.fromEntries(getters)) as Libc;
}

const lazy: Libc = lazyFunctions();

/**
 * The C library's functions, each opened when it is first called. One that fails
 * returns its error number, negated: see `errno.ts`.
 *
 * @throws what `libraryPath` throws, at the first call
 */
export function libc(): Libc {
  return lazy;
}

/**
 * Opens every function of the C library now: for tests with Deno's resource
 * sanitizer, which takes what stays open for the whole program for a leak of
 * the test that first needed it. Call it outside of the tests.
 *
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`
 * @throws {Deno.errors.NotSupported} where there is no library that we know
 *
 * @example
 * ```ts
 * import { openLibrary } from "@pollux/reactor/socket";
 *
 * openLibrary(); // at the top of a test file
 * ```
 */
export function openLibrary(): void {
  for (const key of Object.keys(functions)) void lazy[key as keyof Libc];
}

let errnoOfThread: Errno | undefined;

/** The way to errno, opened before the first function that can fail. */
function errno(): Errno {
  return errnoOfThread ??= hasFullPermission() ? mappedErrno() : copiedErrno();
}

function mappedErrno(): Errno {
  const location = lazy.errnoLocation()!;
  const memory = Deno.UnsafePointerView.getArrayBuffer(location, 4);
  return { memory: new Int32Array(memory), location, copy: null };
}

/** Under a scoped permission no memory can be mapped, but memcpy may read it. */
function copiedErrno(): Errno {
  const memory = new Int32Array(new ArrayBuffer(4));
  return { memory, location: lazy.errnoLocation(), copy: lazy.memcpyFrom };
}

/** The address of a buffer's first byte, for the structs that hold pointers. */
export function addressOf(buffer: BufferSource): bigint {
  return libc().addressOf(buffer, buffer, 0);
}

/**
 * Keeps memory alive until a `nonblocking` call has ended. Deno hands the other
 * thread a bare address: without this, what only that call uses is collected
 * while the kernel writes into it.
 *
 * @param referenced Whether the call keeps the process open
 */
export function holding<T>(
  referenced: boolean,
  call: Promise<T>,
  ...memory: (BufferSource | null)[]
): Promise<T> {
  if (!referenced) unreference(call);
  return call.finally(() => memory.length = 0);
}

/**
 * Lets the process end although a call is under way. Deno has no public name for
 * it; where the internal one is gone, the call keeps the process open.
 */
function unreference(call: Promise<unknown>): void {
  const { internal } = Deno as unknown as { internal?: symbol };
  if (internal === undefined) return;
  const internals =
    (Deno as unknown as Record<symbol, DenoInternals>)[internal];
  internals?.core?.unrefOpPromise?.(call);
}

interface DenoInternals {
  readonly core?: { unrefOpPromise?(call: Promise<unknown>): void };
}

/** `fcntl(fd, operation, argument)` or -errno, whatever this system does with variadic arguments. */
export function fcntl(fd: number, operation: number, argument = 0): number {
  return system().variadicOnStack
    ? libc().fcntlOnStack(fd, operation, 0, 0, 0, 0, 0, 0, argument)
    : libc().fcntl(fd, operation, argument);
}

/** `open(path, flags, mode)` or -errno, whatever this system does with variadic arguments. */
export function open(
  path: Uint8Array<ArrayBuffer>,
  flags: number,
  mode = 0,
): number {
  return system().variadicOnStack
    ? libc().openOnStack(path, flags, 0, 0, 0, 0, 0, 0, mode)
    : libc().open(path, flags, mode);
}

/** `openat(directory, path, flags, mode)` or -errno, whatever this system does with variadic arguments. */
export function openat(
  directory: number,
  path: Uint8Array<ArrayBuffer>,
  flags: number,
  mode = 0,
): number {
  return system().variadicOnStack
    ? libc().openatOnStack(directory, path, flags, 0, 0, 0, 0, 0, mode)
    : libc().openat(directory, path, flags, mode);
}
